"""Parsed text with the position of each value, and edits of that text."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from coatcheck.codec.json_encoders import is_utf8

Kind = Literal["object", "array", "string", "other", "unread"]


class ConfigSyntaxError(Exception):
    """A text breaks the rules of its format.

    Attributes:
        reason: What is wrong; contains nothing of the text, which may be secret.
        line: Counted from 1.
        column: Counted from 1, in characters.
    """

    def __init__(self, reason: str, text: str, position: int) -> None:
        self.reason = reason
        self.line = text.count("\n", 0, position) + 1
        self.column = position - (text.rfind("\n", 0, position) + 1) + 1
        super().__init__(f"{reason} (line {self.line}, column {self.column})")


@dataclass(slots=True)
class Node:
    """A value and its position."""

    # `other` is a number, a boolean, a null or a date; `unread` a value of any kind that was checked and not kept,
    # because it does not belong to the servers.
    kind: Kind
    start: int = 0  # position of its first character
    end: int = 0  # after its last character; 0 for a TOML table that is spread over the file
    scalar: Any = None  # the value, unless it is an object or array; the text of an unread value
    members: list["Member"] = field(default_factory=list)  # of an object
    items: list["Node"] = field(default_factory=list)  # of an array

    def value(self) -> Any:
        """Return the value without positions."""
        if self.kind == "object":
            return {member.name: member.node.value() for member in self.members}
        if self.kind == "array":
            return [item.value() for item in self.items]
        return self.scalar

    def find(self, name: str) -> "Member | None":
        """Return the member of an object with this name."""
        return next((member for member in self.members if member.name == name), None)

    def walk(self) -> Iterator["Node"]:
        """Return this value and all inside it."""
        yield self
        for member in self.members:
            yield from member.node.walk()
        for item in self.items:
            yield from item.walk()


@dataclass(slots=True)
class Member:
    """A key and its value."""

    name: str  # the key; the last part of a dotted one
    key_start: int  # where the key begins, with the dotted part before it
    key_end: int  # after the key
    node: Node
    prefix: str = ""  # what precedes the last part of a dotted key, as it is written
    on_line: bool = False  # whether the member has its own line without commas, as in a TOML table


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed text."""

    text: str  # all of it
    root: Node  # its outermost value
    comments: Sequence[tuple[int, int]] = ()  # spans of the comments

    @property
    def newline(self) -> str:
        """The line ending of the text."""
        return "\r\n" if "\r\n" in self.text else "\n"

    def raw(self, node: Node) -> str:
        """Return a value as it is written."""
        return self.text[node.start : node.end]

    def error(self, reason: str, position: int) -> ConfigSyntaxError:
        """Create the error for what is wrong at a position."""
        return ConfigSyntaxError(reason, self.text, position)


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement of the characters from ``start`` to ``end``."""

    start: int
    end: int
    text: str


def match_end(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return where a match that begins at a position ends; the position itself without a match."""
    found = pattern.match(text, position)
    return found.end() if found else position


def apply(text: str, edits: Sequence[Edit]) -> str:
    """Replace several spans, none of which overlap, in time linear in the text."""
    parts: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += [text[position : edit.start], edit.text]
        position = edit.end
    return "".join([*parts, text[position:]])


def reverse(text: str, edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits that turn ``apply(text, edits)`` back into the text."""
    found: list[Edit] = []
    shift = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        start = edit.start + shift
        found.append(Edit(start, start + len(edit.text), text[edit.start : edit.end]))
        shift += len(edit.text) - (edit.end - edit.start)
    return found


def removals(spans: Sequence[tuple[int, int]], numbers: Collection[int]) -> list[Edit]:
    """Return the edits that remove the numbered items of a list, with the commas that separate them."""
    kept = [number for number in range(len(spans)) if number not in numbers]
    if not kept:
        return [Edit(spans[0][0], spans[-1][1], "")] if spans else []
    edits = [Edit(spans[0][0], spans[kept[0]][0], "")] if kept[0] else []
    removed = [number for number in range(kept[0] + 1, len(spans)) if number in numbers]
    return [*edits, *(Edit(spans[number - 1][1], spans[number][1], "") for number in removed)]


def quoted(text: str) -> str:
    """Write a string that JSON and TOML both read."""
    return json.dumps(text, ensure_ascii=not is_utf8(text)).replace("\x7f", "\\u007f")
