"""Encodes and decodes large values on the event loop without blocking it."""

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from coatcheck.codec.characters import well_formed
from coatcheck.codec.chunked.decoder import ChunkedDecoder, Chunks, Load
from coatcheck.codec.chunked.encoder import CHUNK_PARTS, TEXT_CHARACTERS, ChunkedEncoder, NeedsFallback
from coatcheck.codec.chunked.size_estimate import is_small, parts_of
from coatcheck.codec.chunked.yield_budget import YieldBudget
from coatcheck.codec.decoding import decode
from coatcheck.codec.encoding import Encoded, describe_payload, describe_result, dump_json, dump_line, encode
from coatcheck.codec.envelope import Metadata, PayloadBuffer
from coatcheck.codec.exact_json import load_exactly, load_json
from coatcheck.codec.json_encoders import Spliced, is_deeper
from coatcheck.codec.tool_results import ToolResult
from coatcheck.errors import ObjectUnreadable

T = TypeVar("T")
R = TypeVar("R")

DECODED_AT_ONCE = 1024 * 1024
"""Bytes of JSON that are decoded in one step, in some 8 ms."""


async def aencode(value: Any) -> Encoded:
    """Encode any value exactly like ``encode``, yielding to the event loop every few milliseconds.

    Lists, tuples, dicts and their strings are encoded in chunks. An object of another class (a pydantic model, a
    dataclass) is encoded in one step, and so is a single string that dominates the value.
    """
    root = value.result if isinstance(value, ToolResult) else value
    if isinstance(root, str) or is_small(root) or parts_of(root, CHUNK_PARTS) is not None:
        return encode(value)
    careful = False
    try:
        try:
            buffer = await _collect(ChunkedEncoder(fallback=False), root)
        except NeedsFallback:
            careful = True
            buffer = await _collect(ChunkedEncoder(fallback=True), root)
    except RuntimeError:  # a dict that was modified meanwhile, which is impossible in one step
        return encode(value)
    if isinstance(value, ToolResult):
        return describe_result(root, buffer, careful=careful)
    return describe_payload(value, buffer, careful=careful)


async def _collect(slicer: ChunkedEncoder, value: Any) -> PayloadBuffer:
    buffer = PayloadBuffer()
    yield_budget = YieldBudget()
    for piece in slicer.encode(value):
        buffer.write(piece)
        if yield_budget.should_yield():
            await yield_budget.pause()
    return buffer


async def adump_line(value: Any) -> bytes:
    """Encode any value exactly like ``dump_line``, yielding to the event loop every few milliseconds."""
    if parts_of(value, CHUNK_PARTS) is not None:
        return dump_line(value)
    pieces: list[bytes | memoryview] = []
    yield_budget = YieldBudget()
    try:
        for piece in ChunkedEncoder(fallback=False).encode(value):
            pieces.append(piece)
            if yield_budget.should_yield():
                await yield_budget.pause()
    except (NeedsFallback, RuntimeError):
        return dump_line(value)
    return b"".join((*pieces, b"\n"))


async def adecode(metadata: Metadata, payload: bytes | memoryview, chunks: Chunks | None = None) -> Any:
    """Decode a payload like ``decode``, yielding to the event loop; ``chunks`` gets its chunks, for ``free_chunks``.

    JSON is decoded in chunks. A tool result is decoded in one step, so its value should be computed by a worker.

    Raises:
        ObjectUnreadable: The payload does not match its metadata.
    """
    if metadata.kind != "json" or len(payload) <= DECODED_AT_ONCE:
        return decode(metadata, payload)
    text, start = _bytes_and_offset(payload)
    try:
        return await _read(text, load_exactly if metadata.careful else load_json, start, chunks)
    except ValueError as error:
        raise ObjectUnreadable from error


async def aload_json(text: bytes, chunks: Chunks | None = None) -> Any:
    """Decode JSON like ``load_json``, yielding to the event loop; ``chunks`` gets its chunks, for ``free_chunks``.

    Raises:
        ValueError: The text is not JSON.
    """
    return load_json(text) if len(text) <= DECODED_AT_ONCE else await _read(text, load_json, chunks=chunks)


async def amap(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Apply a function to each of many items, yielding to the event loop every few milliseconds."""
    results: list[R] = []
    yield_budget, remaining = YieldBudget(), iter(items)
    while True:
        with _without_collector():
            for item in remaining:
                results.append(function(item))
                if yield_budget.should_yield():
                    break
            else:
                return results
        await yield_budget.pause()


async def free_chunks(chunks: Chunks) -> None:
    """Free a decoded value that is no longer needed, chunk by chunk.

    Freeing 300,000 rows at once blocks the event loop for some 30 ms. A caller with references to the chunks frees them
    one by one after it has dropped the value. Parts that are still in use are not affected; parts that a function has
    dropped early stay until then.
    """
    yield_budget = YieldBudget()
    while chunks:
        chunks.pop()
        if yield_budget.should_yield():
            await yield_budget.pause()


def _bytes_and_offset(payload: bytes | memoryview) -> tuple[bytes, int]:
    """Return bytes that end with a payload, and its start, to avoid a copy: one of 26 MB takes up to 20 ms."""
    whole = payload.obj if isinstance(payload, memoryview) else payload
    if isinstance(whole, bytes) and whole.endswith(payload):
        return whole, len(whole) - len(payload)
    return bytes(payload), 0


async def _read(text: bytes, load: Load, start: int = 0, chunks: Chunks | None = None) -> Any:
    reading = ChunkedDecoder(text, load, start=start, chunks=chunks).read()
    yield_budget = YieldBudget()
    while True:
        try:
            with _without_collector():
                next(reading)
                while not yield_budget.should_yield():
                    next(reading)
        except StopIteration as end:
            return end.value
        except ValueError:
            if chunks:
                chunks.clear()
            return load(text[start:])
        await yield_budget.pause()


async def is_json(payload: bytes | memoryview, *, is_line: bool = False) -> bool:
    """Whether a payload is JSON on one line, without keeping the decoded value; an ``is_line`` may have its newline."""
    return await _is_json(payload, _checked, is_line=is_line)


async def is_strict_json(payload: bytes | memoryview) -> bool:
    """As ``is_json``, and whether it is not nested deeper than clients read."""
    return await _is_json(payload, _checked_with_depth)


async def _is_json(payload: bytes | memoryview, load: Load, *, is_line: bool = False) -> bool:
    text, start = _bytes_and_offset(payload)
    if text.find(b"\n", start, len(text) - is_line) >= 0 or text.find(b"\r", start) >= 0:
        return False
    try:
        await _read(text, load, start)
    except ValueError:
        return False
    return True


@contextmanager
def _without_collector() -> Iterator[None]:
    """Disable garbage collection while many objects without cycles are created."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _checked(piece: bytes) -> Any:
    value = load_json(piece)
    return type(value)() if isinstance(value, (list, dict, str)) else value


def _checked_with_depth(piece: bytes) -> Any:
    value = load_json(piece)
    if isinstance(value, (list, dict)) and is_deeper(value):
        raise ValueError("This JSON is nested too deeply.")
    return type(value)() if isinstance(value, (list, dict, str)) else value


async def splice_text(text: str) -> Spliced:
    """Encode a text of any length as JSON that is inserted as it is; lone surrogates become ``U+FFFD``."""
    text = well_formed(text)
    if len(text) <= TEXT_CHARACTERS:
        return Spliced(dump_json(text))
    return Spliced((await _collect(ChunkedEncoder(fallback=False), text)).view())
