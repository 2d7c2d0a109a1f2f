"""The frames that go through a worker's pipes: a JSON header and raw bytes, never a pickle.

    frame = length of the header (4 bytes) | length of the body (8 bytes) | header | body        big-endian

The header is plain ASCII JSON, so that text with lone surrogates passes unchanged. Whoever reads a frame gives the
largest lengths it takes: neither side trusts the other.
"""

import json
import struct
from typing import Any

PREFIX = struct.Struct("!IQ")
MAX_HEADER_BYTES = 1024 * 1024


class FrameError(Exception):
    """Bytes that are no frame, or a frame that is larger than its reader takes."""


class BodyTooLarge(FrameError):
    """A frame whose body is larger than its reader takes."""


def frame_head(header: dict[str, Any], body_bytes: int) -> bytes:
    """Give the first bytes of a frame; ``body_bytes`` bytes must follow.

    Raises:
        FrameError: The header is too large.
    """
    encoded = json.dumps(header, separators=(",", ":")).encode("ascii")
    if len(encoded) > MAX_HEADER_BYTES:
        raise FrameError(f"a header of {len(encoded):,} bytes")
    return PREFIX.pack(len(encoded), body_bytes) + encoded


def read_prefix(prefix: bytes, max_body_bytes: int) -> tuple[int, int]:
    """Give the lengths of header and body.

    Raises:
        FrameError: One of them is too large.
    """
    header_bytes, body_bytes = PREFIX.unpack(prefix)
    if header_bytes > MAX_HEADER_BYTES:
        raise FrameError("a header that is too large")
    if body_bytes > max_body_bytes:
        raise BodyTooLarge(f"a body of {body_bytes:,} bytes")
    return header_bytes, body_bytes


def read_header(encoded: bytes) -> dict[str, Any]:
    """Decode a header.

    Raises:
        FrameError: It is no JSON object.
    """
    try:
        header = json.loads(encoded)
    except (ValueError, RecursionError) as error:
        raise FrameError("a header that is no JSON") from error
    if not isinstance(header, dict):
        raise FrameError("a header that is no object")
    return header
