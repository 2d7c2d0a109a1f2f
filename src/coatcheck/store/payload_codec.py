"""Transforms payloads between store and backend: compression, and a codec of the host."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import anyio.to_thread

from coatcheck import codec
from coatcheck.codec import Metadata
from coatcheck.errors import ObjectStoreUnavailable, ObjectUnreadable, WiringError, excerpt, quoted_name
from coatcheck.store.call_mode import CallMode

WORKED_ON_AT_ONCE = 256 * 1024
"""Bytes up to which a payload is transformed on the event loop; compressing them takes less than a millisecond."""

T = TypeVar("T")


@runtime_checkable
class Codec(Protocol):
    """Transforms payloads on their way to a backend and back, for example to encrypt them.

    The metadata of an object stays readable: its type, size and time, the name of its codec, and the name of its tool.
    Descriptions for listings, which quote values, are not stored. Large payloads are transformed in worker threads,
    several at a time.

    Attributes:
        name: Is stored with each object, so that a store with another codec, or without one, refuses to read it: at
            most 40 letters, digits, ``-``, ``_`` or ``.``.
    """

    name: str

    def encode(self, payload: bytes, /) -> bytes:
        """Return the bytes to store; if this fails, the object is not stored."""
        ...

    def decode(self, payload: bytes, /) -> bytes:
        """Return the payload; if this fails, the object is unreadable."""
        ...


class PayloadChanges:
    """Compresses payloads and applies a codec, and reverts both.

    ``compress_above`` and ``most`` are bytes; 0 for never, and for no limit.

    Raises:
        WiringError: The codec lacks a method or a valid name.
    """

    def __init__(self, compress_above: int, most: int, applied: Codec | None) -> None:
        self._compress_above = compress_above
        self._most = most
        self._codec = applied
        if applied is not None:
            _check(applied)

    def applies_to(self, size: int) -> bool:
        """Whether a payload of ``size`` bytes is transformed before it is stored."""
        return self._codec is not None or 0 < self._compress_above < size

    async def apply(self, mode: CallMode, metadata: Metadata, payload: memoryview) -> bytes | None:
        """Return the bytes to store, metadata included; ``None`` if they are unchanged."""
        return await _sized(mode, self._apply, metadata, payload)

    async def undo(self, mode: CallMode, metadata: Metadata, payload: memoryview) -> memoryview:
        """Return the original payload.

        Raises:
            ObjectUnreadable: It has another codec, or does not match its metadata.
            MissingExtra: It is compressed, and zstd is not installed.
        """
        return await _sized(mode, self._undo, metadata, payload)

    def _apply(self, metadata: Metadata, payload: memoryview) -> bytes | None:
        kept: bytes | memoryview = payload
        if 0 < self._compress_above < metadata.size:
            smaller = codec.compress(payload)
            if smaller is not None:
                kept, metadata = smaller, metadata._replace(zstd=len(smaller))
        if self._codec is not None:
            try:
                kept = bytes(self._codec.encode(bytes(kept)))
            except Exception as error:
                raise ObjectStoreUnavailable(
                    f"The codec {self._codec.name} failed ({type(error).__name__})."
                ) from error
            metadata = metadata._replace(codec=self._codec.name, about=None)  # it quotes the value
        return None if kept is payload else codec.pack(metadata, bytes(kept))

    def _undo(self, metadata: Metadata, payload: memoryview) -> memoryview:
        if metadata.codec is not None:
            payload = memoryview(self._decoded(metadata.codec, payload))
            if metadata.zstd is None and len(payload) != metadata.size:
                raise ObjectUnreadable("This object's codec gave another payload than its metadata says.")
        return payload if metadata.zstd is None else codec.decompress(metadata, payload, self._most)

    def _decoded(self, name: str, payload: memoryview) -> bytes:
        if self._codec is None or self._codec.name != name:
            has = "none" if self._codec is None else self._codec.name
            raise ObjectUnreadable(
                f"This object was stored with the codec {quoted_name(name)}, and this store has {has}: "
                "pass it the same one, Container(codec=…)."
            )
        try:
            return bytes(self._codec.decode(bytes(payload)))
        except Exception as error:
            raise ObjectUnreadable(
                f"The codec {name} cannot read this object ({type(error).__name__}): it may have had another key."
            ) from error


def _check(applied: Codec) -> None:
    lacks = [name for name in ("encode", "decode") if not callable(getattr(applied, name, None))]
    if lacks:
        raise WiringError(f"The codec {type(applied).__name__} lacks {' and '.join(lacks)}; see Codec.")
    name = getattr(applied, "name", None)
    if not isinstance(name, str) or not codec.CODEC_NAME.fullmatch(name):
        raise WiringError(
            f"The codec {type(applied).__name__} needs a name of at most 40 letters, digits, -, _ or ., "
            f"not {excerpt(repr(name))}."
        )


async def _sized(mode: CallMode, work: Callable[..., T], metadata: Metadata, payload: memoryview) -> T:
    """Call ``work(metadata, payload)``; in a worker thread for a large payload on an event loop."""
    if metadata.size <= WORKED_ON_AT_ONCE:
        return work(metadata, payload)
    return await mode.call(work, _in_thread(work), metadata, payload)


def _in_thread(work: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    async def run(*args: Any) -> T:
        return await anyio.to_thread.run_sync(work, *args)

    return run
