"""The object store: values in, ids out, each caller within a namespace of its own."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple, TypeAlias, TypeVar

import anyio.to_thread

from coatcheck import codec
from coatcheck.backends.base import ObjectStoreBackend
from coatcheck.backends.facades import AsyncFacade, SyncFacade
from coatcheck.codec import HEAD_BYTES, Encoded, Metadata
from coatcheck.errors import ListingUnsupported, ObjectNotFound, ObjectTooLarge, ObjectUnreadable
from coatcheck.references import is_object_id
from coatcheck.store.events import DELETE, GET, LIST, PEEK, PUT, Observation, Watch

DEFAULT_TTL = 3600.0
LISTED_AT_MOST = 1000
COMPRESSED_AT_ONCE = 256 * 1024
"""Bytes up to which a payload is compressed or expanded on the event loop; it takes less than a millisecond."""


_numbers = count(1)
Result = TypeVar("Result")


class StoredObject(NamedTuple):
    """An object as it was found in the store, not decoded yet.

    Attributes:
        object_id: Its id, without ``@``.
        metadata: What is known of it without decoding.
        payload: Its encoded value; see ``coatcheck.codec``.
    """

    object_id: str
    metadata: Metadata
    payload: memoryview

    def value(self) -> Any:
        """Decode the value; of a tool result, the smallest JSON that loses nothing."""
        return codec.decode(self.metadata, self.payload)

    def result(self) -> dict[str, Any] | None:
        """Decode a tool result exactly as it was on the wire; ``None`` where the object is something else."""
        return codec.decode_result(self.metadata, self.payload)

    def text(self) -> str | None:
        """Give the text byte for byte as it was stored; ``None`` where the object is no text."""
        if self.metadata.kind == "text":
            return str(self.payload, "utf-8")
        result = self.result()
        if result is not None:
            return codec.result_text(result)
        return str(self.value()) if self.metadata.type == "string" else None


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """One line of a listing."""

    object_id: str
    metadata: Metadata


# The store has a method called list, which hides the type of that name in its annotations.
Summaries: TypeAlias = list[ObjectSummary]


class ObjectStore:
    """Keeps values in a backend and hands out ids.

    Args:
        backend: Where the bytes go.
        ttl: Seconds that an object is kept; fractions hold, zero or less means that objects do not expire.
        namespace: Asked at every operation for the caller's namespace; without it there is one, ``""``. What is stored
            in one namespace does not exist in another.
        generate_id: Makes ids in the backend's place.
        may_list: Asked at every listing whether this caller may list.
        max_object_bytes: Largest encoded value in bytes; 0 for no limit.
        compress_above: Bytes above which an encoded value is compressed, where that makes it smaller; 0 for never.
        observation: Whom to tell of what happens.

    Attributes:
        backend: The backend that keeps the bytes.
        ttl: Seconds that an object is kept.
        namespace: Gives the caller's namespace.
        observation: Passes on what happens here.

    Every method has a twin for the event loop, with an ``a`` before its name. A backend that has no such twin itself is
    called in a worker thread there.
    """

    def __init__(
        self,
        backend: ObjectStoreBackend,
        ttl: float = DEFAULT_TTL,
        *,
        namespace: Callable[[], str] | None = None,
        generate_id: Callable[[], str] | None = None,
        may_list: Callable[[], bool] | None = None,
        max_object_bytes: int = 0,
        compress_above: int = 0,
        observation: Observation | None = None,
    ) -> None:
        self.backend = backend
        self.observation = Observation() if observation is None else observation
        self._watch = self.observation.watch
        self._blocking = SyncFacade(backend)
        self._async = AsyncFacade(backend)
        self.ttl = ttl
        self.namespace: Callable[[], str] = namespace or (lambda: "")
        self._generate_id = generate_id or backend.generate_id
        self._may_list = may_list or (lambda: True)
        self._max_object_bytes = max_object_bytes
        self._compress_above = compress_above
        self._number = next(_numbers)

    def cache_key(self, object_id: str) -> str:
        """A name for the caller's object that is unique in this process; objects never change, so it can be cached."""
        return f"{self._number}/{self._key(object_id)}"

    def owner(self) -> str:
        """The namespace of a caller who can be told from others; ``""`` where many share one."""
        return self.namespace() if self._may_list() else ""

    # Storing

    def put(self, value: Any, *, tool: str | None = None, media_type: str | None = None) -> str:
        """Store any value and give its id; see ``coatcheck.codec`` for what it comes back as.

        Args:
            value: Anything; encoding never fails because of a value.
            tool: Name of the tool it came from, for listings.
            media_type: Media type of the value where it is known.

        Raises:
            ObjectTooLarge: The encoded value is over the limit.
            ObjectStoreUnavailable: The backend does not answer.
        """
        return self.keep(codec.encode(value), tool=tool, media_type=media_type).object_id

    async def aput(self, value: Any, *, tool: str | None = None, media_type: str | None = None) -> str:
        """Store any value without holding the event loop; see ``put``."""
        return (await self.akeep(await codec.aencode(value), tool=tool, media_type=media_type)).object_id

    def keep(self, encoded: Encoded, *, tool: str | None = None, media_type: str | None = None) -> StoredObject:
        """Store an encoded value and give the object that it became; raises as ``put`` does."""
        with self._watch(PUT) as watch:
            kept, stored = self._pack(encoded, tool, media_type)
            if self._is_long(kept):
                stored = codec.shrink(kept.metadata, kept.payload) or stored
            watch.carried(len(stored))
            self._blocking.set(self._key(kept.object_id), stored, self._ttl_seconds())
        return kept

    async def akeep(self, encoded: Encoded, *, tool: str | None = None, media_type: str | None = None) -> StoredObject:
        """Store an encoded value and give the object that it became; raises as ``put`` does."""
        with self._watch(PUT) as watch:
            kept, stored = self._pack(encoded, tool, media_type)
            if self._is_long(kept):
                shrunk = await _in_turn(codec.shrink, kept.metadata, kept.payload)
                stored = shrunk or stored
            watch.carried(len(stored))
            await self._async.aset(self._key(kept.object_id), stored, self._ttl_seconds())
        return kept

    # Reading

    def get(self, object_id: str) -> Any | None:
        """Give the value, or ``None`` where nothing is there; ``fetch`` tells a stored ``None`` apart."""
        try:
            return self.fetch(object_id)
        except ObjectNotFound:
            return None

    async def aget(self, object_id: str) -> Any | None:
        """Give the value, or ``None`` where nothing is there."""
        try:
            return await self.afetch(object_id)
        except ObjectNotFound:
            return None

    def fetch(self, object_id: str) -> Any:
        """Give the value.

        Raises:
            ObjectNotFound: Nothing is there for this caller.
            ObjectUnreadable: What is there was stored by somebody else, or by a later version of coatcheck.
            ObjectStoreUnavailable: The backend does not answer.
        """
        return self.read(object_id).value()

    async def afetch(self, object_id: str) -> Any:
        """Give the value; see ``fetch``."""
        return (await self.aread(object_id)).value()

    def read(self, object_id: str) -> StoredObject:
        """Give the object without decoding it; raises as ``fetch`` does."""
        with self._watch(GET) as watch:
            opened = self._open(object_id, self._blocking.get(self._key_of(object_id)), watch)
            return self._expanded(opened)

    async def aread(self, object_id: str) -> StoredObject:
        """Give the object without decoding it; raises as ``fetch`` does."""
        with self._watch(GET) as watch:
            opened = self._open(object_id, await self._async.aget(self._key_of(object_id)), watch)
            if opened.metadata.zstd is None:
                return opened
            arguments = opened.metadata, opened.payload, self._max_object_bytes
            return opened._replace(payload=await _in_turn(codec.expand, *arguments))

    def peek(self, object_id: str, at_most: int = 0) -> StoredObject:
        """Give the object, without its payload (it is empty then) where that has more than ``at_most`` bytes."""
        with self._watch(PEEK) as watch:
            head = self._blocking.peek(self._key_of(object_id), HEAD_BYTES + at_most)
            return self._peeked(object_id, head, at_most, watch)

    async def apeek(self, object_id: str, at_most: int = 0) -> StoredObject:
        """Give the object, without its payload where that is large; see ``peek``."""
        with self._watch(PEEK) as watch:
            head = await self._async.apeek(self._key_of(object_id), HEAD_BYTES + at_most)
            return self._peeked(object_id, head, at_most, watch)

    def metadata(self, object_id: str) -> Metadata:
        """Give what is known of an object, reading its first bytes only; raises as ``fetch`` does."""
        return self.peek(object_id).metadata

    async def ametadata(self, object_id: str) -> Metadata:
        """Give what is known of an object; see ``metadata``."""
        return (await self.apeek(object_id)).metadata

    # Removing, listing, ending

    def delete(self, object_id: str) -> bool:
        """Remove an object; whether there was one."""
        with self._watch(DELETE) as watch:
            removed = is_object_id(object_id) and self._blocking.delete(self._key(object_id))
            if not removed:
                watch.missed()
        return removed

    async def adelete(self, object_id: str) -> bool:
        """Remove an object; whether there was one."""
        with self._watch(DELETE) as watch:
            valid = is_object_id(object_id)
            removed = valid and await self._async.adelete(self._key(object_id))
            if not removed:
                watch.missed()
        return removed

    def list(self) -> Summaries:
        """List the caller's objects, newest first, at most ``LISTED_AT_MOST``.

        Raises:
            ListingUnsupported: The backend cannot list, or this caller may not.
        """
        self._check_listing()
        prefix = self._key("")
        with self._watch(LIST):
            ids = [name for key in self._blocking.scan(prefix) if (name := _id_of(key, prefix))]
            heads = [(name, self._blocking.head(prefix + name, HEAD_BYTES)) for name in ids[:LISTED_AT_MOST]]
        return _newest_first(heads)

    async def alist(self) -> Summaries:
        """List the caller's objects; see ``list``."""
        self._check_listing()
        prefix = self._key("")
        with self._watch(LIST):
            ids = [name async for key in self._async.ascan(prefix) if (name := _id_of(key, prefix))]
            heads = [(name, await self._async.ahead(prefix + name, HEAD_BYTES)) for name in ids[:LISTED_AT_MOST]]
        return _newest_first(heads)

    def ping(self) -> None:
        """Ask the backend for a sign of life; raises ``ObjectStoreUnavailable`` without one."""
        self._blocking.ping()

    async def aping(self) -> None:
        """Ask the backend for a sign of life; see ``ping``."""
        await self._async.aping()

    def close(self) -> None:
        """Close the backend where it can be closed."""
        self._blocking.close()

    async def aclose(self) -> None:
        """Close the backend where it can be closed."""
        await self._async.aclose()

    # What both twins share

    def _key(self, object_id: str) -> str:
        namespace = self.namespace()
        return f"{namespace}:{object_id}" if namespace else object_id

    def _key_of(self, object_id: str) -> str:
        """Give the key to look for; an id that is none ("other:obj_1") reads as missing, and nobody is asked for it."""
        if not is_object_id(object_id):
            raise ObjectNotFound(object_id)
        return self._key(object_id)

    def _ttl_seconds(self) -> float | None:
        return self.ttl if self.ttl > 0 else None

    def _pack(self, encoded: Encoded, tool: str | None, media_type: str | None) -> tuple[StoredObject, bytes]:
        if 0 < self._max_object_bytes < encoded.size:
            raise ObjectTooLarge(encoded.size, self._max_object_bytes)
        created = round(time.time(), 3)
        metadata = Metadata(
            encoded.kind, encoded.size, encoded.type, encoded.length, created, tool, media_type, encoded.careful
        )
        stored = codec.pack(metadata, encoded.content)
        payload = memoryview(stored)[len(stored) - encoded.size :]
        return StoredObject(self._generate_id(), metadata, payload), stored

    def _open(self, object_id: str, stored: bytes | None, watch: Watch) -> StoredObject:
        if stored is None:
            raise ObjectNotFound(object_id)
        watch.carried(len(stored))
        metadata, payload = codec.unpack(stored)
        return StoredObject(object_id, metadata, payload)

    def _peeked(self, object_id: str, head: bytes | None, at_most: int, watch: Watch) -> StoredObject:
        opened = self._open(object_id, head, watch)
        metadata = opened.metadata
        taken = metadata.size if metadata.zstd is None else metadata.zstd
        if metadata.size <= at_most and len(opened.payload) >= taken:
            return self._expanded(opened)
        return opened._replace(payload=memoryview(b""))

    def _is_long(self, kept: StoredObject) -> bool:
        return 0 < self._compress_above < kept.metadata.size

    def _expanded(self, opened: StoredObject) -> StoredObject:
        if opened.metadata.zstd is None:
            return opened
        return opened._replace(payload=codec.expand(opened.metadata, opened.payload, self._max_object_bytes))

    def _check_listing(self) -> None:
        if not self._may_list():
            raise ListingUnsupported(
                "Objects cannot be listed here: without authentication an object's id is its only protection. "
                "Use the ids that previews show."
            )


async def _in_turn(work: Callable[..., Result], metadata: Metadata, *args: Any) -> Result:
    """Call ``work(metadata, …)`` here, or in a worker thread where it takes long."""
    if metadata.size <= COMPRESSED_AT_ONCE:
        return work(metadata, *args)
    return await anyio.to_thread.run_sync(work, metadata, *args)


def _id_of(key: str, prefix: str) -> str | None:
    name = key.removeprefix(prefix)
    return name if is_object_id(name) else None


def _newest_first(heads: Iterable[tuple[str, bytes | None]]) -> Summaries:
    found = []
    for name, head in heads:
        if head is not None:
            with suppress(ObjectUnreadable):  # one of another version hides none of the others
                found.append(ObjectSummary(name, codec.unpack_metadata(head)))
    return sorted(found, key=lambda summary: summary.metadata.created, reverse=True)
