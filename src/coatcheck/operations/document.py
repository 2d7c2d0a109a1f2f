"""A stored object as the operations see it: decoded once, opened where its text is a document."""

from functools import cached_property
from typing import Any

from coatcheck.codec import Metadata, decode, open_json_text
from coatcheck.references import parse_path, walk


class Document:
    """A stored object, decoded when its value is first asked for.

    Args:
        metadata: What is known of the payload.
        payload: The stored bytes.
        allow_yaml: Whether a text that is YAML may be opened too. Only in a worker: its parser is for the sandbox.
    """

    def __init__(self, metadata: Metadata, payload: bytes | memoryview, *, allow_yaml: bool = False) -> None:
        self.metadata = metadata
        self.payload = payload
        self.allow_yaml = allow_yaml

    @property
    def may_be_structured(self) -> bool:
        """Whether it is JSON, or a text that looks like JSON from its first character."""
        return self.metadata.kind != "text" or bytes(self.payload[:64]).lstrip()[:1] in {b"{", b"["}

    @cached_property
    def value(self) -> Any:
        """The decoded value."""
        return decode(self.metadata, self.payload)

    @cached_property
    def _opened_root(self) -> Any:
        return self._open(self.value)

    def open_text(self, text: str) -> Any:
        """Give the list or dict that a text spells out in JSON (or YAML, where allowed), else ``None``."""
        return self._opened_root if text is self.value else self._open(text)

    def _open(self, text: str) -> Any:
        opened = open_json_text(text)
        if opened is None and self.allow_yaml:
            from coatcheck.operations.yaml_text import open_yaml_text

            opened = open_yaml_text(text)
        return opened


def locate(document: Document, path: str) -> Any:
    """Give the part of a document that a path leads to; the path goes on inside texts that are documents themselves.

    Raises:
        ReferenceSyntaxError: The path is malformed.
        PathNotFound: It leads nowhere.
    """
    return walk(document.value, parse_path(path), open_text=document.open_text)


def place(args: dict[str, Any]) -> str:
    """Give the reference of the part that the arguments ask about, in canonical form."""
    return f"{args['reference']}{parse_path(args.get('path') or '')}"
