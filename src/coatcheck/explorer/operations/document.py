"""A stored object for the operations: decoded once, and parsed if its text is a document."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from coatcheck.codec import Encoded, Metadata, decode, encode
from coatcheck.explorer.texts import HEAD, Opened, is_for_the_sandbox, may_be_opened, open_text
from coatcheck.references import parse_path, walk

Facts = dict[str, Any]


@dataclass(slots=True)
class Answer:
    """The outcome of an operation."""

    text: str  # the answer; never longer than the operation's `limit`
    payload: bytes | None = None  # the encoded new value, if the operation computed one
    metadata: dict[str, Any] | None = None  # the metadata of that value, as returned by `Metadata.to_dict`
    facts: Facts = field(default_factory=dict)  # figures for the caller, such as the number of matches; plain JSON

    @classmethod
    def of_value(cls, text: str, value: Any, facts: Facts | None = None) -> "Answer":
        """An answer with a new value, in the encoding of the store."""
        return cls.of_encoded(text, encode(value), facts)

    @classmethod
    def of_encoded(cls, text: str, encoded: Encoded, facts: Facts | None = None) -> "Answer":
        """An answer with a new value that is encoded already."""
        return cls(text, encoded.payload, encoded.metadata.to_dict(), facts or {})

    def to_wire(self) -> tuple[dict[str, Any], list[bytes]]:
        """Return a JSON header and the following bytes."""
        text = self.text.encode("utf-8", "surrogatepass")
        header = {
            "text_bytes": len(text),
            "has_payload": self.payload is not None,
            "metadata": self.metadata,
            "facts": self.facts,
        }
        return header, [text] if self.payload is None else [text, self.payload]

    @classmethod
    def from_wire(cls, header: dict[str, Any], body: bytes) -> "Answer":
        """Parse the result of ``to_wire``, which is untrusted.

        Raises:
            ValueError: It is malformed.
        """
        text_bytes, has_payload = header.get("text_bytes"), header.get("has_payload")
        metadata, facts = header.get("metadata"), header.get("facts")
        if not isinstance(text_bytes, int) or not 0 <= text_bytes <= len(body) or not isinstance(facts, dict):
            raise ValueError("malformed answer")
        if has_payload is not True:
            if text_bytes != len(body):
                raise ValueError("an answer with bytes left over")
            return cls(body.decode("utf-8", "surrogatepass"), facts=facts)
        payload = body[text_bytes:]
        return cls(body[:text_bytes].decode("utf-8", "surrogatepass"), payload, _checked(metadata, payload), facts)


def _checked(metadata: Any, payload: bytes) -> dict[str, Any]:
    kinds = ("json", "text")
    types = ("object", "array", "string", "integer", "number", "boolean", "null")
    if (
        not isinstance(metadata, dict)
        or metadata.get("kind") not in kinds
        or metadata.get("type") not in types
        or metadata.get("size") != len(payload)
        or not isinstance(metadata.get("length"), int | None)
        or not isinstance(metadata.get("careful"), bool)
    ):
        raise ValueError("malformed metadata")
    names = ("kind", "size", "type", "length", "careful")
    return Metadata(**{name: metadata[name] for name in names}).to_dict()


class OnlyInSandbox(Exception):
    """A text needs a parser that runs only in the sandbox, and this is not a worker."""


class Document:
    """A stored object, decoded at first use.

    ``in_sandbox``: this is a worker, which may use the parsers that are restricted to the sandbox.
    """

    def __init__(self, metadata: Metadata, payload: bytes | memoryview, *, in_sandbox: bool = False) -> None:
        self.metadata = metadata
        self.payload = payload
        self.in_sandbox = in_sandbox

    @property
    def may_be_structured(self) -> bool:
        """Whether it is JSON, or a text that starts like a document or a table."""
        return self.metadata.kind != "text" or may_be_opened(bytes(self.payload[:HEAD]).decode(errors="replace"))

    @cached_property
    def value(self) -> Any:
        """The decoded value."""
        return decode(self.metadata, self.payload)

    @cached_property
    def _opened_root(self) -> Opened | None:
        return open_text(self.value, in_sandbox=self.in_sandbox)

    def opened(self, text: str) -> Opened | None:
        """Return the parsed content of a text that is a document or a table, else ``None``.

        Raises:
            OnlyInSandbox: The parser runs only in the sandbox.
        """
        if not self.in_sandbox and is_for_the_sandbox(text):
            raise OnlyInSandbox
        return self._opened_root if text is self.value else open_text(text, in_sandbox=self.in_sandbox)

    def open_text(self, text: str) -> Any:
        """Return the list or dict that a text represents, else ``None``."""
        opened = self.opened(text)
        return None if opened is None else opened.value


def locate(document: Document, path: str) -> Any:
    """Return the part of a document at a path, which may continue inside texts that are documents themselves.

    Raises:
        ReferenceSyntaxError: The path is malformed.
        PathNotFound: The path does not exist.
    """
    return walk(document.value, parse_path(path), open_text=document.open_text)


def place(args: dict[str, Any]) -> str:
    """Return the reference of the part that the arguments select, in canonical form."""
    return f"{args['reference']}{parse_path(args.get('path') or '')}"
