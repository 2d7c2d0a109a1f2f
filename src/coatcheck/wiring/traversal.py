"""Walks through a container's providers without creating anything."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from dependency_injector import containers, providers

Provider: TypeAlias = providers.Provider[Any]

_LEAVES = (providers.Configuration, providers.ConfigurationOption, providers.TypedConfigurationOption)
# Reading an attribute of one of these creates a child option, so a walk would extend the graph.
_MAKERS = (providers.Callable, providers.Factory, providers.BaseSingleton, providers.BaseResource)


def named_providers(container: Any) -> dict[str, Provider]:
    """The providers of a container, or of its class, by name, sorted.

    Without ``Self``, which the library adds to a container and its class when someone's code calls ``wire()``.
    """
    return {
        name: provider
        for name, provider in sorted(container.providers.items())
        if not isinstance(provider, providers.Self)
    }


def parts(container: Any, prefix: str = "") -> list[tuple[str, Provider]]:
    """The providers of a container by name, those of nested containers as ``container.provider``, sorted by name."""
    found: list[tuple[str, Provider]] = []
    for name, provider in named_providers(container).items():
        if isinstance(provider, providers.Container):
            found += parts(provider.container, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", provider))
    return found


def containers_in(container: Any, prefix: str = "") -> Iterator[tuple[str, containers.DynamicContainer]]:
    """A container and the containers nested in it, each with the prefix of its providers' names."""
    yield prefix, container
    for name, provider in named_providers(container).items():
        if isinstance(provider, providers.Container):
            yield from containers_in(provider.container, f"{prefix}{name}.")


def current(provider: Provider) -> Provider:
    """The effective provider: the last override of a provider, else itself."""
    while provider.last_overriding is not None:
        provider = provider.last_overriding
    return provider


def callee_of(provider: Provider) -> Any:
    """The class or function that a provider calls, or the provider that it extends; ``None`` for other kinds."""
    if isinstance(provider, _LEAVES) or not isinstance(provider, _MAKERS):
        return None
    return provider.provides


def arguments_of(provider: Provider) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and keyword arguments of a provider: providers and plain values."""
    callee: Any = provider
    if isinstance(provider, providers.List):
        return tuple(callee.args), {}
    if isinstance(provider, providers.Dict):
        return (), dict(callee.kwargs)
    return ((), {}) if callee_of(provider) is None else (tuple(callee.args), dict(callee.kwargs))


def related(provider: Provider) -> list[Provider]:
    """The providers that a provider refers to: its inputs, branches and overrides."""
    if isinstance(provider, (*_LEAVES, providers.Container)):
        return []
    return list(provider.related)


def depends_on(provider: Provider) -> list[Provider]:
    """The providers that a provider depends on, with their overrides.

    A delegated provider (``store.provider``) is looked up at each call and is not listed.
    """
    found: dict[int, Provider] = {}
    for dependency in related(provider):
        active = current(dependency)
        if not isinstance(active, providers.Delegate):
            found[id(active)] = active
    return list(found.values())


def delegated_providers(provider: Provider) -> list[Provider]:
    """The delegated providers of a provider, which are looked up at each call."""
    found = [current(dependency) for dependency in related(provider)]
    return [delegate.provides for delegate in found if isinstance(delegate, providers.Delegate) and delegate.provides]


def reachable(container: Any) -> Iterator[tuple[str, Provider]]:
    """Every provider that a container refers to, once; unnamed ones under the name of the first that uses them."""
    seen: set[int] = set()
    pending = parts(container)
    while pending:
        name, provider = pending.pop(0)
        if id(provider) in seen or isinstance(provider, providers.Delegate):
            continue
        seen.add(id(provider))
        yield name, provider
        if provider.last_overriding is not None:
            pending.insert(0, (name, provider.last_overriding))
        pending += [(f"{name} > {label(dependency)}", dependency) for dependency in related(provider)]


def label(provider: Provider) -> str:
    """A provider's kind and its class or function: ``Singleton(ObjectStore)``."""
    callee = callee_of(provider)
    kind = type(provider).__name__
    return kind if callee is None or isinstance(callee, providers.Provider) else f"{kind}({name_of(callee)})"


def name_of(callee: Any) -> str:
    """The name of a class or function."""
    return str(getattr(callee, "__qualname__", None) or type(callee).__name__)
