r"""The grammar of references and paths, and its parser.

    reference = "@" id path
    id        = "obj_" ( letter | digit | "_" | "-" )+              ASCII
    path      = { "." key | "[" inside "]" }
    key       = ( letter | digit | "_" | "-" | "$" | "@" )+         any script
    inside    = integer | [ integer ] ":" [ integer ] | JSON string | the same in single quotes

As a separate argument a path may omit its first dot: ``items[3].name``, or start with JSONPath's ``$``. Only text
that follows the grammar to its last character is a reference: ``@alice``, ``user@obj_1.com`` and ``@obj_1 is nice`` are
plain text. ``@@obj_1`` stands for the text ``@obj_1``.
"""

import json
import re

from coatcheck.errors import ReferenceSyntaxError, excerpt
from coatcheck.references.paths import PLAIN_KEY, Index, Key, Path, Reference, Slice, Step, quote

OBJECT_ID = re.compile(r"obj_[A-Za-z0-9_-]+")
LONGEST_ID = 200
"""Maximum characters of an id; backends generate shorter ones."""

REFERENCE_PATTERN = "^@obj_[A-Za-z0-9_-]+"
"""A JSON Schema pattern that every reference matches."""

MAX_PATH_LENGTH = 4096
MAX_INDEX_DIGITS = 15

EXACT = 200
"""Maximum characters of a corrected path in a message."""
_WRAPPED = re.compile(
    r"[\s{(<\[*`'\"\u2018\u201c\u00ab]*(?:coatcheck://objects/)?[@$#\uff20]*(obj_.*?)[\s}>)*`'\"\u2019\u201d\u00bb.,;:!?]*",
    re.DOTALL,
)
"""An id in quotes, backticks, braces or a stored object's address, or followed by punctuation."""
_ID_IN_TEXT = re.compile(r"@?(obj_[A-Za-z0-9_-]+)")
_BARE_RANGE = re.compile(
    r"(?P<lines>[Ll]ines? *)?\[?(?P<start>\d{1,9}) *(?:[:-]|\.{2,3}|to|,) *(?P<stop>\d{1,9})\]?"
    r"|[Ll]ines?(?: +|\[)(?P<line>\d{1,9})\]?"
)
_RANGE = re.compile(r"(?:lines)?\[\d{1,9}:\d{1,9}\]|lines\[\d{1,9}\]")
_WITHOUT_DOT = re.compile(r"(?<=\])(?=\w)")
_QUOTES = frozenset("\"'")
_STRAIGHT = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
_CONDITION = re.compile(r"\[\?\(?(?P<test>[^\[\]()]{1,150})\)?\]")
_KEY_END = re.compile(r"[.\[]")
_SLICE_OR_INDEX = re.compile(r"(?P<start>-?[0-9]+)?(?:(?P<colon>:)(?P<stop>-?[0-9]+)?)?\]")
_DOUBLE_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SINGLE_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)


def parse_path(text: str) -> Path:
    """Parse a separate path; the first dot may be missing, and ``""`` or ``"."`` is the root.

    Raises:
        ReferenceSyntaxError: The text does not follow the grammar; the message names the position.
    """
    text = text.strip()
    if text[:1] == "$" and text[1:2] in {"", ".", "["}:
        text = text[1:]
    if text in {"", "."}:
        return Path()
    if "[\u201c" in text or "[\u2018" in text:
        text = text.translate(_STRAIGHT)
    _refuse_other_notation(text)
    first = PLAIN_KEY.match(text)
    if first is None:
        return _path(text, _steps(text))
    return _path(text, _steps(text, first.end(), Key(first.group())))


def _refuse_other_notation(text: str) -> None:
    """Suggest the path for a JSON pointer, a bare range, a line or a condition of JSONPath.

    Raises:
        ReferenceSyntaxError: With the exact form.
    """
    if len(text) > EXACT:
        return
    meant = ""
    if text[:1] == "/" and text[1:2] != "/":
        parts = [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]
        meant = str(Path(tuple(Index(int(part)) if part.isdecimal() else Key(part) for part in parts)))
    elif (found := _BARE_RANGE.fullmatch(text)) is not None and _RANGE.fullmatch(text) is None:
        lines = found["line"] or f"{found['start']}:{found['stop']}"
        meant = f"lines[{lines}]" if found["line"] or found["lines"] else f"[{lines}], or lines[{lines}] of a text"
    elif _WITHOUT_DOT.search(text) is not None and not _QUOTES.intersection(text):
        meant = _WITHOUT_DOT.sub(".", text)
    elif (condition := _CONDITION.search(text)) is not None:
        before, after = text[: condition.start()], text[condition.end() :]
        test = condition["test"].replace("@.", ".")
        path = before if before[:1] == "." else f".{before}"
        filter_ = f"[{path}[] | select({test}){f' | {after}' if after else ''}]"
        raise ReferenceSyntaxError(
            f'The path "{excerpt(text)}" means many parts, and a path leads to one. As a jq filter: '
            f"{excerpt(filter_, 2 * EXACT)}"
        )
    if meant:
        raise ReferenceSyntaxError(f'"{excerpt(text)}" is not a path. Did you mean: {excerpt(meant, 2 * EXACT)}')


def parse_reference(text: str) -> Reference | None:
    """Parse a reference; return ``None`` for any other text, however similar."""
    if not text.startswith("@obj_"):
        return None
    found = OBJECT_ID.match(text, 1)
    if found is None:
        return None
    rest = text[found.end() :]
    if not rest:
        return Reference(found.group())
    try:
        return Reference(found.group(), _path(rest, _steps(rest)))
    except ReferenceSyntaxError:
        return None


def parse_target(object_id: str, path: str = "") -> Reference:
    """Parse a tool's ``object_id`` and ``path``: the id with or without ``@``, optionally followed by a path.

    Raises:
        ReferenceSyntaxError: Neither an id nor a reference, or a malformed path.
    """
    given = _unwrapped(object_id)
    found = OBJECT_ID.match(given)
    if found is None:
        inside = _ID_IN_TEXT.search(object_id[: 2 * EXACT])
        meant = f'did you mean "@{inside[1]}"?' if inside else 'give one such as "obj_001", as a preview shows it.'
        raise ReferenceSyntaxError(f'"{excerpt(object_id)}" is not an object id: {meant}')
    rest = given[found.end() :].lstrip(" \t#")
    inner = Path() if not rest else parse_path(rest) if rest[:1] == "/" else _path(rest, _steps(rest))
    whole = parse_reference(path.strip())
    if whole is not None:
        if whole.object_id == found.group():
            return Reference(found.group(), inner.join(whole.path.steps))
        raise ReferenceSyntaxError(
            f'The path "{excerpt(path)}" is a reference to another object: give object_id="@{whole.object_id}"'
            + (f', path="{excerpt(str(whole.path))}".' if whole.path else ".")
        )
    return Reference(found.group(), inner.join(parse_path(path).steps))


def _unwrapped(text: str) -> str:
    found = _WRAPPED.fullmatch(text) if len(text) <= 2 * EXACT else None
    return text.strip().removeprefix("@") if found is None else found[1]


def is_object_id(text: str) -> bool:
    """Whether a text has the form of an object's id."""
    return len(text) <= LONGEST_ID and OBJECT_ID.fullmatch(text) is not None


def unescape(text: str) -> str:
    """Unescape ``@@obj_1``; return other text unchanged."""
    if text.startswith(("@@obj_", "@@@")):
        plain = text.lstrip("@")
        if parse_reference(f"@{plain}") is not None:
            return text[1:]
    return text


def _path(text: str, steps: list[Step]) -> Path:
    """Build a path, unless its canonical text, in which a character may take six, is too long."""
    path = Path(tuple(steps))
    if len(text) > MAX_PATH_LENGTH // 6 and len(str(path)) > MAX_PATH_LENGTH:
        length = f"{len(str(path)):,}"
        raise ReferenceSyntaxError(
            f"The path has {length} characters when written out; {MAX_PATH_LENGTH:,} are allowed."
        )
    return path


def _steps(text: str, position: int = 0, first: Key | None = None) -> list[Step]:
    if len(text) > MAX_PATH_LENGTH:
        raise ReferenceSyntaxError(f"The path has {len(text):,} characters; {MAX_PATH_LENGTH:,} are allowed.")
    steps: list[Step] = [] if first is None else [first]
    while position < len(text):
        if text[position] not in ".[" and steps and isinstance(steps[-1], Key):
            raise _unquoted(text, position, steps[-1].name)
        step, position = _step(text, position)
        steps.append(step)
    return steps


def _step(text: str, position: int) -> tuple[Step, int]:
    if text[position] == ".":
        key = PLAIN_KEY.match(text, position + 1)
        if key is None:
            if text[position + 1 : position + 2] == "[":
                return _bracket(text, position + 1)
            quoted = _DOUBLE_QUOTED.match(text, position + 1)  # as in jq
            if quoted is not None:
                return Key(_unquote(text, quoted.group(), position)), quoted.end()
            if text[position + 1 : position + 2] == "*":
                raise _for_all(text)
            if text[position + 1 : position + 2].strip(" .[]\"'"):
                raise _unquoted(text, position + 1, "")
            raise _fault(text, position, 'a key after the dot; other keys go in brackets: ["my key"]')
        return Key(key.group()), key.end()
    if text[position] == "[":
        return _bracket(text, position)
    raise _fault(text, position, '".key", "[3]" or ["my key"]')


def _for_all(text: str) -> ReferenceSyntaxError:
    """Suggest a filter for a path that selects all items."""
    filter_ = text.replace("[*]", "[]").replace(".*", "[]")
    filter_ = filter_ if filter_[:1] in {".", "["} else f".{filter_}"
    filter_ = filter_ if filter_[:1] == "." else f".{filter_}"
    return ReferenceSyntaxError(
        f'The path "{excerpt(text)}" means many parts, and a path leads to one. As a jq filter: '
        f"[{excerpt(filter_, EXACT)}]"
    )


def _unquoted(text: str, position: int, begun: str) -> ReferenceSyntaxError:
    """Suggest the quoted form of a key at which a path is malformed, such as ``node_modules/axios``."""
    end = _KEY_END.search(text, position)
    key = begun + text[position : end.start() if end else len(text)]
    before = text[: position - len(begun)].removesuffix(".")
    exact = f"{before}[{quote(key)}]{text[end.start() :] if end else ''}"
    where = excerpt(text[position : position + 40])
    return ReferenceSyntaxError(
        f'The path "{excerpt(text)}" is malformed at character {position + 1} ("{where}"): a key with '
        f'"{excerpt(text[position])}" in it goes in brackets, as in {excerpt(exact, EXACT)}'
    )


def _bracket(text: str, position: int) -> tuple[Step, int]:
    inside = position + 1
    first = text[inside : inside + 1]
    if first in {'"', "'"}:
        quoted = (_DOUBLE_QUOTED if first == '"' else _SINGLE_QUOTED).match(text, inside)
        if quoted is None or text[quoted.end() : quoted.end() + 1] != "]":
            raise _fault(text, position, f"a closing {first}] behind the key")
        return Key(_unquote(text, quoted.group(), position)), quoted.end() + 1
    if first in {"*", "]"}:
        raise _for_all(text)
    number = _SLICE_OR_INDEX.match(text, inside)
    if number is None or not (number["start"] or number["colon"]):
        raise _fault(
            text, position, 'a position, a range or a quoted key in the brackets: [3], [-1], [0:20], ["my key"]'
        )
    start, stop = _integer(text, position, number["start"]), _integer(text, position, number["stop"])
    if number["colon"]:
        return Slice(start, stop), number.end()
    if start is None:
        raise _fault(text, position, "a position in the brackets: [3]")
    return Index(start), number.end()


def _integer(text: str, position: int, digits: str | None) -> int | None:
    if digits is None:
        return None
    if len(digits) > MAX_INDEX_DIGITS:
        raise _fault(text, position, f"a position of at most {MAX_INDEX_DIGITS} digits")
    return int(digits)


def _unquote(text: str, quoted: str, position: int) -> str:
    if quoted[0] == "'":
        inner = re.sub(r"\\(.)|(\")", lambda m: _requote(m.group(1), m.group(2)), quoted[1:-1], flags=re.DOTALL)
        quoted = f'"{inner}"'
    try:
        name: str = json.loads(quoted, strict=False)
    except ValueError as error:
        raise _fault(text, position, "a key with JSON's escapes in the quotes") from error
    return name


def _requote(escaped: str | None, bare: str | None) -> str:
    if bare is not None:
        return '\\"'
    return "'" if escaped == "'" else f"\\{escaped}"


def _fault(text: str, position: int, expected: str) -> ReferenceSyntaxError:
    where = excerpt(text[position : position + 40])
    return ReferenceSyntaxError(
        f'The path "{excerpt(text)}" is malformed at character {position + 1} ("{where}"): expected {expected}.'
    )
