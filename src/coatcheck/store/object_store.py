"""The object store: stores values under generated ids, in the namespace of each caller."""

import math
import time
from collections.abc import Callable
from typing import Any, TypeAlias

from coatcheck import codec
from coatcheck.backends import Backend, ObjectStoreBackend
from coatcheck.codec import HEAD_BYTES, Encoded, Metadata
from coatcheck.errors import (
    ListingUnsupported,
    ObjectNotFound,
    ObjectTooLarge,
    SandboxError,
    WiringError,
    excerpt,
    require_numbers,
)
from coatcheck.references import is_object_id
from coatcheck.store.backend_source import BackendLike, BackendSource
from coatcheck.store.call_mode import ASYNC, BLOCKING, CallMode, run_blocking
from coatcheck.store.events import DELETE, GET, LIST, PEEK, PUT, Observation, Watch
from coatcheck.store.payload_codec import Codec, PayloadChanges
from coatcheck.store.stored_object import ObjectSummary, StoredObject, newest_first, refuse_reference

DEFAULT_TTL = 3600.0
LISTED_AT_MOST = 1000

# The store has a method named list, which shadows the type in its annotations.
Summaries: TypeAlias = list[ObjectSummary]
Keys: TypeAlias = list[str]


class ObjectStore:
    """Stores values in a backend under generated ids.

    Args:
        backend: A backend, or a provider of one (``container.backend``), whose overrides take effect at the next
            operation.
        ttl: Lifetime of an object in seconds, fractions included; with zero or less, objects do not expire.
        namespace: Called at every operation for the caller's namespace; by default the only namespace is ``""``. An
            object of one namespace does not exist in another.
        generate_id: Generates ids instead of the backend.
        may_list: Called at every listing: whether this caller may list.
        max_object_bytes: Largest encoded value in bytes; 0 for no limit.
        compress_above: Bytes above which an encoded value is compressed, if that makes it smaller; 0 for never.
        codec: Transforms the stored bytes, for example to encrypt them.
        observation: Receives events for metrics and tracing.

    Attributes:
        ttl: Lifetime of an object in seconds.
        namespace: Returns the caller's namespace.
        observation: Receives events for metrics and tracing.

    Every method has an asynchronous form, with an ``a`` before its name. An ``object_id`` is written without ``@`` and
    path: ``obj_001``. `Explorer.resolve` takes references.

    Raises:
        TypeError: ``ttl`` or a limit is not a number, or ``namespace`` is not a function.
        ValueError: A limit is negative, or ``ttl`` is not finite.
        WiringError: ``backend`` or ``codec`` lacks methods.
    """

    def __init__(
        self,
        backend: BackendLike,
        ttl: float = DEFAULT_TTL,
        *,
        namespace: Callable[[], str] | None = None,
        generate_id: Callable[[], str] | None = None,
        may_list: Callable[[], bool] | None = None,
        max_object_bytes: int = 0,
        compress_above: int = 0,
        codec: Codec | None = None,
        observation: Observation | None = None,
    ) -> None:
        if namespace is not None and not callable(namespace):
            raise TypeError(f"namespace must be a function that returns a text, not {type(namespace).__name__}.")
        require_numbers("ObjectStore", -math.inf, whole=False, ttl=ttl)
        require_numbers("ObjectStore", max_object_bytes=max_object_bytes, compress_above=compress_above)
        self.observation = Observation() if observation is None else observation
        self._watch = self.observation.watch
        self._backends = BackendSource(backend)
        self.ttl = ttl
        self.namespace: Callable[[], str] = namespace or (lambda: "")
        self._generate_id = generate_id
        self._may_list = may_list or (lambda: True)
        self._max_object_bytes = max_object_bytes
        self._changes = PayloadChanges(compress_above, max_object_bytes, codec)

    @property
    def backend(self) -> ObjectStoreBackend:
        """The backend that stores the bytes."""
        return self._backends.now().given

    @property
    def is_shared(self) -> bool:
        """Whether ``coatcheck objects`` can read the objects."""
        return self._backend.shared

    @property
    def _backend(self) -> Backend:
        return self._backends.now().backend

    def cache_key(self, object_id: str) -> str:
        """A cache key for the caller's object, unique in this process; objects never change."""
        return f"{self._backends.now().number}/{self._key(object_id)}"

    def owner(self) -> str:
        """The caller's namespace, if it is the caller's alone; ``""`` if many callers share it."""
        return self.namespace() if self._may_list() else ""

    # Storing

    def put(self, value: Any, *, tool: str | None = None, media_type: str | None = None) -> str:
        """Store any value and return its id; see ``coatcheck.codec`` for the form in which it is returned.

        Args:
            value: Any value; encoding never fails because of a value.
            tool: Name of the tool it came from, for listings.
            media_type: Media type of the value where it is known.

        Raises:
            ObjectTooLarge: The encoded value is over the limit.
            ObjectStoreUnavailable: The backend is unavailable.
        """
        return run_blocking(self._put(BLOCKING, codec.encode(value), tool, media_type)).object_id

    async def aput(self, value: Any, *, tool: str | None = None, media_type: str | None = None) -> str:
        """As ``put``, without blocking the event loop."""
        encoded = await codec.aencode(value)
        return (await self._put(ASYNC, encoded, tool, media_type)).object_id

    def reserve(self, size: int) -> str:
        """Return the id for an encoded value of this size in bytes; raises ``ObjectTooLarge``."""
        if 0 < self._max_object_bytes < size:
            raise ObjectTooLarge(size, self._max_object_bytes)
        object_id = (self._generate_id or self._backends.now().backend.generate_id)()
        if not isinstance(object_id, str) or not is_object_id(object_id):
            raise WiringError(
                f"generate_id returned {excerpt(repr(object_id))}; an id is obj_ and then letters, digits, _ or -."
            )
        return object_id

    def put_encoded(
        self,
        encoded: Encoded,
        *,
        tool: str | None = None,
        media_type: str | None = None,
        object_id: str | None = None,
        about: str | None = None,
    ) -> StoredObject:
        """Store an encoded value and return the stored object.

        Args:
            encoded: The value, encoded by ``coatcheck.codec``.
            tool: As for ``put``.
            media_type: As for ``put``.
            object_id: An id from ``reserve``.
            about: A description of the value for listings, at most 120 characters; words of the value are quoted in it.

        Raises:
            ObjectTooLarge: The encoded value is over the limit.
            ObjectStoreUnavailable: The backend is unavailable.
        """
        return run_blocking(self._put(BLOCKING, encoded, tool, media_type, object_id, about))

    async def aput_encoded(
        self,
        encoded: Encoded,
        *,
        tool: str | None = None,
        media_type: str | None = None,
        object_id: str | None = None,
        about: str | None = None,
    ) -> StoredObject:
        """As ``put_encoded``."""
        return await self._put(ASYNC, encoded, tool, media_type, object_id, about)

    async def _put(
        self,
        mode: CallMode,
        encoded: Encoded,
        tool: str | None = None,
        media_type: str | None = None,
        object_id: str | None = None,
        about: str | None = None,
    ) -> StoredObject:
        with self._watch(PUT) as watch:
            object_id = object_id or self.reserve(encoded.size)
            stored_object, stored = self._pack(object_id, encoded, tool, media_type, about)
            if self._changes.applies_to(encoded.size):
                stored = await self._changes.apply(mode, stored_object.metadata, stored_object.payload) or stored
            watch.record_bytes(len(stored))
            backend, key, ttl = self._backends.now().backend, self._key(object_id), self.ttl if self.ttl > 0 else None
            if mode is BLOCKING:  # as `mode.call` does, without its 0.3 µs
                backend.set(key, stored, ttl)
            else:
                await backend.aset(key, stored, ttl)
        return stored_object

    # Reading

    def get(self, object_id: str) -> Any | None:
        """Return the value, or ``None`` if there is none; ``fetch`` distinguishes a stored ``None``."""
        try:
            return run_blocking(self._read(BLOCKING, object_id)).value()
        except ObjectNotFound:
            return None

    async def aget(self, object_id: str) -> Any | None:
        """As ``get``."""
        try:
            return (await self._read(ASYNC, object_id)).value()
        except ObjectNotFound:
            return None

    def fetch(self, object_id: str) -> Any:
        """Return the value.

        Raises:
            ObjectNotFound: There is no such object for this caller.
            ObjectUnreadable: It was stored by another program, or by a later version of coatcheck.
            ObjectStoreUnavailable: The backend is unavailable.
        """
        return self.read(object_id).value()

    async def afetch(self, object_id: str) -> Any:
        """As ``fetch``."""
        return (await self._read(ASYNC, object_id)).value()

    def read(self, object_id: str) -> StoredObject:
        """Return the object without decoding it; raises as ``fetch`` does."""
        return run_blocking(self._read(BLOCKING, object_id))

    async def aread(self, object_id: str) -> StoredObject:
        """As ``read``."""
        return await self._read(ASYNC, object_id)

    async def _read(self, mode: CallMode, object_id: str) -> StoredObject:
        with self._watch(GET) as watch:
            backend, key = self._backends.now().backend, self._key_of(object_id)
            # As `mode.call` does, without its 0.3 µs.
            stored = backend.get(key) if mode is BLOCKING else await backend.aget(key)
            found = self._unpacked(object_id, stored, watch)
            return found if found.metadata.is_plain else await self._restored(mode, found)

    def peek(self, object_id: str, at_most: int = 0) -> StoredObject:
        """Return the object; its payload is left empty if it has more than ``at_most`` bytes."""
        return run_blocking(self._peek(BLOCKING, object_id, at_most))

    async def apeek(self, object_id: str, at_most: int = 0) -> StoredObject:
        """As ``peek``."""
        return await self._peek(ASYNC, object_id, at_most)

    async def _peek(self, mode: CallMode, object_id: str, at_most: int) -> StoredObject:
        with self._watch(PEEK) as watch:
            backend = self._backend
            head = await mode.call(backend.peek, backend.apeek, self._key_of(object_id), HEAD_BYTES + at_most)
            found = self._unpacked(object_id, head, watch)
            metadata = found.metadata
            taken = metadata.size if metadata.zstd is None else metadata.zstd
            if metadata.size > at_most or (metadata.codec is None and len(found.payload) < taken):
                return found._replace(payload=memoryview(b""))
            if metadata.is_plain:
                return found
            if metadata.codec is None:
                return await self._restored(mode, found)
        return await self._read(mode, object_id)  # a codec may have made it longer than what was requested

    async def _restored(self, mode: CallMode, found: StoredObject) -> StoredObject:
        return found._replace(payload=await self._changes.undo(mode, found.metadata, found.payload))

    def metadata(self, object_id: str) -> Metadata:
        """Return the metadata of an object, reading only its first bytes; raises as ``fetch`` does."""
        return self.peek(object_id).metadata

    async def ametadata(self, object_id: str) -> Metadata:
        """As ``metadata``."""
        return (await self.apeek(object_id)).metadata

    # Removing, listing, closing

    def delete(self, object_id: str) -> bool:
        """Delete an object; return whether it existed."""
        return run_blocking(self._delete(BLOCKING, object_id))

    async def adelete(self, object_id: str) -> bool:
        """As ``delete``."""
        return await self._delete(ASYNC, object_id)

    async def _delete(self, mode: CallMode, object_id: str) -> bool:
        with self._watch(DELETE) as watch:
            backend = self._backend
            refuse_reference(object_id)
            removed = is_object_id(object_id) and await mode.call(backend.delete, backend.adelete, self._key(object_id))
            if not removed:
                watch.record_miss()
        return removed

    def list(self) -> Summaries:
        """List the caller's objects, newest first, at most ``LISTED_AT_MOST``.

        Raises:
            ListingUnsupported: The backend cannot list, or this caller may not.
        """
        return run_blocking(self._list(BLOCKING))

    async def alist(self) -> Summaries:
        """As ``list``."""
        return await self._list(ASYNC)

    async def _list(self, mode: CallMode) -> Summaries:
        if not self._may_list():
            raise ListingUnsupported(
                "Objects cannot be listed here: without authentication an object's id is its only protection. "
                "Use the ids that previews show."
            )
        prefix, backend = self._key(""), self._backend
        with self._watch(LIST):
            keys = await mode.call(self._scan, self._ascan, prefix)
            ids = [name for key in keys if is_object_id(name := key.removeprefix(prefix))][:LISTED_AT_MOST]
            heads = [(name, await mode.call(backend.head, backend.ahead, prefix + name, HEAD_BYTES)) for name in ids]
        return newest_first(heads)

    def _scan(self, prefix: str) -> Keys:
        return [*self._backend.scan(prefix)]

    async def _ascan(self, prefix: str) -> Keys:
        return [key async for key in self._backend.ascan(prefix)]

    def ping(self) -> None:
        """Check whether the backend is available; raises ``ObjectStoreUnavailable`` if not."""
        self._backend.ping()

    async def aping(self) -> None:
        """As ``ping``."""
        await self._backend.aping()

    def close(self) -> None:
        """Close the backend."""
        self._backend.close()

    async def aclose(self) -> None:
        """As ``close``."""
        await self._backend.aclose()

    # Events

    def record_result(
        self, tool: str | None, *, reference: str | None, characters: int, shown: int, server: str = ""
    ) -> None:
        """Record that a result was replaced by ``shown`` characters; see ``Observation.tool_result``."""
        self.observation.tool_result(tool, reference=reference, characters=characters, shown=shown, server=server)

    def record_sandbox_stop(self, error: SandboxError) -> None:
        """Record that work in the sandbox was stopped."""
        self.observation.sandbox_stopped(error)

    # Keys and envelopes

    def _key(self, object_id: str) -> str:
        namespace = self.namespace()
        if not isinstance(namespace, str):  # None for unknown callers would be a namespace that they all share
            raise WiringError(
                f"The function for the namespace returned {type(namespace).__name__}; it must return a text, and raise "
                "an error for a caller who may not use the store."
            )
        return f"{namespace}:{object_id}" if namespace else object_id

    def _key_of(self, object_id: str) -> str:
        """Return the key of an object; text that is not an id ("other:obj_1") never reaches the backend."""
        if not is_object_id(object_id):
            refuse_reference(object_id)
            raise ObjectNotFound(object_id)
        return self._key(object_id)

    def _pack(
        self, object_id: str, encoded: Encoded, tool: str | None, media_type: str | None, about: str | None
    ) -> tuple[StoredObject, bytes]:
        kind, size, length, created = encoded.kind, encoded.size, encoded.length, round(time.time(), 6)
        metadata = Metadata(kind, size, encoded.type, length, created, tool, media_type, encoded.careful, about=about)
        stored = codec.pack(metadata, encoded.content)
        payload = memoryview(stored)[len(stored) - size :]
        return StoredObject(object_id, metadata, payload), stored

    def _unpacked(self, object_id: str, stored: bytes | None, watch: Watch) -> StoredObject:
        if stored is None:
            raise ObjectNotFound(object_id)
        watch.record_bytes(len(stored))
        metadata, payload = codec.unpack(stored)
        return StoredObject(object_id, metadata, payload)
