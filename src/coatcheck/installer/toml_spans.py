"""TOML with the position of each value.

The standard library parses the text; this module only finds the positions of the values.
"""

import re
import tomllib
from typing import Any

from coatcheck.installer.text_spans import ConfigSyntaxError, Member, Node, Tree, match_end

_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"[ \t\r\n]*")
_COMMENT = re.compile(r"#[^\r\n]*")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'""")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\r\n]|\\.)*"' r"|'[^'\r\n]*'", re.DOTALL)
_SCALAR = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:[^\s,\]}#]+|[^\s,\]}#]+")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def parse_toml(text: str) -> Tree:
    """Parse a text; raises ``ConfigSyntaxError`` if the text is not TOML."""
    offset = 1 if text.startswith("\ufeff") else 0
    try:
        # Numbers stay as they are written: one that is not a number equals nothing, not even itself.
        expected = tomllib.loads(text[offset:], parse_float=str)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text, offset) from None
    except RecursionError:
        raise ConfigSyntaxError("it is nested too deeply", text, 0) from None
    reader = _Reader(text)
    reader.document(offset)
    if reader.root.value() != expected:
        raise ConfigSyntaxError("it is written in a way that cannot be followed here", text, 0)
    return Tree(text, reader.root, reader.comments)


def _syntax_error(message: str, text: str, offset: int) -> ConfigSyntaxError:
    """Remove the position from a message of the standard library."""
    place = _PLACE.search(message)
    reason = message[: place.start()] if place else message
    if place is None or place.group(1) is None:
        return ConfigSyntaxError(reason, text, len(text))
    before = text[offset:].split("\n")[: int(place.group(1)) - 1]
    return ConfigSyntaxError(reason, text, offset + sum(len(line) + 1 for line in before) + int(place.group(2)) - 1)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.root = Node("object")
        self.comments: list[tuple[int, int]] = []
        self._members: dict[tuple[int, str], Member] = {}  # by table and name: a file may have thousands of tables

    def document(self, position: int) -> None:
        table = self.root
        while (position := self._skip(position)) < len(self.text):
            if self.text.startswith("[[", position):
                parts, position = self._key(position + 2)
                table = self._new_item(parts)
                position += 2
            elif self.text[position] == "[":
                parts, position = self._key(position + 1)
                table = self._table(self.root, parts)
                position += 1
            else:
                position = self._pair(table, position, on_line=True)

    def _skip(self, position: int) -> int:
        """Skip spaces, newlines and comments."""
        while True:
            position = match_end(_SPACE, self.text, position)
            found = _COMMENT.match(self.text, position)
            if found is None:
                return position
            self.comments.append(found.span())
            position = found.end()

    def _key(self, position: int) -> tuple[list[Member], int]:
        """Read a key, dotted or not; each part has its position."""
        parts: list[Member] = []
        start = position = match_end(_BLANK, self.text, position)
        while True:
            end = match_end(_KEY_PART, self.text, position)
            raw = self.text[position:end]
            name = next(iter(tomllib.loads(raw + "=0"))) if raw[:1] in "\"'" else raw
            parts.append(Member(name, start, end, Node("object"), self.text[start:position]))
            position = match_end(_BLANK, self.text, end)
            if self.text[position : position + 1] != ".":
                return parts, position
            position = match_end(_BLANK, self.text, position + 1)

    def _pair(self, table: Node, position: int, *, on_line: bool) -> int:
        parts, position = self._key(position)
        last = parts[-1]
        last.on_line = on_line
        last.node = self._value(match_end(_BLANK, self.text, position + 1))
        self._add(self._table(table, parts[:-1]), last)
        return last.node.end

    def _table(self, table: Node, parts: list[Member]) -> Node:
        for part in parts:
            found = self._members.get((id(table), part.name))
            if found is None:
                found = Member(part.name, part.key_start, part.key_end, Node("object"), part.prefix, on_line=True)
                self._add(table, found)
            table = found.node.items[-1] if found.node.kind == "array" else found.node
        return table

    def _new_item(self, parts: list[Member]) -> Node:
        table, last = self._table(self.root, parts[:-1]), parts[-1]
        found = self._members.get((id(table), last.name))
        if found is None:
            found = Member(last.name, last.key_start, last.key_end, Node("array"), on_line=True)
            self._add(table, found)
        found.node.items.append(Node("object"))
        return found.node.items[-1]

    def _add(self, table: Node, member: Member) -> None:
        table.members.append(member)
        self._members[id(table), member.name] = member

    def _value(self, start: int) -> Node:
        match self.text[start]:
            case "[":
                return self._array(start)
            case "{":
                return self._inline_table(start)
            case '"' | "'":
                end = match_end(_STRING, self.text, start)
                return Node("string", start, end, self._scalar(start, end))
        end = match_end(_SCALAR, self.text, start)
        return Node("other", start, end, self._scalar(start, end))

    def _scalar(self, start: int, end: int) -> Any:
        return tomllib.loads("x=" + self.text[start:end], parse_float=str)["x"]

    def _array(self, start: int) -> Node:
        node = Node("array", start)
        position = self._skip(start + 1)
        while self.text[position] != "]":
            node.items.append(self._value(position))
            position = self._past_comma(node.items[-1].end)
        node.end = position + 1
        return node

    def _inline_table(self, start: int) -> Node:
        node = Node("object", start)
        position = self._skip(start + 1)
        while self.text[position] != "}":
            position = self._past_comma(self._pair(node, position, on_line=False))
        node.end = position + 1
        return node

    def _past_comma(self, position: int) -> int:
        position = self._skip(position)
        return self._skip(position + 1) if self.text[position] == "," else position
