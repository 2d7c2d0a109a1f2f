"""Two ways to the store and the sandbox: blocking, and on the event loop.

The explorer's work is written once, as coroutines over an ``Access``. With ``BlockingAccess`` nothing in them ever
waits for the event loop, so ``complete`` can run them to their end without one.
"""

from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from coatcheck import codec
from coatcheck.codec import Encoded, Metadata, Pieces
from coatcheck.errors import SandboxError
from coatcheck.explorer.operations import Answer
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.store.object_store import ObjectStore, ObjectSummary, StoredObject

T = TypeVar("T")


class Access(Protocol):
    """What the explorer needs of the outside."""

    async def encode(self, value: Any) -> Encoded:
        """Encode any value."""
        ...

    async def decode(self, metadata: Metadata, payload: bytes | memoryview, pieces: Pieces) -> Any:
        """Decode a payload; see ``codec.let_go`` for its pieces."""
        ...

    async def keep(self, encoded: Encoded, tool: str | None) -> StoredObject:
        """Store an encoded value."""
        ...

    async def read(self, object_id: str) -> StoredObject:
        """Read an object."""
        ...

    async def peek(self, object_id: str, at_most: int) -> StoredObject:
        """Read an object, without its payload where that is large."""
        ...

    async def list(self) -> list[ObjectSummary]:
        """List the caller's objects."""
        ...

    async def run(self, operation: str, args: dict[str, Any], object_id: str) -> Answer:
        """Run an operation on an object in the sandbox."""
        ...


class BlockingAccess:
    """Calls that block until they are done."""

    def __init__(self, store: ObjectStore, sandbox: Callable[[], Sandbox]) -> None:
        self.store = store
        self.sandbox = sandbox

    async def encode(self, value: Any) -> Encoded:
        """Encode any value."""
        return codec.encode(value)

    async def decode(self, metadata: Metadata, payload: bytes | memoryview, pieces: Pieces) -> Any:  # noqa: ARG002
        """Decode a payload, in one piece."""
        return codec.decode(metadata, payload)

    async def keep(self, encoded: Encoded, tool: str | None) -> StoredObject:
        """Store an encoded value."""
        return self.store.keep(encoded, tool=tool)

    async def read(self, object_id: str) -> StoredObject:
        """Read an object."""
        return self.store.read(object_id)

    async def peek(self, object_id: str, at_most: int) -> StoredObject:
        """Read an object, without its payload where that is large."""
        return self.store.peek(object_id, at_most)

    async def list(self) -> list[ObjectSummary]:
        """List the caller's objects."""
        return self.store.list()

    async def run(self, operation: str, args: dict[str, Any], object_id: str) -> Answer:
        """Run an operation on an object in the sandbox."""
        with self._told():
            return self.sandbox().run(operation, args, **_task(self.store, object_id))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Let who watches the store know of work that was stopped."""
        try:
            yield
        except SandboxError as error:
            self.store.observation.sandbox_stopped(error)
            raise


class AsyncAccess(BlockingAccess):
    """Calls that leave the event loop free while they wait."""

    async def encode(self, value: Any) -> Encoded:
        """Encode any value."""
        return await codec.aencode(value)

    async def decode(self, metadata: Metadata, payload: bytes | memoryview, pieces: Pieces) -> Any:
        """Decode a payload; see ``codec.let_go`` for its pieces."""
        return await codec.adecode(metadata, payload, pieces)

    async def keep(self, encoded: Encoded, tool: str | None) -> StoredObject:
        """Store an encoded value."""
        return await self.store.akeep(encoded, tool=tool)

    async def read(self, object_id: str) -> StoredObject:
        """Read an object."""
        return await self.store.aread(object_id)

    async def peek(self, object_id: str, at_most: int) -> StoredObject:
        """Read an object, without its payload where that is large."""
        return await self.store.apeek(object_id, at_most)

    async def list(self) -> list[ObjectSummary]:
        """List the caller's objects."""
        return await self.store.alist()

    async def run(self, operation: str, args: dict[str, Any], object_id: str) -> Answer:
        """Run an operation on an object in the sandbox."""
        with self._told():
            return await self.sandbox().arun(operation, args, **_task(self.store, object_id))


def _task(store: ObjectStore, object_id: str) -> dict[str, Any]:
    def load() -> tuple[codec.Metadata, bytes | memoryview]:
        stored = store.read(object_id)
        return stored.metadata, stored.payload

    # Where all callers share a namespace, one's filter on an object must not make another wait for a different one.
    return {"key": store.cache_key(object_id), "namespace": store.owner() or object_id, "load": load}


def complete(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits to its end."""
    try:
        work.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    work.close()
    raise RuntimeError("This coroutine waits for an event loop and cannot run without one.")
