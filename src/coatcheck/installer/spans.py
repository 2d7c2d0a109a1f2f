"""A parsed text that knows where each of its values stands."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from coatcheck.codec.json_encoders import is_utf8
from coatcheck.installer.faults import SyntaxFault

Kind = Literal["object", "array", "string", "other"]


@dataclass(slots=True)
class Node:
    """A value and where it stands.

    Attributes:
        kind: ``other`` is a number, a boolean, a null or a date.
        start: Position of its first character.
        end: Position behind its last. A table of TOML that is spread over the file has no place of its own: 0 to 0.
        scalar: The value, where it is no object or array.
        members: Of an object.
        items: Of an array.
    """

    kind: Kind
    start: int = 0
    end: int = 0
    scalar: Any = None
    members: list["Member"] = field(default_factory=list)
    items: list["Node"] = field(default_factory=list)

    def value(self) -> Any:
        """Give the value without its places."""
        if self.kind == "object":
            return {member.name: member.node.value() for member in self.members}
        if self.kind == "array":
            return [item.value() for item in self.items]
        return self.scalar

    def find(self, name: str) -> "Member | None":
        """Give the member of an object with this name."""
        return next((member for member in self.members if member.name == name), None)

    def walk(self) -> Iterator["Node"]:
        """Give this value and all inside it."""
        yield self
        for inner in [*(member.node for member in self.members), *self.items]:
            yield from inner.walk()


@dataclass(slots=True)
class Member:
    """A key and its value.

    Attributes:
        name: The key, the last part of it where it is dotted.
        key_start: Where the key begins, with what is dotted in front of it.
        key_end: Behind the key.
        node: The value.
        prefix: What stands in front of the last part of a dotted key, as it is written.
        on_line: Whether the member has a line of its own and no commas around it, as in a table of TOML.
    """

    name: str
    key_start: int
    key_end: int
    node: Node
    prefix: str = ""
    on_line: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed text.

    Attributes:
        text: All of it.
        root: Its outermost value.
        comments: Where comments stand.
    """

    text: str
    root: Node
    comments: Sequence[tuple[int, int]] = ()

    def raw(self, node: Node) -> str:
        """Give a value as it is written."""
        return self.text[node.start : node.end]

    def position_fault(self, reason: str, position: int) -> SyntaxFault:
        """Make the error for what is wrong at a position."""
        return SyntaxFault(reason, self.text, position)


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters to exchange."""

    start: int
    end: int
    text: str


def apply(text: str, edits: Sequence[Edit]) -> str:
    """Exchange characters at several places, none of which overlap."""
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def quoted(text: str) -> str:
    """Write a text as a string that JSON and TOML both read."""
    return json.dumps(text, ensure_ascii=not is_utf8(text)).replace("\x7f", "\\u007f")
