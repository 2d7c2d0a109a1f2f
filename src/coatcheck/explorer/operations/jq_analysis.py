"""What a jq filter does, without running it: external access, rounded integers, and the plain path at its start.

jq reads 17 to 40 MB of JSON per second, which is nearly all of a filter's time on a large object. In
``.rows[0:1000] | map(.name)`` a path comes first and the rest applies to its result. The path before the first ``|``
can be followed on the decoded value, which a worker caches, at almost no cost, so that jq reads only the selected part.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from coatcheck.codec.exact_json import digits_of, has_digits
from coatcheck.errors import FilterError

REFUSED = {
    "env": "the environment",
    "$ENV": "the environment",
    "input": "further inputs; the object is the only one, and it is `.`",
    "inputs": "further inputs; the object is the only one, and it is `.`",
    "input_filename": "a file name",
    "input_line_number": "a file",
    "include": "files",
    "import": "files",
    "modulemeta": "files",
    "get_search_list": "file paths",
    "get_jq_origin": "file paths",
    "get_prog_origin": "file paths",
    "$__prog_args": "the command line",
    "debug": "a terminal",
    "stderr": "a terminal",
    "halt": "the process",
    "halt_error": "the process; use `error` to fail",
}

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>\#[^\n]*)
  | (?P<field>\.[A-Za-z_]\w*)
  | (?P<number>\.?[0-9][0-9.]*(?:[eE][+-]?[0-9]+)?)
  | (?P<format>@[A-Za-z0-9_]+)
  | (?P<name>(?:\$\s*)?(?:[A-Za-z_]\w*::)*[A-Za-z_]\w*)
  | (?P<string>")
  | (?P<open>[(\[{])
  | (?P<close>[)\]}])
  | (?P<operator>//=?|\|=|==|!=|<=?|>=?|[-+*/%]=?|=)
  | (?P<other>\.\.|.)
    """,
    re.VERBOSE | re.ASCII,
)
_OPERANDS = frozenset({"field", "number", "name", "close", "string", "format"})
"""Tokens that may precede an operator; after anything else a ``-`` is a sign."""
_EXACT_OPERATORS = frozenset({"//", "//=", "|=", "="})
_COMPUTING = {
    "abs", "add", "ceil", "contains", "fabs", "floor", "group_by", "index", "indices", "inside", "log", "log10",
    "log2", "max", "max_by", "min", "min_by", "pow", "range", "round", "sort", "sort_by", "sqrt", "trunc", "unique",
    "unique_by",
}  # fmt: skip
_STRING_PART = re.compile(r'[^"\\]+|\\[^(]|(?P<end>")|(?P<code>\\\()', re.DOTALL)
_SEPARATOR_AHEAD = re.compile(r"\s*(?:[,}:]|\Z)")

_STRING = '"'


def refuse_external_access(program: str) -> None:
    """Refuse a filter with words that access something outside the filter and its object.

    Strings, comments, fields (``.env``), keys (``{input: 1}``) and variables (``$input``) are not such words. The
    sandbox makes them harmless anyway; a clear error is better than an empty answer.

    Raises:
        FilterError: Names the word and what it accesses.
    """
    for word in _words(program):
        reach = REFUSED.get(word)
        if reach is not None:
            raise FilterError(
                f"The filter uses `{word}`, which is not available here: it would reach for {reach}. "
                f'Leave it out; a field of that name is `.{word.lstrip("$")}` or `."{word.lstrip("$")}"`.'
            )


def uses_arithmetic(program: str) -> bool:
    """Whether a filter does arithmetic or compares, which jq does with 53 bits."""
    return any(word in _COMPUTING or not word[0].isalpha() for word in _words(program) if word[0] != "$")


def _words(program: str) -> list[str]:
    """Return the names that jq looks up (functions, keywords, variables with ``$``) and its operators.

    Only operators that compute or compare are included.
    """
    words: list[str] = []
    before: str | None = None
    inside: list[str] = []  # the open brackets: "{" expects a key, ":" a member's value
    position = 0
    while position < len(program):
        if inside and inside[-1] == _STRING:
            position = _string_part(program, position, inside)
            continue
        token = _TOKEN.match(program, position)
        if token is None:
            break
        position = token.end()
        kind, text = token.lastgroup, token.group()
        if kind == "name":
            is_key = inside and inside[-1] == "{" and _SEPARATOR_AHEAD.match(program, position)
            if text.startswith("$") or not is_key:
                words.append(re.sub(r"\s", "", text))
        elif kind == "operator":
            if before in _OPERANDS and text not in _EXACT_OPERATORS:
                words.append(text)
        elif kind == "comment":
            _refuse_continued_comment(text)
        else:
            _follow(kind, text, inside)
        if kind not in {"space", "comment"}:
            before = "field" if text in {".", ".."} else kind
    return words


def _refuse_continued_comment(text: str) -> None:
    # Versions of jq differ on the end of such a comment, so the following text may be code.
    if text.rstrip("\r").endswith("\\"):
        raise FilterError("A comment in the filter ends in a backslash; remove the comment.")


def _string_part(program: str, position: int, inside: list[str]) -> int:
    part = _STRING_PART.match(program, position)
    if part is None:
        return len(program)
    if part["end"]:
        inside.pop()
    elif part["code"]:
        inside.append("(")
    return part.end()


def _follow(kind: str | None, text: str, inside: list[str]) -> None:
    if kind == "string":
        inside.append(_STRING)
    elif kind == "open":
        inside.append(text)
    elif kind == "close":
        if text == "}" and inside and inside[-1] == ":":
            inside.pop()
        if inside and inside[-1] != _STRING:
            inside.pop()
    elif inside and (text, inside[-1]) == (":", "{"):
        inside.append(":")
    elif inside and (text, inside[-1]) == (",", ":"):
        inside.pop()


_STEP = re.compile(
    r"""
    \s*
    (?: (?: \. (?P<name>[A-Za-z_][A-Za-z0-9_]*)
          | \. (?P<quoted>"[^"\\\x00-\x1f]*")
          | \.? \[ \s* (?P<key>"[^"\\\x00-\x1f]*") \s* \]
          | \.? \[ \s* (?P<index>-?[0-9]{1,9}) \s* \]
          | \.? \[ (?=[\s:]*-?[0-9]) \s* (?P<start>-?[0-9]{1,9})? \s* : \s* (?P<stop>-?[0-9]{1,9})? \s* \]
        )
    )
    """,
    re.VERBOSE,
)
_END = re.compile(r"\s*(?:\Z|\|(?!=))")
_FIRST_BRACKET = re.compile(r"\s*\[")


def begins_with_path(program: str) -> bool:
    """Whether a filter starts with a plain path, so that a part of its value may be sufficient."""
    return next(_steps(program), None) is not None


def narrow(program: str, value: Any) -> tuple[str, Any]:
    """Follow the filter's leading path as far as possible; return the rest of the filter and its input.

    Steps that are not plain look-ups in jq (indexing a string, a number, an error) are left to jq: the rest then starts
    with that step.
    """
    rest = program
    for step, behind in _steps(program):
        if value is None or not isinstance(value, dict if isinstance(step, str) else list):
            break
        value = _look_up(step, value)
        rest = behind
    return rest, value


def _steps(program: str) -> Iterator[tuple[str | int | slice, str]]:
    """Return each step with the rest of the filter; nothing if the path is only part of an expression."""
    found: list[tuple[str | int | slice, int]] = []
    position = 0
    if _FIRST_BRACKET.match(program):
        return  # This constructs an array; nothing is looked up.
    while step := _STEP.match(program, position):
        found.append((_of(step), step.end()))
        position = step.end()
    end = _END.match(program, position)
    if end is None:
        return
    for number, (one, stop) in enumerate(found):
        last = number == len(found) - 1
        behind = program[end.end() :] if last else _continued(program[stop:])
        yield one, behind if behind.strip() else "."


def _continued(rest: str) -> str:
    """Complete the rest after a step to a path: a bracket needs a dot."""
    return f".{rest.lstrip()}" if rest.lstrip()[:1] == "[" else rest


def _of(step: re.Match[str]) -> str | int | slice:
    if step["name"] is not None:
        return step["name"]
    quoted = step["quoted"] or step["key"]
    if quoted is not None:
        return str(json.loads(quoted))
    if step["index"] is not None:
        return int(step["index"])
    return slice(*(int(bound) if bound else None for bound in (step["start"], step["stop"])))


def _look_up(step: str | int | slice, value: Any) -> Any:
    if isinstance(step, str):
        return value.get(step)
    if isinstance(step, int):
        return value[step] if -len(value) <= step < len(value) else None
    return value[step]


EXACT_INTEGER, BEYOND_53_BITS = 2**53, 16
"""The largest integer with which jq computes exactly, and the digits that a larger one has at least."""
ROUNDED_NAMED = 5
_INTEGER_OF_16 = re.compile(r"(?<![\w.\"])\d{16,400}(?![\w.\"])")
LOOKED_THROUGH = 1024 * 1024
"""Characters of JSON whose fields are examined; in longer ones, any long integer counts as used."""

_LONG_MEMBER = re.compile(
    r'(?:"(?P<field>[^"\\]{0,200})"\s{0,9}:|"\s{0,9}:|[\[,]|\A)\s{0,99}-?(?P<digits>\d{16,400})(?=\s{0,99}(?:[,}\]]|\Z))'
)
_STRING_OF_JSON = re.compile(r'"(?:[^"\\]|\\.)*"')
_OPERAND = r"(?:(?<![\w.\])}])(?:\.[A-Za-z_]\w*)+(?![\w.\[(\"?])|(?<![\w.\])}])\d+(?:\.\d+)?(?![\w.\[(]))"
_OF_FIELDS = re.compile(
    rf"\b(?:sort|group|unique|min|max)_by\(\s*(?:\.[A-Za-z_]\w*)+\s*\)|{_OPERAND}\s*(?:[=!<>]=|[-+*/%<>])\s*{_OPERAND}"
)
_EXACT = re.compile(r"(?<![\w.\])}])\.(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?\s{0,9}[=!]=\s{0,9}-?\d+(?![\w.])")
"""An equality comparison of an unchanged part with an integer, which jq does exactly."""
_LAST_FIELD = re.compile(r"\.([A-Za-z_]\w*)(?![\w.])")


def may_round(program: str, source: str) -> bool:
    """Whether a computing filter may use an integer beyond 2^53 of its JSON input.

    It does not if all its operands are named fields that contain neither such integers nor containers.
    """
    program = _EXACT.sub("0", program)
    if not uses_arithmetic(program):
        return False
    if len(source) > LOOKED_THROUGH:
        return True
    found = [each for each in _LONG_MEMBER.finditer(source) if int(each["digits"]) > EXACT_INTEGER]
    fields = {each["field"] for each in found}
    named = [field for field in fields if field and re.search(rf"(?<!\w){re.escape(field)}(?!\w)", program)]
    if not found or None in fields or named:
        return bool(found)
    if any(part in program for part in ("\\(", "$", "entries")):
        return True
    plain = _STRING_OF_JSON.sub("0", program)
    used = {name for each in _OF_FIELDS.finditer(plain) for name in _LAST_FIELD.findall(each.group())}
    if any(re.search(rf'"{name}"\s*:\s*[\[{{]', source) for name in used):
        return True
    return uses_arithmetic(_OF_FIELDS.sub("0", plain))


def rounded_integers(value: Any, source: str) -> list[int]:
    """Return the integers beyond 2^53 that jq computed: those that do not occur in the object."""
    found: dict[int, None] = {}
    for item in integers(value):
        if abs(item) > EXACT_INTEGER and digits_of(abs(item)) not in source:
            found[item] = None
            if len(found) > ROUNDED_NAMED:
                break
    return list(found)


def has_long_integer(source: str) -> bool:
    """Whether JSON has an integer beyond 2^53, or a string with such digits: distinguishing them would cost more."""
    if source[:1] == '"' or not has_digits(source, BEYOND_53_BITS):
        return False
    return any(int(found.group()) > EXACT_INTEGER for found in _INTEGER_OF_16.finditer(source))


def integers(value: Any) -> Iterator[int]:
    """Return the integers at all depths."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, int):
            yield item
