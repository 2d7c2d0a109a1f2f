"""Encode a large value on the event loop, so that nothing else there waits for it."""

from time import perf_counter
from typing import Any

from anyio.lowlevel import checkpoint

from coatcheck.codec.encoding import Encoded, describe_payload, describe_result, encode
from coatcheck.codec.envelope import Parcel
from coatcheck.codec.results import ToolResult
from coatcheck.codec.slicing import SLICE_PARTS, NeedsCare, Slicer
from coatcheck.codec.weighing import parts_of

PAUSE_AFTER = 0.004
"""Seconds of work after which the event loop gets its turn."""


async def aencode(value: Any) -> Encoded:
    """Encode any value exactly like ``encode``, giving the event loop its turn every few milliseconds.

    Lists, tuples, dicts and the texts in them are encoded in slices. An object of another class (a pydantic model, a
    dataclass) is encoded in one go, and so is a single text that is much longer than what stands around it.
    """
    root = value.result if isinstance(value, ToolResult) else value
    if isinstance(root, str) or parts_of(root, SLICE_PARTS) is not None:
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


async def _collect(slicer: Slicer, value: Any) -> Parcel:
    parcel = Parcel()
    started = perf_counter()
    for piece in slicer.encode(value):
        parcel.write(piece)
        if perf_counter() - started > PAUSE_AFTER:
            await checkpoint()
            started = perf_counter()
    return parcel
