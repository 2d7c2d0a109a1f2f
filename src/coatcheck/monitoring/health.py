"""Readiness of a server: its store is available, and it is not shutting down."""

import asyncio
import logging
from collections.abc import Callable

from coatcheck.errors import CoatcheckError
from coatcheck.store.object_store import ObjectStore

logger = logging.getLogger(__name__)

READY_SECONDS = 2.0
"""Seconds within which the store must answer."""


class Health:
    """Determines whether the server is ready for requests.

    ``store`` returns the object store at every check, which must answer within ``seconds``.
    """

    def __init__(self, store: Callable[[], ObjectStore], *, seconds: float = READY_SECONDS) -> None:
        self._store = store
        self._seconds = seconds
        self._ending = False
        self._pending: asyncio.Task[None] | None = None

    def end(self) -> None:
        """Record that the server shuts down: from now on it is not ready."""
        self._ending = True

    async def why_not_ready(self) -> str:
        """Return the reason why the server is not ready, or ``""``; the reason names no host and no user."""
        if self._ending:
            return "the server is ending"
        # Concurrent checks share one ping, so that frequent checks cost the store nothing.
        pending = self._pending
        if pending is None or pending.done() or pending.get_loop() is not asyncio.get_running_loop():
            pending = self._pending = asyncio.ensure_future(self._ping())
            # An error after the last waiter has left was logged; retrieving it keeps the loop from reporting it.
            pending.add_done_callback(lambda done: done.cancelled() or done.exception())
        done, _ = await asyncio.wait({pending}, timeout=self._seconds)
        if self._ending:
            return "the server is ending"
        if not done:
            return f"the store has not answered for {self._seconds:g} s"
        return "the store does not answer" if pending.cancelled() or pending.exception() is not None else ""

    async def _ping(self) -> None:
        try:
            await self._store().aping()
        except CoatcheckError as error:
            logger.info("Not ready: %s", getattr(error, "text", error))
            raise
        except Exception:
            logger.exception("The store could not be checked")
            raise
