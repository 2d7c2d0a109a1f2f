"""The subject of a preview, its headline, and the formatting of values and text."""

import re
from json.encoder import encode_basestring, encode_basestring_ascii
from math import isfinite
from typing import Any, NamedTuple

from coatcheck.errors import CoatcheckError, counted, quoted_name
from coatcheck.explorer.tool_names import listed_name
from coatcheck.references import Reference, parse_reference

INTEGER_BITS = 400
"""Integers with more bits are described by their number of digits."""

# Characters that must not reach a terminal or a model: controls, lone surrogates, marks that reorder or hide text.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)
_LINE_START = re.compile(r"(?<=[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])(?=[^\n\r])")
_FEW_PLAIN_WORDS = re.compile(r"\w[\w,./'-]*(?: [\w,./'-]+){0,2}(?<!\.)")
_BREAK_IN_JSON = re.compile("[\x85\u2028\u2029](?! )")
_KINDS: dict[type, str] = {
    dict: "object",
    list: "array",
    tuple: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}
_LENGTHS = {"object": ("object with", "key"), "array": ("array of", "item"), "string": ("text of", "character")}


class NoJsonForm(CoatcheckError, TypeError):  # named after the value, like its siblings in errors
    """The value contains a Python object without a JSON form; encode and decode it first.

    Attributes:
        found: The class of the object.
    """

    def __init__(self, found: type) -> None:
        self.found = found
        super().__init__(
            f"A preview shows plain JSON values, and this one holds {found.__module__}.{found.__qualname__}: "
            "encode and decode it first."
        )


def kind_of(kind: type) -> str:
    """Return the JSON type of the values of a class; subclasses of the plain classes count as those.

    Raises:
        NoJsonForm: The class has no JSON type.
    """
    name = _KINDS.get(kind)
    if name is None:
        name = next((name for plain, name in _KINDS.items() if issubclass(kind, plain)), None)
        # bool stands before int in the table, but nothing can subclass bool
        if name is None:
            raise NoJsonForm(kind)
    return name


def kind_and_length(kind: str, length: int | None) -> str:
    """Name a JSON type and its length, if it has one: ``array of 3 items``."""
    if length is not None and kind in _LENGTHS:
        start, noun = _LENGTHS[kind]
        return f"{start} {counted(length, noun)}"
    return "text" if kind == "string" else kind


def quote(text: str) -> str:
    """Write a text as a JSON string; other scripts stay readable, unprintable characters are escaped."""
    if text.isascii():
        quoted: str = encode_basestring_ascii(text)
        return quoted
    quoted = encode_basestring(text)
    return quoted if quoted.isprintable() else _UNSAFE.sub(_escape, quoted)


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    escaped: str = encode_basestring_ascii(character)
    return escaped[1:-1]


def printable(text: str) -> str:
    """Return a text of the same length without control characters, lone surrogates and invisible marks.

    Line breaks and tabs stay. Controls become control pictures (``␛``), other characters become ``�``.
    """
    if _UNSAFE.search(text) is None:
        return text
    return _UNSAFE.sub(_control_picture, text)


def _control_picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20:  # noqa: PLR2004
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "�"  # noqa: PLR2004


def mark_lines(text: str) -> str:
    """Put a space before each line of a stored text, which no line of ours starts with.

    A space before a word costs no extra token. Empty lines stay empty, and up to three plain words without a full stop
    stay unmarked, because no text of ours is so short.
    """
    if _FEW_PLAIN_WORDS.fullmatch(text):
        return text
    marked = mark_further_lines(text)
    return f" {marked}" if text[:1] not in {"", "\n", "\r"} else marked


def mark_further_lines(text: str) -> str:
    """As ``mark_lines``, except for the first line, which follows a label."""
    return _LINE_START.sub(" ", text)


def escape_line_breaks(text: str) -> str:
    """Escape the three line breaks that JSON may contain unescaped, except where a space marks the next line.

    The result is equivalent JSON.
    """
    return text if text.isascii() else _BREAK_IN_JSON.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def one_line(text: str, width: int) -> str:
    """Return the printable start of a text on one line, at most ``width`` characters."""
    cut = text[: max(width, 0)]
    if len(text) > width > 0:
        cut = f"{cut[:-1]}…"
    return printable(cut).replace("\n", " ").replace("\t", " ")


def write_scalar(value: Any) -> str:
    """Write anything but strings and containers as JSON; a very long integer as a description.

    Raises:
        NoJsonForm: The value has no JSON form.
    """
    if value is None:
        return "null"
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        if value.bit_length() > INTEGER_BITS:
            return f"(integer of about {int(value.bit_length() * 0.30103) + 1:,} digits)"
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value) if isfinite(value) else "null"
    raise NoJsonForm(type(value))


CHARACTERS_PER_TOKEN = 4
NAME = 80
NOTE = 300


class Subject(NamedTuple):
    """The subject of a preview."""

    # The reference as the model will write it, `@obj_1` or `@obj_1.items[3]`; `""` if the value was not stored, so that
    # no call is suggested.
    reference: str
    characters: int  # length of the whole value as text, in characters
    tool: str | None = None  # the tool that returned it
    kind_note: str | None = None  # another sentence for the headline, such as the format that it was parsed from
    tokens: int | None = None  # estimated tokens of the whole value; without it, one for four characters
    gets_whole: bool = False  # whether the tool that reads objects returns all of it
    is_shared: bool = False  # whether other processes can read the store, such as `coatcheck objects get`

    @property
    def target(self) -> Reference | None:
        """The reference, parsed; ``None`` if there is none."""
        return parse_reference(self.reference)

    def light(self, characters: int, tokens: int = 0) -> int:
        """Return how many characters a suggested call may give: fewer than these where they have many tokens."""
        return min(characters, (tokens or LIGHT_TOKENS) * self.characters // self.tokens) if self.tokens else characters


LIGHT_TOKENS = 700
"""Maximum estimated tokens of a suggested call's result; the estimate may be wrong by a quarter."""


def headlines(subject: Subject, what: str, *notes: str) -> list[str]:
    """Return the headline in several forms, the fullest first and the bare reference last.

    ``what`` is type and length, for example ``array of 5,000 items``; ``notes`` are sentences for the fullest forms.
    """
    start = f"{subject.reference}: {what}" if subject.reference else what
    size = f"{start}, {subject.characters:,} characters"
    tokens = subject.characters // CHARACTERS_PER_TOKEN if subject.tokens is None else subject.tokens
    if tokens:
        size += f" (~{tokens:,} tokens)"
    full = size
    if subject.tool:
        full += f", from {quoted_name(subject.tool, NAME)}"
    tool = listed_name("object_store_get") if subject.gets_whole and subject.reference else ""
    whole = f"{tool} gives it whole" if tool else ""
    sentences = [one_line(note, NOTE).rstrip(".") for note in (whole, subject.kind_note, *notes) if note]
    forms = [". ".join([full, *sentences]), full, size, start, subject.reference]
    return [form for form in forms if form]
