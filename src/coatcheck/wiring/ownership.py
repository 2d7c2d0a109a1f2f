"""Distinguishes coatcheck's own containers and providers, which are reset, from those of a host."""

from collections.abc import Iterator
from typing import Any

from dependency_injector import containers, providers

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.wiring.factories import open_tenancy
from coatcheck.wiring.traversal import Provider, arguments_of, callee_of, named_providers

_LASTING = (InMemoryBackend, open_tenancy)
"""Objects with nothing to close. Over SSE the last client that disconnects ends a server's lifespan, and others may
connect later."""


def is_coatcheck(found: Any) -> bool:
    """Whether a container is coatcheck's, and not a host's."""
    return issubclass(getattr(found, "declarative_parent", None) or object, Container)


def require_coatcheck(container: Any, caller: str) -> None:
    """Refuse anything but a container of coatcheck.

    Raises:
        TypeError: It is a class, a host's container or something else; the message says what to pass.
    """
    if isinstance(container, containers.Container) and is_coatcheck(container):
        return
    if isinstance(container, type) and issubclass(container, containers.DeclarativeContainer):
        hint = f"not the class {container.__name__}: create it, {container.__name__}(…)."
    elif isinstance(container, containers.Container):
        hint = "not one that has it in it: pass that part, such as host.coatcheck()."
    elif isinstance(container, providers.Provider):
        hint = "not a provider of one: call it, such as host.coatcheck()."
    else:
        hint = f"not {type(container).__name__}."
    raise TypeError(f"{caller}() takes a container, coatcheck.Container(…), {hint}")


def forget(container: Container) -> None:
    """Release the shared objects that coatcheck created, so that the container creates new ones at next use.

    Objects in memory last as long as the container, as does the secret of their namespaces. Singletons of a host are
    kept, whether they override a provider of the container or are its inputs.
    """
    for provider in own_providers(container):
        if isinstance(provider, providers.BaseSingleton) and callee_of(provider) not in _LASTING:
            provider.reset()


def own_providers(container: Container) -> Iterator[Provider]:
    """The container's copies of the providers that its class declares, named and unnamed ones, each once."""
    seen: set[int] = set()
    pending: list[tuple[Any, Any]] = [
        (declared, container.providers[name]) for name, declared in named_providers(Container).items()
    ]
    while pending:
        declared, own = pending.pop()
        # A container copies the declarations of its class: a provider that differs from them belongs to the host.
        if type(declared) is not type(own) or not isinstance(own, providers.Provider) or id(own) in seen:
            continue
        if callee_of(declared) is not callee_of(own) and not isinstance(callee_of(declared), providers.Provider):
            continue
        seen.add(id(own))
        yield own
        pending += _inputs(declared, own)


def _inputs(declared: Any, own: Any) -> Iterator[tuple[Any, Any]]:
    """The declared inputs and branches of a provider, each with its current provider."""
    if isinstance(declared, providers.Selector):
        yield from _by_name(declared.providers, own.providers)
    elif isinstance(declared, providers.Dependency):
        yield declared.default, own.default
    else:
        (positional, named), (own_positional, own_named) = arguments_of(declared), arguments_of(own)
        yield from zip(positional, own_positional, strict=False)
        yield from _by_name(named, own_named)


def _by_name(declared: dict[str, Any], own: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    return ((given, own[name]) for name, given in declared.items() if name in own)
