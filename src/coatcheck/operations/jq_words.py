"""The words of a jq filter that reach outside it, found as jq itself would read them."""

import re

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
  | (?P<other>\.\.|.)
    """,
    re.VERBOSE | re.ASCII,
)
_STRING_PART = re.compile(r'[^"\\]+|\\[^(]|(?P<end>")|(?P<code>\\\()', re.DOTALL)
_SEPARATOR_AHEAD = re.compile(r"\s*(?:[,}:]|\Z)")

_STRING = '"'


def refuse_reaching_out(program: str) -> None:
    """Refuse a filter that uses words which would reach outside the filter and its object.

    Strings, comments, fields (``.env``), keys (``{input: 1}``) and variables (``$input``) are not such words. The
    sandbox would make all of them harmless; a clear word is better than an empty answer.

    Raises:
        FilterError: With the word and what it reaches for.
    """
    for word in _words(program):
        reach = REFUSED.get(word)
        if reach is not None:
            raise FilterError(
                f"The filter uses `{word}`, which is not available here: it would reach for {reach}. "
                f'Leave it out; a field of that name is `.{word.lstrip("$")}` or `."{word.lstrip("$")}"`.'
            )


def _words(program: str) -> list[str]:
    """Give the names that jq would look up: functions, keywords, and variables with their ``$``."""
    words: list[str] = []
    inside: list[str] = []  # what is open: "{" waits for a key, ":" stands for a member's value
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
            if text.startswith("$") or not _is_key(program, position, inside):
                words.append(re.sub(r"\s", "", text))
        elif kind == "comment":
            _refuse_continued_comment(text)
        else:
            _follow(kind, text, inside)
    return words


def _is_key(program: str, position: int, inside: list[str]) -> bool:
    return bool(inside and inside[-1] == "{" and _SEPARATOR_AHEAD.match(program, position))


def _refuse_continued_comment(text: str) -> None:
    # Versions of jq differ on where such a comment ends, so what follows may be code or not.
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
