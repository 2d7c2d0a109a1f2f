"""One implementation for synchronous and asynchronous callers.

Operations are written once, as coroutines that take a `CallMode` and use it for every call that may wait:
``await mode.call(backend.get, backend.aget, key)``. In `BLOCKING` mode such a coroutine never awaits an event loop,
so `run_blocking` runs it to completion in a plain function. The measurements are in
``docs/decisions/sync-and-async.md``.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class CallMode(Protocol):
    """How an operation calls functions that may wait: `BLOCKING` or `ASYNC`."""

    async def call(
        self, blocking: Callable[P, T], asynchronous: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call the synchronous or asynchronous form of a function and return its result."""
        ...


class _Blocking:
    async def call(
        self,
        blocking: Callable[P, T],
        asynchronous: Callable[P, Awaitable[T]],  # noqa: ARG002
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        return blocking(*args, **kwargs)


class _Async:
    async def call(
        self,
        blocking: Callable[P, T],  # noqa: ARG002
        asynchronous: Callable[P, Awaitable[T]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        return await asynchronous(*args, **kwargs)


BLOCKING: Final[CallMode] = _Blocking()
ASYNC: Final[CallMode] = _Async()


def run_blocking(operation: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in `BLOCKING` mode to completion; raises ``RuntimeError`` if it waits for an event loop."""
    try:
        operation.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    operation.close()
    raise RuntimeError("This operation waits for an event loop and cannot run without one.")
