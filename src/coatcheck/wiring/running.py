"""The lifetime of a container: checked before anything runs, opened, and closed in reverse order."""

import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakKeyDictionary

import anyio

from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.store.object_store import ObjectStore
from coatcheck.wiring.overriding import note_end, note_use
from coatcheck.wiring.ownership import forget, require_coatcheck
from coatcheck.wiring.validation import validate

logger = logging.getLogger(__name__)

WAITING_PAUSE_SECONDS = 0.2
CLOSING_TIMEOUT_SECONDS = 10.0

_entries: WeakKeyDictionary[AsyncExitStack, int] = WeakKeyDictionary()
"""The number of blocks for which a container's exit stack is open."""

_counting = threading.Lock()


@asynccontextmanager
async def running(container: Container) -> AsyncIterator[Container]:
    """Validate a container, wait until its store is available, and at the end close what coatcheck opened.

    As a server's lifespan: ``MCPServer(lifespan=lambda server: running(container))``. It may be entered any number of
    times, one after the other, nested, at the same time, and from several threads and event loops: the last exit
    closes everything in reverse order, even if one part fails. After that the container can be used again and creates
    new objects. Objects that a host passed in, for example a backend, are neither closed nor reset.

    An exception of the block propagates; a further one while closing is logged and added to it as a note.

    Raises:
        WiringError: The wiring of the container is invalid.
        TypeError: It is not a container of coatcheck.
        SettingsError: A setting is invalid.
        ObjectStoreUnavailable: The store is unavailable.
    """
    require_coatcheck(container, "running")
    validate(container)
    stack = _enter(container)
    try:
        await afind_store(container)
        note_use(container)
        yield container
    except BaseException as error:
        try:
            await _leave(container, stack)
        except Exception as closing:
            logger.exception("Closing failed after an error")
            error.add_note(f"While closing the container: {type(closing).__name__}")
        raise
    else:
        await _leave(container, stack)


def _enter(container: Container) -> AsyncExitStack:
    with _counting:
        stack: AsyncExitStack = container.exit_stack()
        _entries[stack] = _entries.get(stack, 0) + 1
    return stack


async def _leave(container: Container, stack: AsyncExitStack) -> None:
    with _counting:
        _entries[stack] -= 1
        if _entries[stack]:
            return
        # Before anything is closed, so that a concurrent entry gets new objects, not those that are being closed.
        forget(container)
        note_end(container)
    # The tasks of a stopping server are cancelled, and connections still have to be closed in order.
    with anyio.CancelScope(shield=True, deadline=anyio.current_time() + CLOSING_TIMEOUT_SECONDS) as scope:
        await stack.aclose()
    if scope.cancelled_caught:
        logger.warning("Closing took longer than %g s and was given up.", CLOSING_TIMEOUT_SECONDS)


async def afind_store(container: Container) -> ObjectStore:
    """Return the store once it is available; wait for it as long as the settings allow.

    Raises:
        ObjectStoreUnavailable: It was not available within this time.
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
    """Like ``afind_store``, from a thread without an event loop."""
    return anyio.run(afind_store, container)
