"""Look-ups of the resolver in the explorer: blocking, or on the event loop (see ``coatcheck.store.call_mode``)."""

from collections.abc import Awaitable, Callable

from coatcheck.codec import DECODED_AT_ONCE, Chunks, Spliced, YieldBudget, load_json, splice_text
from coatcheck.errors import ListingUnsupported, ObjectNotFound
from coatcheck.explorer import Explorer, Found
from coatcheck.explorer.explorer_call import INLINE_BYTES
from coatcheck.references import Reference
from coatcheck.store.call_mode import ASYNC, CallMode
from coatcheck.store.stored_object import StoredObject


class Lookup:
    """Finds the values of references.

    ``explorer`` is called at the first reference; ``as_json``: large values are ``Spliced``, for a caller that only
    forwards them as JSON; ``reserve`` is called with the bytes of each object before it is read.

    Attributes:
        chunks: Parts of large values, which the caller frees; see ``coatcheck.codec.free_chunks``.
    """

    def __init__(
        self,
        explorer: Callable[[], Explorer],
        mode: CallMode,
        *,
        as_json: bool = False,
        reserve: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        self._explorer = explorer
        self._reserve = reserve
        self._mode = mode
        self._as_json = as_json
        self._yielding = YieldBudget()
        self.chunks: Chunks = []

    async def find(
        self, reference: Reference, *, as_text: bool = False, sampled: bool = False, opened: bool = False
    ) -> Found:
        """Return the value of a reference; for a large value that stays JSON with a sample, if requested.

        With ``opened``, the value of a text that is a document or a table is what it represents.
        """
        explorer = self._explorer()
        known: StoredObject | None = None
        if self._reserve is not None:
            await self._reserve(0)  # before a small object is read with its size, in one round trip
            seen = await explorer.store.apeek(reference.object_id, INLINE_BYTES)
            await self._reserve(seen.metadata.size)
            known = seen if seen.metadata.size <= INLINE_BYTES else None
        if self._as_json and not as_text and not opened:
            found = await explorer.afind_json(reference, sampled=sampled, known=known)
        elif self._mode is ASYNC:
            found = await explorer.afind(reference, as_text=as_text, opened=opened, known=known)
        else:
            found = explorer.find(reference, as_text=as_text, opened=opened)
        if self._as_json and as_text and found.size > DECODED_AT_ONCE:
            found = Found(await splice_text(found.value), found.size, is_null=found.is_null)
        self.chunks += found.chunks
        return found

    async def exists(self, object_id: str) -> bool:
        """Whether the caller has an object of this id."""
        store = self._explorer().store
        try:
            await self._mode.call(store.metadata, store.ametadata, object_id)
        except ObjectNotFound:
            return False
        return True

    async def ids(self) -> list[str]:
        """Return the ids of the caller's objects; none if they cannot be listed."""
        store = self._explorer().store
        try:
            return [summary.object_id for summary in await self._mode.call(store.list, store.alist)]
        except ListingUnsupported:
            return []

    async def pause(self) -> None:
        """Yield to other tasks of the event loop when it is time."""
        if self._mode is ASYNC and self._yielding.should_yield():
            await self._yielding.pause()


def text_of_found(found: Found) -> str | None:
    """Return a found text as a plain string, or ``None`` for another value."""
    value = found.value
    if isinstance(value, Spliced) and bytes(value.json[:1]) == b'"':
        value = load_json(value.json)
    return value if isinstance(value, str) else None
