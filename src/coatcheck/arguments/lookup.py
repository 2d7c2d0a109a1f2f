"""Look-ups of the resolver in the explorer: blocking, or on the event loop.

The resolver is written once, as coroutines over a ``Lookup``. With a ``BlockingLookup`` they never await an event
loop, so they can run to completion without one.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

from coatcheck.codec import DECODED_AT_ONCE, Chunks, Spliced, YieldBudget, load_exactly, load_json, splice_text
from coatcheck.errors import ListingUnsupported, ObjectNotFound
from coatcheck.explorer import Explorer, Found
from coatcheck.references import Reference

_LONG_INTEGER = re.compile(r"\d{19}")


class Lookup(Protocol):
    """Finds the values of references."""

    chunks: Chunks
    """Parts of large values, which the caller frees; see ``coatcheck.codec.free_chunks``."""

    async def find(self, reference: Reference, *, as_text: bool = False, sampled: bool = False) -> Found:
        """Return the value of a reference; for a large value that stays JSON with a sample, if requested."""
        ...

    async def exists(self, object_id: str) -> bool:
        """Whether the caller has an object of this id."""
        ...

    async def ids(self) -> list[str]:
        """Return the ids of the caller's objects; none if they cannot be listed."""
        ...

    async def pause(self) -> None:
        """Yield to other tasks when it is time."""
        ...


class BlockingLookup:
    """Looks up objects with blocking calls.

    Args:
        explorer: Returns the explorer; called at the first reference.
    """

    def __init__(self, explorer: Callable[[], Explorer]) -> None:
        self._explorer = explorer
        self.chunks: Chunks = []

    async def find(self, reference: Reference, *, as_text: bool = False, sampled: bool = False) -> Found:
        """Return the value of a reference; for a large value that stays JSON with a sample, if requested."""
        del sampled  # Nothing stays JSON here.
        return self._explorer().find(reference, as_text=as_text)

    async def exists(self, object_id: str) -> bool:
        """Whether the caller has an object of this id."""
        try:
            self._explorer().store.metadata(object_id)
        except ObjectNotFound:
            return False
        return True

    async def ids(self) -> list[str]:
        """Return the ids of the caller's objects; none if they cannot be listed."""
        try:
            return [summary.object_id for summary in self._explorer().store.list()]
        except ListingUnsupported:
            return []

    async def pause(self) -> None:
        """Do nothing: no event loop waits for this thread."""


class AsyncLookup:
    """Looks up objects on the event loop.

    Args:
        explorer: Returns the explorer; called at the first reference.
        as_json: Return large values as ``Spliced``, for a caller that only forwards them as JSON.
    """

    def __init__(self, explorer: Callable[[], Explorer], *, as_json: bool = False) -> None:
        self._explorer = explorer
        self._as_json = as_json
        self._manners = YieldBudget()
        self.chunks: Chunks = []

    async def find(self, reference: Reference, *, as_text: bool = False, sampled: bool = False) -> Found:
        """Return the value of a reference; for a large value that stays JSON with a sample, if requested."""
        if self._as_json and not as_text:
            found = await self._explorer().afind_json(reference, sampled=sampled)
        else:
            found = await self._explorer().afind(reference, as_text=as_text)
        if self._as_json and as_text and found.size > DECODED_AT_ONCE:
            found = Found(await splice_text(found.value), found.size, is_null=found.is_null)
        self.chunks += found.chunks
        return found

    async def exists(self, object_id: str) -> bool:
        """Whether the caller has an object of this id."""
        try:
            await self._explorer().store.ametadata(object_id)
        except ObjectNotFound:
            return False
        return True

    async def ids(self) -> list[str]:
        """Return the ids of the caller's objects; none if they cannot be listed."""
        try:
            return [summary.object_id for summary in await self._explorer().store.alist()]
        except ListingUnsupported:
            return []

    async def pause(self) -> None:
        """Yield to other tasks when it is time."""
        if self._manners.should_yield():
            await self._manners.pause()


def parse_json_text(text: str) -> Any:
    """Parse a text as JSON, exactly.

    Raises:
        ValueError: It is not JSON, or nested too deeply.
    """
    return load_exactly(text) if _LONG_INTEGER.search(text) else load_json(text)


def text_of_found(found: Found) -> str | None:
    """Return a found text as a plain string, or ``None`` for another value."""
    value = found.value
    if isinstance(value, Spliced) and bytes(value.json[:1]) == b'"':
        value = load_json(value.json)
    return value if isinstance(value, str) else None
