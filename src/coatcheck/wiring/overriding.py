"""Overrides parts of a container temporarily, shared objects included; finds overrides that come too late."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any
from weakref import WeakKeyDictionary

from dependency_injector import providers

from coatcheck.backends import ObjectStoreBackend
from coatcheck.containers import Container
from coatcheck.settings import Settings
from coatcheck.store.payload_codec import Codec
from coatcheck.store.tenancy import Tenancy
from coatcheck.wiring.faults import Fault
from coatcheck.wiring.ownership import require_coatcheck
from coatcheck.wiring.traversal import Provider, arguments_of, containers_in, current, parts, related

_NOT_GIVEN: Any = object()


class overridden:  # noqa: N801 - used as a function: with overridden(container, backend=…)
    """Replace a container's backend, settings, tenancy or codec within a block.

        with overridden(container, backend=InMemoryBackend()) as container: …
        async with overridden(container, settings=Settings(object_store_backend="sqlite", sqlite_path=file)): …

    It takes effect at once and everywhere: in a store that has been built, in functions that were decorated before, in
    attached servers, in a container that is embedded in a host's, in all threads. Everything that
    depends on the replaced part is replaced by a fresh copy within the block. Afterwards the container has its previous
    objects, with the values that they stored. Objects that were created inside the block are closed at its end, except
    those that were passed in. Blocks may be nested. If the replacement opens connections, use ``async with``.

    Args:
        container: The container, also one that is embedded in another: ``overridden(host.coatcheck(), …)``.
        backend: A backend, or a provider of one.
        settings: Settings, or a provider of them.
        tenancy: Determines the caller's namespace, or a provider of it.
        codec: Transforms the stored bytes, or a provider of it.

    Raises:
        TypeError: No replacement was passed, or ``container`` is not a container of coatcheck.
    """

    def __init__(
        self,
        container: Container,
        *,
        backend: ObjectStoreBackend | providers.Provider[Any] = _NOT_GIVEN,
        settings: Settings | providers.Provider[Any] = _NOT_GIVEN,
        tenancy: Tenancy | providers.Provider[Any] = _NOT_GIVEN,
        codec: Codec | providers.Provider[Any] | None = _NOT_GIVEN,
    ) -> None:
        given = {"backend": backend, "settings": settings, "tenancy": tenancy, "codec": codec}
        self._given = {name: value for name, value in given.items() if value is not _NOT_GIVEN}
        if not self._given:
            raise TypeError("overridden() needs something to override: backend=, settings=, tenancy= or codec=.")
        require_coatcheck(container, "overridden")
        self._container = container
        self._stack = AsyncExitStack()
        self._overrides: list[tuple[Provider, Provider]] = []

    def __enter__(self) -> Container:
        """Replace the parts."""
        declared = {self._container.providers[name]: value for name, value in self._given.items()}
        replacements = {provider: _replacement(provider, value) for provider, value in declared.items()}
        shadows = _shadows(self._container, replacements, self._stack)
        # Dependents first, so that a concurrent thread never combines an old object with a new one.
        for provider, shadow in [*shadows, *replacements.items()]:
            provider.override(shadow)
            self._overrides.append((provider, shadow))
        note_change(self._container)
        return self._container

    def __exit__(self, *_: object) -> None:
        """Restore the parts, and close the objects that were created inside."""
        self._restore()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self._stack.aclose())
            return
        # A running event loop cannot wait for another one, but a thread can run its own.
        _run_in_thread(self._stack)

    async def __aenter__(self) -> Container:
        """Replace the parts."""
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        """Restore the parts, and close the objects that were created inside."""
        self._restore()
        await self._stack.aclose()

    def _restore(self) -> None:
        while self._overrides:
            provider, shadow = self._overrides.pop()
            if provider.last_overriding is shadow:
                provider.reset_last_overriding()
                continue
            # Blocks may overlap without being nested: remove only our own override.
            others = [other for other in provider.overridden if other is not shadow]
            provider.reset_override()
            for other in others:
                provider.override(other)
        note_change(self._container)


def _replacement(declared: Provider, value: Any) -> Provider:
    given = value if isinstance(value, providers.Provider) else providers.Object(value)
    if not isinstance(declared, providers.Dependency):
        return given
    checked = type(declared)(instance_of=declared.instance_of)  # refuses what the constructor would refuse
    checked.override(given)
    return checked


def _shadows(
    container: Container, replacements: dict[Provider, Provider], stack: AsyncExitStack
) -> list[tuple[Provider, Provider]]:
    """Create a fresh copy of each named provider that depends on a replaced one, with the replacements in its place.

    A copy refers to copies of everything that depends on the replaced parts, and shares everything else with the
    container. The resources that it opens are closed with a separate exit stack.
    """
    memo: dict[int, Any] = {id(container.providers["exit_stack"]): providers.Object(stack)}
    memo |= {id(provider): replacement for provider, replacement in replacements.items()}
    dependents = [
        provider
        for _, provider in parts(container)
        if provider not in replacements and _depends(provider, set(replacements), {})
    ]
    verdicts: dict[Provider, bool] = {}
    for dependent in dependents:
        _share(dependent, set(replacements), memo, verdicts)
    return [(dependent, providers.deepcopy(dependent, memo)) for dependent in dependents]


def _depends(provider: Provider, targets: set[Provider], verdicts: dict[Provider, bool]) -> bool:
    """Whether a provider, with its current overrides, depends on one of the targets."""
    if provider in targets:
        return True
    if isinstance(provider, providers.Delegate):
        return False  # a delegated provider is looked up at each call, and then the replacement is found
    if provider not in verdicts:
        verdicts[provider] = False  # a cycle adds nothing
        active = current(provider)
        verdicts[provider] = active in targets or any(
            _depends(dependency, targets, verdicts) for dependency in related(active)
        )
    return verdicts[provider]


def _share(provider: Provider, targets: set[Provider], memo: dict[int, Any], verdicts: dict[Provider, bool]) -> None:
    """Let copies share everything that does not depend on a target: providers, and values that are arguments."""
    for dependency in related(provider):
        if id(dependency) in memo:
            continue
        if _depends(dependency, targets, verdicts):
            _share(dependency, targets, memo, verdicts)
        else:
            memo[id(dependency)] = dependency
    positional, named = arguments_of(provider)
    for value in (*positional, *named.values()):
        if not isinstance(value, providers.Provider):
            memo.setdefault(id(value), value)


def _run_in_thread(stack: AsyncExitStack) -> None:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(stack.aclose())
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            failed.append(error)

    thread = threading.Thread(target=run, name="coatcheck-closing")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


_READ_ONCE = ("settings", "tenancy", "codec")
"""Parts that shared objects read on creation. The backend is not one: the store follows its provider."""

_in_use: WeakKeyDictionary[Any, dict[str, Provider]] = WeakKeyDictionary()


def note_use(container: Any) -> None:
    """Record the settings, tenancy and codec that the shared objects of a container were created with."""
    _in_use[container] = {name: current(container.providers[name]) for name in _READ_ONCE}


def note_change(container: Any) -> None:
    """Update the record after an override that replaces those objects too."""
    if container in _in_use:
        note_use(container)


def note_end(container: Any) -> None:
    """Delete the record: the shared objects will be created again."""
    _in_use.pop(container, None)


def late_overrides(container: Any) -> Iterator[Fault]:
    """Overrides of parts after the creation of objects that depend on them."""
    for prefix, found in containers_in(container):
        for name, used in _in_use.get(found, {}).items():
            if current(found.providers[name]) is not used:
                yield Fault(
                    "late-override",
                    f"{prefix}{name}",
                    "it was overridden after the creation of objects that use it, which keep the old one: use "
                    f"coatcheck.lifecycle.overridden(container, {name}=…), or override before first use.",
                )
