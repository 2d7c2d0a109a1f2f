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
    words: list[str] = []
    inside: list[str] = []  # brackets and strings that are open; "{" waits for a key, ":" stands for a member's value
    position = 0
    while position < len(program):
        if inside and inside[-1] == _STRING:
            position = _string_part(program, position, inside)
            continue
        token = _TOKEN.match(program, position)
        if token is None:  # "." matches anything but a line break, which is space: nothing is left
            break
        position = token.end()
        kind, text = token.lastgroup, token.group()
        if kind == "comment" and text.rstrip("\r").endswith("\\"):
            raise FilterError("A comment in the filter ends in a backslash; remove the comment.")
        if kind == "string":
            inside.append(_STRING)
        elif kind == "open":
            inside.append(text)
        elif kind == "close":
            _close(inside, text)
        elif kind == "name":
            name = re.sub(r"\s", "", text)
            if name.startswith("$") or not (inside and inside[-1] == "{" and _SEPARATOR_AHEAD.match(program, position)):
                words.append(name)
        elif kind == "other":
            _note_separator(inside, text)
    return words


def _string_part(program: str, position: int, inside: list[str]) -> int:
    part = _STRING_PART.match(program, position)
    if part is None:
        return len(program)
    if part["end"]:
        inside.pop()
    elif part["code"]:
        inside.append("(")
    return part.end()


def _close(inside: list[str], bracket: str) -> None:
    if bracket == "}" and inside and inside[-1] == ":":
        inside.pop()
    if inside and inside[-1] != _STRING:
        inside.pop()


def _note_separator(inside: list[str], text: str) -> None:
    if not inside:
        return
    if text == ":" and inside[-1] == "{":
        inside.append(":")
    elif text == "," and inside[-1] == ":":
        inside.pop()
