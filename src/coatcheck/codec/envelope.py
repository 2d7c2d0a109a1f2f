"""The stored format: one line of JSON metadata, then the payload.

The metadata can be read from the first bytes, so that listings need no payload.
"""

import re
from contextlib import suppress
from io import BytesIO
from operator import itemgetter
from typing import Any, Literal, NamedTuple, get_args

import orjson

from coatcheck.errors import ObjectUnreadable

FORMAT_VERSION = 1
COMPRESSED_VERSION = 2
"""The same with a compressed payload."""

CODED_VERSION = 3
"""The same with a payload that a codec of the host has transformed, which may be compressed as well."""

CODEC_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")

HEAD_BYTES = 1024
"""Bytes at the start of a stored value that always contain its metadata."""

ROOM_BYTES = 512
"""Bytes that a chunked payload reserves for its metadata; with larger metadata it is copied."""

MAX_TOOL_CHARACTERS = 200
MAX_MEDIA_TYPE_CHARACTERS = 100
MAX_ABOUT_CHARACTERS = 120

Kind = Literal["json", "text", "result"]
JsonType = Literal["object", "array", "string", "integer", "number", "boolean", "null"]


class Metadata(NamedTuple):
    """The metadata of a stored value.

    One is created at every operation, and a tuple takes a third of the time of a frozen dataclass.
    """

    kind: Kind  # `json` (the payload is JSON), `text` (UTF-8 text) or `result` (a tool result as it was on the wire)
    size: int  # bytes of the payload
    type: JsonType  # JSON type of the value
    length: int | None = None  # items, keys or characters of the value; `None` for scalars
    created: float = 0.0  # when it was stored, in seconds since the epoch
    tool: str | None = None  # the tool that returned it
    media_type: str | None = None  # media type of the value, if it is other than JSON or plain text
    # Whether the fallback encoder wrote the payload, so that the exact decoder must read it: the fast one would change
    # numbers over 64 bits and lone surrogates.
    careful: bool = False
    version: int = FORMAT_VERSION  # version of this format
    zstd: int | None = None  # compressed size of the payload in bytes; `None` if it is not compressed
    codec: str | None = None  # name of the host's codec that transformed the payload
    # A short description from its preview, for listings; `None` if it was stored without a preview.
    about: str | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the payload is neither compressed nor transformed by a codec."""
        return self.zstd is None and self.codec is None

    def to_dict(self) -> dict[str, Any]:
        """Return the metadata as a JSON object."""
        return self._asdict()

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> "Metadata":
        """Parse the result of ``to_dict``; unknown fields of later versions are ignored."""
        return cls._make(_values(_DEFAULTS | facts))


_DEFAULTS: dict[str, Any] = dict.fromkeys(Metadata._fields) | Metadata._field_defaults
_values = itemgetter(*Metadata._fields)
_NOT_METADATA = "These bytes were not stored by coatcheck: their first line is not metadata."
_KINDS, _TYPES = get_args(Kind), get_args(JsonType)
_NUMBERS = (int, float)
_VERSIONS = (FORMAT_VERSION, COMPRESSED_VERSION, CODED_VERSION)


class PayloadBuffer:
    """A payload that is written in chunks after space for its metadata, so that storing it needs no copy.

    Attributes:
        size: Bytes written so far.
        characters: Characters written so far; the payload is UTF-8.
    """

    def __init__(self) -> None:
        self.size = 0
        self.characters = 0
        self._buffer = BytesIO()
        self._buffer.write(b" " * ROOM_BYTES)

    def write(self, piece: bytes | memoryview) -> None:
        """Append a chunk of whole characters."""
        self.size += len(piece)
        whole = piece.obj if isinstance(piece, memoryview) else piece
        self.characters += len(piece) if isinstance(whole, bytes) and whole.isascii() else len(str(piece, "utf-8"))
        self._buffer.write(piece)

    def view(self) -> memoryview:
        """Return the payload without a copy; nothing may be written afterwards."""
        return self._buffer.getbuffer()[ROOM_BYTES:]

    def payload(self) -> bytes:
        """Return a copy of the payload."""
        return bytes(self.view())

    def close(self, line: bytes) -> bytes:
        """Insert the line of metadata and return the whole; nothing may be written afterwards."""
        if len(line) < ROOM_BYTES:
            self._buffer.seek(0)
            with suppress(BufferError):  # a view of it still exists
                self._buffer.write(line.ljust(ROOM_BYTES - 1) + b"\n")
                return self._buffer.getvalue()
        return b"".join((line, b"\n", self.view()))


def pack(metadata: Metadata, payload: bytes | PayloadBuffer) -> bytes:
    """Join metadata and payload into the bytes to store, in the version for its compression and codec."""
    kind, size, type_, length, created, tool, media_type, careful, _, zstd, codec, about = metadata
    facts: dict[str, Any] = {"kind": kind, "size": size, "type": type_, "created": created}
    facts["version"] = _version(zstd, codec)
    if length is not None:
        facts["length"] = length
    if tool is not None:
        facts["tool"] = _label(tool, MAX_TOOL_CHARACTERS)
    if media_type is not None:
        facts["media_type"] = _label(media_type, MAX_MEDIA_TYPE_CHARACTERS)
    if careful:
        facts["careful"] = True
    if zstd is not None:
        facts["zstd"] = zstd
    if codec is not None:
        facts["codec"] = codec
    if about is not None:
        facts["about"] = _label(about, MAX_ABOUT_CHARACTERS)
    line = orjson.dumps(facts)
    if len(line) >= HEAD_BYTES:  # the longest names together leave no room for the description
        facts.pop("about", None)
        line = orjson.dumps(facts)
    return payload.close(line) if isinstance(payload, PayloadBuffer) else b"".join((line, b"\n", payload))


def _label(text: str, most: int) -> str:
    """Cut an untrusted text so that it fits into the line."""
    text = text[:most]
    if not text.isprintable():
        text = "".join(c if c.isprintable() else "?" for c in text)
    return text if text.isascii() else text.encode()[: 2 * most].decode("utf-8", "ignore")


def unpack(stored: bytes) -> tuple[Metadata, memoryview]:
    """Split stored bytes into metadata and payload; the payload is a view, not a copy.

    Raises:
        ObjectUnreadable: The bytes are not of this format.
    """
    try:
        end = stored.find(b"\n", 0, HEAD_BYTES)
    except (AttributeError, TypeError) as error:
        given = type(stored).__name__
        raise ObjectUnreadable(f"The backend returned {given}, and its get must return bytes.") from error
    if end < 0:
        raise ObjectUnreadable("These bytes were not stored by coatcheck: no line of metadata at their start.")
    try:
        metadata = Metadata.from_dict(orjson.loads(stored[:end]))
    except (orjson.JSONDecodeError, TypeError) as error:
        raise ObjectUnreadable(_NOT_METADATA) from error
    if _is_sound(metadata):
        return metadata, memoryview(stored)[end + 1 :]
    if metadata.version not in _VERSIONS:
        raise ObjectUnreadable(
            f"This object was stored in format {metadata.version}; "
            f"this version of coatcheck reads {FORMAT_VERSION} to {CODED_VERSION}."
        )
    raise ObjectUnreadable(_NOT_METADATA)


def unpack_metadata(head: bytes) -> Metadata:
    """Read the metadata from the first ``HEAD_BYTES`` bytes of a stored value.

    Raises:
        ObjectUnreadable: The bytes are not of this format.
    """
    return unpack(head)[0]


def _is_sound(metadata: Metadata) -> bool:
    """Whether every field is valid: other writers to the store may have stored anything there."""
    kind, size, type_, length, created, tool, media_type, careful, version, zstd, codec, about = metadata
    return bool(
        kind in _KINDS
        and type_ in _TYPES
        and type(size) is int
        and size >= 0
        and (length is None or type(length) is int)
        and type(created) in _NUMBERS
        and (tool is None or isinstance(tool, str))
        and (media_type is None or isinstance(media_type, str))
        and (careful is False or careful is True)
        and (zstd is None or (type(zstd) is int and zstd >= 0))
        and (codec is None or (isinstance(codec, str) and CODEC_NAME.fullmatch(codec)))
        and (about is None or isinstance(about, str))
        and version == _version(zstd, codec)
    )


def _version(zstd: int | None, codec: str | None) -> int:
    if codec is not None:
        return CODED_VERSION
    return FORMAT_VERSION if zstd is None else COMPRESSED_VERSION
