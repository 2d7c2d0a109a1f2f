"""Which providers coatcheck declared itself, and which a host passed in: only the former are reset."""

from collections.abc import Iterator
from typing import Any

from dependency_injector import providers

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.wiring.factories import open_tenancy
from coatcheck.wiring.traversal import Provider, arguments_of, callee_of

_LASTING = (InMemoryBackend, open_tenancy)
"""What has nothing to close. Over SSE the last client that leaves ends a server's lifespan, and others come later."""


def forget(container: Container) -> None:
    """Let go of the shared objects that coatcheck made, so that the container makes new ones when it is asked again.

    Objects in memory last as long as the container, and so does the secret that their namespaces are made with.
    Singletons of a host stay as they are, whether they override a provider of the container or are its inputs.
    """
    for provider in own_providers(container):
        if isinstance(provider, providers.BaseSingleton) and callee_of(provider) not in _LASTING:
            provider.reset()


def own_providers(container: Container) -> Iterator[Provider]:
    """The container's copies of the providers that its class declares, named and unnamed ones, each once."""
    seen: set[int] = set()
    pending: list[tuple[Any, Any]] = [
        (declared, container.providers[name]) for name, declared in Container.providers.items()
    ]
    while pending:
        declared, own = pending.pop()
        # A container is made by copying what its class declares: whatever stands in a different place is a host's.
        if type(declared) is not type(own) or not isinstance(own, providers.Provider) or id(own) in seen:
            continue
        if callee_of(declared) is not callee_of(own) and not isinstance(callee_of(declared), providers.Provider):
            continue
        seen.add(id(own))
        yield own
        pending += _inputs(declared, own)


def _inputs(declared: Any, own: Any) -> Iterator[tuple[Any, Any]]:
    """What was declared as a provider's inputs and branches, each with what stands there."""
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
