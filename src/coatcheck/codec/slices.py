"""Encode and decode a large value on the event loop, so that nothing else there waits for it."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from coatcheck.codec.careful import Spliced
from coatcheck.codec.decoding import decode, load_exactly, load_json
from coatcheck.codec.encoding import Encoded, describe_payload, describe_result, dump_json, encode
from coatcheck.codec.envelope import Metadata, Parcel
from coatcheck.codec.results import ToolResult
from coatcheck.codec.slicing import SLICE_PARTS, TEXT_CHARACTERS, NeedsCare, Slicer
from coatcheck.codec.weighing import is_small, parts_of
from coatcheck.codec.windows import Load, Windows

PAUSE_AFTER = 0.003
"""Seconds of work after which the event loop gets its turns."""

TURNS = 6
"""Turns that it gets: a call that another has to wait for is a dozen of small steps, each of which takes a turn."""

BUSY_AFTER = 0.0003
"""Seconds that its turns take where there is nobody to have them, and some more."""

REST = 0.001
"""Seconds without work of ours, where others are busy and now and then. Their steps are many, and some are in threads,
which get the interpreter only while the loop rests: the SDK reads and writes its pipes there."""

REST_AFTER = 0.010
"""Seconds of work after which it rests, although nobody on the loop is busy: a thread may be waiting."""

DECODED_AT_ONCE = 1024 * 1024
"""Bytes of JSON that are decoded in one go; some 8 ms of work."""


async def aencode(value: Any) -> Encoded:
    """Encode any value exactly like ``encode``, giving the event loop its turn every few milliseconds.

    Lists, tuples, dicts and the texts in them are encoded in slices. An object of another class (a pydantic model, a
    dataclass) is encoded in one go, and so is a single text that is much longer than what stands around it.
    """
    root = value.result if isinstance(value, ToolResult) else value
    if isinstance(root, str) or is_small(root) or parts_of(root, SLICE_PARTS) is not None:
        return encode(value)
    careful = False
    try:
        try:
            parcel = await _collect(Slicer(careful=False), root)
        except NeedsCare:
            careful = True
            parcel = await _collect(Slicer(careful=True), root)
    except RuntimeError:  # a dict that somebody changes meanwhile; in one go nobody can
        return encode(value)
    if isinstance(value, ToolResult):
        return describe_result(root, parcel, careful=careful)
    return describe_payload(value, parcel, careful=careful)


class _Manners:
    """Says when one who works on the event loop has to let others work."""

    def __init__(self) -> None:
        self._started = self._rested = perf_counter()

    async def pause(self) -> None:
        """Let others work, if it is time."""
        now = perf_counter()
        if now - self._started < PAUSE_AFTER:
            return
        for _ in range(TURNS):
            await checkpoint()
        after = perf_counter()
        if after - now > BUSY_AFTER or after - self._rested > REST_AFTER:
            await anyio.sleep(REST)
            self._rested = after = perf_counter()
        self._started = after


async def _collect(slicer: Slicer, value: Any) -> Parcel:
    parcel = Parcel()
    manners = _Manners()
    for piece in slicer.encode(value):
        parcel.write(piece)
        await manners.pause()
    return parcel


async def adecode(metadata: Metadata, payload: bytes | memoryview) -> Any:
    """Decode a payload exactly like ``decode``, giving the event loop its turn every few milliseconds.

    JSON is decoded in windows. A tool result is decoded in one go: let a worker say what its value is.

    Raises:
        ValueError: The payload is not what its metadata says.
    """
    if metadata.kind != "json" or len(payload) <= DECODED_AT_ONCE:
        return decode(metadata, payload)
    return await _read(bytes(payload), load_exactly if metadata.careful else load_json)


async def aload_json(text: bytes) -> Any:
    """Decode JSON exactly like ``load_json``, giving the event loop its turn every few milliseconds.

    Raises:
        ValueError: The text is no JSON.
    """
    return load_json(text) if len(text) <= DECODED_AT_ONCE else await _read(text, load_json)


async def _read(text: bytes, load: Load) -> Any:
    reading = Windows(text, load).read()
    manners = _Manners()
    while True:
        try:
            with _without_collector():
                next(reading)
        except StopIteration as end:
            return end.value
        except ValueError:
            return load(text)
        await manners.pause()


async def is_json(text: bytes) -> bool:
    """Whether a text is JSON on one line, found out without keeping what it says."""
    if b"\n" in text or b"\r" in text:
        return False
    try:
        await _read(text, _checked)
    except ValueError:
        return False
    return True


@contextmanager
def _without_collector() -> Iterator[None]:
    """Make many objects, none of them in a cycle, without the interpreter's looking for cycles after every few."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _checked(piece: bytes) -> Any:
    value = load_json(piece)
    return type(value)() if isinstance(value, (list, dict)) else value


async def splice_text(text: str) -> Spliced:
    """Give a text as JSON that is ready for its place, however long it is."""
    if len(text) <= TEXT_CHARACTERS:
        return Spliced(dump_json(text))
    try:
        parcel = await _collect(Slicer(careful=False), text)
    except NeedsCare:
        parcel = await _collect(Slicer(careful=True), text)
    return Spliced(parcel.payload())
