"""The chunked decoder: the same value as in one step, from chunks of the JSON that are each decoded quickly.

The end of a chunk is guessed, and the fast decoder verifies the guess: text that starts at a member and decodes as
whole members consists of whole members, whatever follows.
"""

import json
import re
from collections.abc import Callable, Generator
from typing import Any

Load = Callable[[bytes], Any]
"""Decodes a chunk; raises ``ValueError`` if it is not JSON."""

Chunks = list[list[Any]]
"""The parts of a decoded value, grouped by chunk."""

WINDOW = 64 * 1024
"""Bytes that are decoded in one step, in some 0.3 ms."""

TEXT_WINDOW = 1024 * 1024
"""The same for a long string, which is hardly more than copied."""

MAX_DEPTH = 200
"""Maximum levels of containers that are each larger than a window."""

MOST_SINGLES = 20_000
"""Members that are decoded one by one, at a fiftieth of the speed, before the whole is decoded in one step."""

_LEAST = 512
_GUESSES = 3
_LONGEST_ESCAPE = 12
_SEARCHED = 4096
_FIRST_TWO_BITS, _INSIDE_A_CHARACTER = 0xC0, 0x80
_SPACE = re.compile(rb"[ \t\r\n]*+")
_SCALAR = re.compile(rb"[^\s,\]}]*+")
_REST_OF_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_PIECE_OF_TEXT = re.compile(
    rb'(?:[^"\\\x80-\xff]++|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\[^u])*+'
)
_KEY_OF_FIRST_MEMBER = re.compile(rb'\{[ \t\r\n]*+"[^"\\]{0,100}+"')
_OPENING, _CLOSING = b"[{", b"]}"
_ENDS = frozenset({b"]", b"}", b'"'})


class ChunkedDecoder:
    """Reads one JSON text.

    ``window`` bytes are decoded in one step, ``text_window`` inside of a long string; ``chunks`` is filled with the
    decoded chunks.
    """

    def __init__(
        self,
        text: bytes,
        load: Load,
        *,
        window: int = WINDOW,
        text_window: int = TEXT_WINDOW,
        start: int = 0,
        chunks: Chunks | None = None,
    ) -> None:
        self._text = text
        self._chunks = chunks
        self._load = load
        self._window = window
        self._text_window = text_window
        self._at = start
        self._singles = 0
        self._find_end = json.JSONDecoder().raw_decode

    def read(self) -> Generator[None, None, Any]:
        """Decode the whole text, with a ``yield`` after each chunk.

        Raises:
            ValueError: It is not JSON, or cannot be divided; the fast decoder shows which.
        """
        value = yield from self._value(0)
        self._skip_space()
        if self._at != len(self._text):
            raise ValueError("text behind the end")
        return value

    def _value(self, depth: int) -> Generator[None, None, Any]:
        self._skip_space()
        end = self._end_of_small_value()
        if end is not None:
            piece = self._text[self._at : end]
            self._at = end
            return self._load(piece)
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        first = self._text[self._at : self._at + 1]
        if first == b'"':
            return (yield from self._long_text())
        if first and first in _OPENING:
            return (yield from self._container(first, depth))
        scalar = _SCALAR.match(self._text, self._at)
        self._at = len(self._text) if scalar is None else scalar.end()
        return self._load(b"" if scalar is None else scalar.group())

    def _end_of_small_value(self) -> int | None:
        """Find the end of a value that is smaller than a window; ``None`` for a larger one or invalid JSON."""
        size = min(_LEAST, self._window)
        while True:
            whole = self._at + size >= len(self._text)
            shown = self._text[self._at : self._at + size].decode("utf-8", "surrogateescape")
            try:
                _, end = self._find_end(shown, 0)
            except (ValueError, RecursionError):
                end = len(shown)
            if end < len(shown) or (whole and shown[end - 1 : end] in {"]", "}", '"'} and self._is_whole(shown)):
                return self._at + len(shown[:end].encode("utf-8", "surrogateescape"))
            if whole or size >= self._window:
                return None
            size = min(8 * size, self._window)

    def _is_whole(self, shown: str) -> bool:
        try:
            return bool(self._find_end(shown, 0)[1] == len(shown))
        except (ValueError, RecursionError):
            return False

    def _container(self, opening: bytes, depth: int) -> Generator[None, None, Any]:
        closing = _CLOSING[_OPENING.index(opening)]
        items: Any = {} if opening == b"{" else []
        self._at += 1
        self._skip_space()
        if self._text[self._at : self._at + 1] == bytes([closing]):
            self._at += 1
            return items
        size = self._window
        while True:
            name = self._name() if opening == b"{" else None
            value = yield from self._value(depth + 1)
            if name is None:
                items.append(value)
            else:
                items[name] = value
            yield
            last = self._text[self._at - 1 : self._at]
            last = last if last in _ENDS else b""
            self._skip_space()
            mark = self._text[self._at : self._at + 1]
            if mark != b",":
                if mark != bytes([closing]):
                    raise ValueError("no comma")
                self._at += 1
                return items
            comma = self._at
            self._at += 1
            self._skip_space()
            self._singles += 1
            if self._singles > MOST_SINGLES:
                raise ValueError("too ragged")
            marks = self._separators(last, self._text[comma : self._at], keyed=name is not None)
            while size >= _LEAST and any(self._take_batch(items, mark, len(last), size) for mark in marks):
                size = min(2 * size, self._window)
                yield
            size = max(size // 4, min(_LEAST, self._window))

    def _name(self) -> str:
        self._skip_space()
        name = _REST_OF_TEXT.match(self._text, self._at + 1)
        if name is None or self._text[self._at : self._at + 1] != b'"':
            raise ValueError("no key")
        key = self._load(b'"' + name.group())
        self._at = name.end()
        self._skip_space()
        if self._text[self._at : self._at + 1] != b":":
            raise ValueError("no colon")
        self._at += 1
        return str(key)

    def _separators(self, last: bytes, comma: bytes, *, keyed: bool) -> list[bytes]:
        """Return the expected separators of later members: with the same first key, and without."""
        first = self._text[self._at : self._at + 1]
        plain = last + comma + (first if first and first in b'[{"' else b"")
        following = None if keyed else _KEY_OF_FIRST_MEMBER.match(self._text, self._at)
        return [plain] if following is None else [last + comma + following.group(), plain]

    def _take_batch(self, items: Any, mark: bytes, ends: int, size: int) -> bool:
        """Decode as many members as end within ``size`` bytes; return ``False`` if the guesses at an end were wrong.

        ``mark`` separates members; its first ``ends`` bytes belong to the previous one.
        """
        begins = len(mark) - len(mark[ends:].lstrip(b", \t\r\n")) - ends
        cut = min(self._at + size, len(self._text))
        for _ in range(_GUESSES):
            cut = self._text.rfind(mark, self._at, cut)
            if cut <= self._at:
                return False
            members = self._text[self._at : cut + ends]
            try:
                batch = self._load(b"{%b}" % members if isinstance(items, dict) else b"[%b]" % members)
            except ValueError:
                continue
            if isinstance(items, dict):
                items.update(batch)
            else:
                items.extend(batch)
            if self._chunks is not None:
                self._chunks.append([*batch, *batch.values()] if isinstance(batch, dict) else batch)
            self._at = cut + ends + begins
            return True
        return False

    def _long_text(self) -> Generator[None, None, str]:
        parts: list[str] = []
        self._at += 1
        size = min(self._window, self._text_window)
        while self._text[self._at : self._at + 1] != b'"':
            stop = self._end_of_piece(size)
            try:
                parts.append(self._load(b'"%b"' % self._text[self._at : stop]))
            except ValueError:
                break
            self._at = stop
            size = min(2 * size, self._text_window)
            yield
        rest = _REST_OF_TEXT.match(self._text, self._at, self._at + size + _SEARCHED)
        if rest is None:
            raise ValueError("a text without an end")
        parts.append(self._load(b'"' + rest.group()))
        self._at = rest.end()
        return "".join(parts)

    def _end_of_piece(self, size: int) -> int:
        """Find a position in a string that does not split an escape or a character."""
        latest = min(self._at + size, len(self._text) - 1)
        for stop in range(latest, max(latest - _SEARCHED, self._at), -1):
            before = self._text[max(stop - _LONGEST_ESCAPE, self._at) : stop]
            backslashes = len(before) - len(before.rstrip(b"\\"))
            if (
                self._text[stop] & _FIRST_TWO_BITS != _INSIDE_A_CHARACTER
                and b"\\u" not in before
                and backslashes % 2 == 0
                and backslashes < len(before)
            ):
                return stop
        # It consists of escapes, which are skipped one by one, more slowly.
        pieces = _PIECE_OF_TEXT.match(self._text, self._at, self._at + min(size, self._window))
        if pieces is None or pieces.end() == self._at:
            raise ValueError("a text that cannot be cut")
        return pieces.end()

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self._at)
        if space is not None:
            self._at = space.end()
