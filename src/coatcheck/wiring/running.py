"""A container's life: checked before anything runs, opened, closed in reverse, forgotten."""

import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from dependency_injector import providers

from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable, WiringError
from coatcheck.store.object_store import ObjectStore

SINGLETONS = (providers.BaseSingleton,)
WAITING_PAUSE_SECONDS = 0.2

PER_CALL = (providers.Factory,)


def validate(container: Container) -> None:
    """Check how a container is wired without making anything.

    Found are inputs that nobody gave, cycles, misspelt or missing arguments, and a singleton that would hold on to a
    value that is made anew at each call.

    Raises:
        WiringError: With every fault that was found, each with the provider's name.
    """
    faults = [*_missing(container), *_cycles(container)]
    if not faults:  # a cycle would make the walks below endless, a missing input makes them pointless
        faults = [*_arguments(container), *_captured(container)]
    if faults:
        raise WiringError("The container cannot work as it is wired:\n" + "\n".join(f"- {fault}" for fault in faults))


@asynccontextmanager
async def running(container: Container) -> AsyncIterator[Container]:
    """Validate a container, see that its store answers, and close in reverse order what it opened.

    As a server's lifespan: ``MCPServer(lifespan=lambda server: running(container))``.

    Raises:
        WiringError: The container cannot work as it is wired.
        SettingsError: Settings that do not fit.
        ObjectStoreUnavailable: The store does not answer.
    """
    validate(container)
    stack = container.exit_stack()
    try:
        await afind_store(container)
        yield container
    finally:
        try:
            await stack.aclose()
        finally:
            forget(container)


async def afind_store(container: Container) -> ObjectStore:
    """Give the store once it answers; it is waited for as long as the settings say.

    Raises:
        ObjectStoreUnavailable: It has not answered in this time.
    """
    until = time.monotonic() + container.settings().wait_for_store
    store: ObjectStore = container.store()
    while True:
        try:
            await store.aping()
        except ObjectStoreUnavailable:
            if time.monotonic() >= until:
                raise
            await anyio.sleep(WAITING_PAUSE_SECONDS)
        else:
            return store


def find_store(container: Container) -> ObjectStore:
    """Give the store once it answers, as ``afind_store`` does, from a thread without an event loop."""
    return anyio.run(afind_store, container)


def forget(container: Container) -> None:
    """Let go of every shared object, so that the container makes new ones when it is asked again."""
    for _, provider in _named(container):
        if isinstance(provider, SINGLETONS):
            provider.reset()


def parts(container: Container) -> list[tuple[str, providers.Provider[Any]]]:
    """The container's own providers by name, in the order of their names."""
    return sorted(container.providers.items())


def depends_on(provider: providers.Provider[Any]) -> list[providers.Provider[Any]]:
    """The providers that a provider takes what it needs from; what overrides one stands in its place.

    A provider that is handed on as such (``store.provider``) is looked up at each call and is no dependency here.
    """
    found: dict[int, providers.Provider[Any]] = {}
    for related in provider.related:
        standing = current(related)
        if not isinstance(standing, providers.Delegate):
            found[id(standing)] = standing
    return list(found.values())


def hands_on(provider: providers.Provider[Any]) -> list[providers.Provider[Any]]:
    """The providers that a provider hands on as such, to be looked up at each call."""
    found = [current(related) for related in provider.related]
    return [delegate.provides for delegate in found if isinstance(delegate, providers.Delegate) and delegate.provides]


def current(provider: providers.Provider[Any]) -> providers.Provider[Any]:
    """The provider that stands in a provider's place: what overrides it last, else itself."""
    while provider.last_overriding is not None:
        provider = provider.last_overriding
    return provider


def _named(container: Container) -> Iterator[tuple[str, providers.Provider[Any]]]:
    """Every provider of a container, the unnamed ones under the name of the first that uses them."""
    seen: set[int] = set()
    pending = [(name, provider) for name, provider in parts(container)]
    while pending:
        name, provider = pending.pop(0)
        if id(provider) in seen or isinstance(provider, providers.Delegate):
            continue
        seen.add(id(provider))
        yield name, provider
        if provider.last_overriding is not None:
            pending.insert(0, (name, provider.last_overriding))
        pending.extend((f"{name} > {_label(related)}", related) for related in provider.related)


def _missing(container: Container) -> Iterator[str]:
    for name, provider in _named(container):
        if isinstance(provider, providers.Dependency) and not provider.is_defined:
            wanted = provider.instance_of
            kind = getattr(wanted, "__name__", "a value")
            yield f"{name} is missing: give it when the container is made, Container({name}=…), an instance of {kind}."


def _cycles(container: Container) -> Iterator[str]:
    names = {id(provider): name for name, provider in _named(container)}
    done: set[int] = set()

    def visit(provider: providers.Provider[Any], trail: list[providers.Provider[Any]]) -> list[Any] | None:
        if provider in trail:
            return [*trail[trail.index(provider) :], provider]
        if id(provider) in done:
            return None
        for related in depends_on(provider):
            found = visit(related, [*trail, provider])
            if found:
                return found
        done.add(id(provider))
        return None

    for _, provider in parts(container):
        cycle = visit(current(provider), [])
        if cycle:
            yield "a cycle: " + " → ".join(names.get(id(step), _label(step)) for step in cycle)
            return


def _arguments(container: Container) -> Iterator[str]:
    for name, provider in _named(container):
        if not isinstance(provider, (providers.Factory, providers.BaseSingleton, providers.Callable)):
            continue
        made = provider.provides
        if not callable(made) or isinstance(made, providers.Provider):
            continue
        try:
            inspect.signature(made).bind_partial(*provider.args, **provider.kwargs)
            missing = _unfilled(made, provider)
        except TypeError as error:
            yield f"{name}: {_name_of(made)}() does not take what it is given: {error}."
        except ValueError:  # a class of C code without a signature
            continue
        else:
            if missing and isinstance(provider, providers.BaseSingleton):
                yield f"{name}: {_name_of(made)}() is not given {', '.join(missing)}."


def _unfilled(made: Callable[..., Any], provider: Any) -> list[str]:
    bound = inspect.signature(made).bind_partial(*provider.args, **provider.kwargs)
    return [
        parameter.name
        for parameter in bound.signature.parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        and parameter.name not in bound.arguments
    ]


def _captured(container: Container) -> Iterator[str]:
    for name, provider in _named(container):
        if not isinstance(provider, SINGLETONS):
            continue
        for related in depends_on(provider):
            if isinstance(related, PER_CALL):
                yield (
                    f"{name} is shared but holds {_label(related)}, which is made anew at each call: "
                    "hand the provider on (.provider) and call it when it is needed."
                )


def _label(provider: providers.Provider[Any]) -> str:
    made = getattr(provider, "provides", None)
    kind = type(provider).__name__
    return f"{kind}({_name_of(made)})" if made is not None and not isinstance(made, providers.Provider) else kind


def _name_of(made: Any) -> str:
    return str(getattr(made, "__qualname__", None) or type(made).__name__)
