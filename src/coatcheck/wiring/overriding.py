"""Overriding parts of a container for a while, its shared objects included, without a trace afterwards."""

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import Any

from dependency_injector import providers

from coatcheck.backends import ObjectStoreBackend
from coatcheck.containers import Container
from coatcheck.settings import Settings
from coatcheck.store.payload_codec import Codec
from coatcheck.store.tenancy import Tenancy
from coatcheck.wiring.late_overrides import note_change
from coatcheck.wiring.traversal import Provider, arguments_of, current, parts, related

_NOT_GIVEN: Any = object()


class overridden:  # noqa: N801 - used as a function: with overridden(container, backend=…)
    """Replace a container's backend, settings, tenancy or codec for the length of a block.

        with overridden(container, backend=InMemoryBackend()) as container: …
        async with overridden(container, settings=Settings(object_store_backend="sqlite", sqlite_path=file)): …

    It takes effect at once and everywhere: in a store that has been built, in functions that were decorated before, in
    attached servers, in a container that is embedded in a host's, in all threads. What depends on the replaced part
    is replaced by a fresh copy for as long as the block lasts; afterwards the container has its objects back as they
    were, with what was stored before. What was built inside the block is closed with it, but never an object that was
    passed in. Blocks may be nested. Where the replacement opens connections, use ``async with``.

    Args:
        container: The container, also one that is embedded in another: ``overridden(host.coatcheck(), …)``.
        backend: A backend, or a provider of one.
        settings: Settings, or a provider of them.
        tenancy: What tells the store who is calling, or a provider of it.
        codec: What changes the bytes that the backend keeps, or a provider of it.

    Raises:
        TypeError: Nothing to replace was given.
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
        self._container = container
        self._stack = AsyncExitStack()
        self._overrides: list[tuple[Provider, Provider]] = []

    def __enter__(self) -> Container:
        """Replace the parts."""
        replacements = {self._container.providers[name]: _as_provider(value) for name, value in self._given.items()}
        shadows = _shadows(self._container, replacements, self._stack)
        # What depends on a replaced part first: a thread that asks meanwhile builds nothing old with something new.
        for provider, shadow in [*shadows, *replacements.items()]:
            provider.override(shadow)
            self._overrides.append((provider, shadow))
        note_change(self._container)
        return self._container

    def __exit__(self, *_: object) -> None:
        """Restore the parts, and close what was built inside."""
        self._restore()
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self._stack.aclose())
            return
        # Inside a running event loop one cannot wait for another, but a thread can have its own.
        _run_in_thread(self._stack)

    async def __aenter__(self) -> Container:
        """Replace the parts."""
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        """Restore the parts, and close what was built inside."""
        self._restore()
        await self._stack.aclose()

    def _restore(self) -> None:
        while self._overrides:
            provider, shadow = self._overrides.pop()
            if provider.last_overriding is shadow:
                provider.reset_last_overriding()
                continue
            # Blocks that overlap without being nested: take out the own override and leave the others.
            others = [other for other in provider.overridden if other is not shadow]
            provider.reset_override()
            for other in others:
                provider.override(other)
        note_change(self._container)


def _as_provider(value: Any) -> Provider:
    return value if isinstance(value, providers.Provider) else providers.Object(value)


def _shadows(
    container: Container, replacements: dict[Provider, Provider], stack: AsyncExitStack
) -> list[tuple[Provider, Provider]]:
    """Make a fresh copy of each named provider that depends on a replaced one, with the replacements in its place.

    A copy refers to copies of what depends on the replaced parts, and to everything else as it is, so that it shares
    with the container what need not change. What it opens is closed with a stack of its own.
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
    """Whether a provider, as it is overridden at the moment, takes an input from one of the targets."""
    if provider in targets:
        return True
    if isinstance(provider, providers.Delegate):
        return False  # what is passed on as such is looked up at each call, and finds the replacement then
    if provider not in verdicts:
        verdicts[provider] = False  # a cycle adds nothing
        standing = current(provider)
        verdicts[provider] = standing in targets or any(
            _depends(neighbour, targets, verdicts) for neighbour in related(standing)
        )
    return verdicts[provider]


def _share(provider: Provider, targets: set[Provider], memo: dict[int, Any], verdicts: dict[Provider, bool]) -> None:
    """Have copies refer to everything that depends on no target as it is: providers, and values given as arguments."""
    for neighbour in related(provider):
        if id(neighbour) in memo:
            continue
        if _depends(neighbour, targets, verdicts):
            _share(neighbour, targets, memo, verdicts)
        else:
            memo[id(neighbour)] = neighbour
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
