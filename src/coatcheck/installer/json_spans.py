"""JSON with comments and trailing commas, as MCP clients read it, with the position of each value.

A client's file may hold many megabytes of history besides the servers. Other values are checked by the standard
library's scanner, at C speed, and not kept.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from coatcheck.installer.text_spans import ConfigSyntaxError, Member, Node, Tree, match_end

ANY = "*"
"""In a path: every key."""

Paths = Sequence[tuple[str, ...]]
"""Paths to the objects whose members are needed."""

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[-+.\w]+")
_COMMENT = re.compile(r"//[^\n\r]*|/\*.*?\*/", re.DOTALL)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_SCANNER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_int=len, parse_float=len, object_pairs_hook=lambda _: None
)
"""Finds the end of a value; the value that it builds is discarded."""


def parse_json(text: str, paths: Paths | None = None) -> Tree:
    """Parse a text; an empty one is an empty object.

    ``paths``: where the needed values are; other values become ``unread``. ``None``: all values are needed.

    Raises:
        ConfigSyntaxError: The text is not JSON, even with comments and trailing commas allowed.
    """
    reader = _Reader(text)
    start = reader.skip(1 if text.startswith("\ufeff") else 0)
    if start == len(text):
        return Tree(text, Node("object", start, start), reader.comments)
    try:
        root = reader.value(start, paths)
    except RecursionError:
        raise ConfigSyntaxError("it is nested too deeply", text, start) from None
    end = reader.skip(root.end)
    if end != len(text):
        raise ConfigSyntaxError("there is more behind the end", text, end)
    return Tree(text, root, reader.comments)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.comments: list[tuple[int, int]] = []

    def skip(self, position: int) -> int:
        """Skip spaces and comments."""
        while True:
            position = match_end(_SPACE, self.text, position)
            if self.text[position : position + 1] != "/":
                return position
            found = _COMMENT.match(self.text, position)
            if found is None:
                raise ConfigSyntaxError("a comment has no end, or a / stands alone", self.text, position)
            if not self.comments or self.comments[-1][0] < position:
                self.comments.append(found.span())
            position = found.end()

    def value(self, position: int, paths: Paths | None) -> Node:
        """Read a value; ``paths`` are relative to it, and ``None`` selects all of it."""
        match self.text[position : position + 1]:
            case "{" if paths is None or paths:
                return self._object(position, paths)
            case "[" if paths is None:
                return self._array(position)
            case "{" | "[":
                return self._unread(position)
            case '"':
                content, end = self._string(position)
                return Node("string", position, end, content)
        try:
            scalar, end = _DECODER.raw_decode(self.text, position)
        except ValueError:
            raise ConfigSyntaxError("a value is missing or malformed", self.text, position) from None
        if match_end(_WORD, self.text, position) != end:
            raise ConfigSyntaxError("a value is malformed", self.text, position)
        return Node("other", position, end, scalar)

    def _unread(self, position: int) -> Node:
        try:
            _, end = _SCANNER.raw_decode(self.text, position)
        except ValueError:  # it has comments or trailing commas, or it is malformed, and the error says where
            end = self.value(position, None).end
        return Node("unread", position, end, self.text[position:end])

    def _string(self, position: int) -> tuple[str, int]:
        try:
            content, end = _DECODER.raw_decode(self.text, position)
        except json.JSONDecodeError as error:
            reason = error.msg.split(":")[0].removesuffix(" at").lower()
            raise ConfigSyntaxError(f"a string is malformed: {reason}", self.text, error.pos) from None
        return str(content), end

    def _object(self, start: int, paths: Paths | None) -> Node:
        node = Node("object", start)
        position = self.skip(start + 1)
        while self.text[position : position + 1] != "}":
            if self.text[position : position + 1] != '"':
                raise ConfigSyntaxError('a key in " or a } is missing', self.text, position)
            name, key_end = self._string(position)
            colon = self.skip(key_end)
            if self.text[colon : colon + 1] != ":":
                raise ConfigSyntaxError("a : is missing", self.text, colon)
            value = self.value(self.skip(colon + 1), _paths_below(paths, name))
            node.members.append(Member(name, position, key_end, value))
            position = self._next(value.end, "}")
        node.end = position + 1
        return node

    def _array(self, start: int) -> Node:
        node = Node("array", start)
        position = self.skip(start + 1)
        while self.text[position : position + 1] != "]":
            item = self.value(position, None)
            node.items.append(item)
            position = self._next(item.end, "]")
        node.end = position + 1
        return node

    def _next(self, position: int, closing: str) -> int:
        """Skip a comma, or move to the end of the object or array."""
        position = self.skip(position)
        found = self.text[position : position + 1]
        if found == ",":
            return self.skip(position + 1)
        if found != closing:
            raise ConfigSyntaxError(f"a , or {closing} is missing", self.text, position)
        return position


def _paths_below(paths: Paths | None, name: str) -> Paths | None:
    if paths is None:
        return None
    below = [path[1:] for path in paths if path[0] in {ANY, name}]
    return None if () in below else below
