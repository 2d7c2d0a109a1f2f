"""JSON with comments and last commas, as clients read it, with the place of each value."""

import json
import re
from typing import Any

from coatcheck.installer.faults import SyntaxFault
from coatcheck.installer.spans import Member, Node, Tree

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[-+.\w]+")
_COMMENT = re.compile(r"//[^\n\r]*|/\*.*?\*/", re.DOTALL)


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def parse_json(text: str) -> Tree:
    """Parse a text; an empty one is an empty object.

    Raises:
        SyntaxFault: The text is no JSON, even with comments and last commas allowed.
    """
    reader = _Reader(text)
    start = reader.skip(1 if text.startswith("\ufeff") else 0)
    if start == len(text):
        return Tree(text, Node("object", start, start), reader.comments)
    try:
        root = reader.value(start)
    except RecursionError:
        raise SyntaxFault("it is nested too deeply", text, start) from None
    if reader.skip(root.end) != len(text):
        raise SyntaxFault("there is more behind the end", text, reader.skip(root.end))
    return Tree(text, root, reader.comments)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.comments: list[tuple[int, int]] = []

    def skip(self, position: int) -> int:
        """Go past spaces and comments."""
        while True:
            position = _match_end(_SPACE, self.text, position)
            if self.text[position : position + 1] != "/":
                return position
            found = _COMMENT.match(self.text, position)
            if found is None:
                raise SyntaxFault("a comment has no end, or a / stands alone", self.text, position)
            if not self.comments or self.comments[-1][0] < position:
                self.comments.append(found.span())
            position = found.end()

    def value(self, position: int) -> Node:
        match self.text[position : position + 1]:
            case "{":
                return self._object(position)
            case "[":
                return self._array(position)
            case '"':
                content, end = self._string(position)
                return Node("string", position, end, content)
        try:
            scalar, end = _DECODER.raw_decode(self.text, position)
        except ValueError:
            raise SyntaxFault("a value is missing or malformed", self.text, position) from None
        if _match_end(_WORD, self.text, position) != end:
            raise SyntaxFault("a value is malformed", self.text, position)
        return Node("other", position, end, scalar)

    def _string(self, position: int) -> tuple[str, int]:
        try:
            content, end = _DECODER.raw_decode(self.text, position)
        except json.JSONDecodeError as error:
            reason = error.msg.split(":")[0].removesuffix(" at").lower()
            raise SyntaxFault(f"a string is malformed: {reason}", self.text, error.pos) from None
        return str(content), end

    def _object(self, start: int) -> Node:
        node = Node("object", start)
        position = self.skip(start + 1)
        while self.text[position : position + 1] != "}":
            if self.text[position : position + 1] != '"':
                raise SyntaxFault('a key in " or a } is missing', self.text, position)
            name, key_end = self._string(position)
            colon = self.skip(key_end)
            if self.text[colon : colon + 1] != ":":
                raise SyntaxFault("a : is missing", self.text, colon)
            value = self.value(self.skip(colon + 1))
            node.members.append(Member(name, position, key_end, value))
            position = self._next(value.end, "}")
        node.end = position + 1
        return node

    def _array(self, start: int) -> Node:
        node = Node("array", start)
        position = self.skip(start + 1)
        while self.text[position : position + 1] != "]":
            item = self.value(position)
            node.items.append(item)
            position = self._next(item.end, "]")
        node.end = position + 1
        return node

    def _next(self, position: int, closing: str) -> int:
        """Go past a comma, or to the end of the object or array."""
        position = self.skip(position)
        found = self.text[position : position + 1]
        if found == ",":
            return self.skip(position + 1)
        if found != closing:
            raise SyntaxFault(f"a , or {closing} is missing", self.text, position)
        return position


def _match_end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position
