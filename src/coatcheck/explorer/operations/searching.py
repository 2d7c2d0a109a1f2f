"""``search``: counts all matches of a pattern and shows the first ones."""

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from coatcheck.errors import PatternError, counted, excerpt
from coatcheck.explorer.operations.clipping import ELLIPSIS, Page, cut_middle, fill
from coatcheck.explorer.operations.document import Answer, Document, locate, place
from coatcheck.explorer.operations.search_matches import Hits, search_lines, search_other, search_values
from coatcheck.explorer.texts.outlines import KINDS, NESTED, outline
from coatcheck.explorer.texts.text_formats import recognise

MATCHES_SHOWN = 20
MOST_MATCHES_SHOWN = 1_000
MOST_CONTEXT = 50
MOST_KEYS_SHOWN = 20
EXACT = 200
"""Characters of a pattern that is suggested."""
_GLOB = re.compile(r"[\w*?. -]+")
_MEMBER = re.compile(
    r"\"?(?P<name>[A-Za-z_]\w{0,60})\"? {0,3}(?:\\s[*+]?)?[:=] {0,3}(?:\\s[*+?])?\??"
    r"(?:\"(?P<text>[^\"\\]{0,100})\"?|(?P<plain>-?\d{1,15}|true|false|null)\b,?)"
)
"""A key with its value, as JSON text has them: ``"state": "open"``."""
_LIKE = re.compile(r"%[^%]+%?|[^%]+%")
_SLASHED = re.compile(r"/(.+)/[a-z]{0,5}")


def compile_pattern(pattern: str, *, case_sensitive: bool) -> re.Pattern[str]:
    """Compile a pattern in which ``^`` and ``$`` match at line boundaries.

    Raises:
        PatternError: Names the position of the fault.
    """
    flags = re.MULTILINE if case_sensitive else re.MULTILINE | re.IGNORECASE
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise PatternError(
            f'The pattern "{excerpt(pattern)}" is not a regular expression: {error.msg}{where}. {_advice_on(pattern)}'
        ) from None
    except (RecursionError, OverflowError):
        raise PatternError(
            f'The pattern "{excerpt(pattern)}" is nested too deeply or repeats too often. Use a simpler one.'
        ) from None


def _advice_on(pattern: str) -> str:
    """Write a glob as a regular expression, and what may be meant literally with backslashes."""
    if _GLOB.fullmatch(pattern) and pattern.strip("*"):
        meant = re.escape(pattern.strip("*")).replace(r"\*", ".*").replace(r"\?", ".").replace(r"\ ", " ")
        return f"Did you mean: {excerpt(meant, EXACT)}"
    if "(?" in pattern:
        return "Write a backslash before characters that are meant literally, such as ( [ { * + ? . | \\"
    literal = re.escape(pattern).replace(r"\ ", " ")
    return f"Write a backslash before characters that are meant literally: {excerpt(literal, EXACT)}"


def search(document: Document, args: dict[str, Any]) -> Answer:
    """Find a regular expression in a text's lines, or in all keys and scalar values of a structure.

    A text that is a document or a table is searched as a structure, with the lines outside it; if nothing matches, by
    lines.

    Args:
        document: The object.
        args: ``pattern``, ``case_sensitive`` (default false), ``start`` (matches to skip), ``most`` (maximum matches to
            show, default 20), ``context`` (lines around each match in a text), and the common ones.

    Raises:
        PatternError: The pattern does not compile.
    """
    pattern = compile_pattern(args["pattern"], case_sensitive=bool(args.get("case_sensitive")))
    value = locate(document, args.get("path") or "")
    opened = document.opened(value) if isinstance(value, str) else None
    if opened is not None:
        answer = _search(pattern, opened.value, args, opened.other_lines(value))
        if answer.facts["matches"]:
            return answer
    return _search(pattern, value, args)


def _search(
    pattern: re.Pattern[str], value: Any, args: dict[str, Any], other: Sequence[tuple[int, str]] = ()
) -> Answer:
    start = max(int(args.get("start") or 0), 0)
    most = min(max(int(args.get("most") or MATCHES_SHOWN), 1), MOST_MATCHES_SHOWN)
    hits = Hits(start, most, min(max(int(args.get("context") or 0), 0), MOST_CONTEXT))
    keys = Hits(0, MOST_KEYS_SHOWN)
    if isinstance(value, str):
        matches = search_lines(pattern, value, "", hits)
        head = f"{_count(matches, 'match', 'matches')} in {_count(hits.count, 'line', 'lines')} of {place(args)}"
        head += " (lines and offsets counted from 0):" if hits.count else "."
        _add_sections(value, hits)
    else:
        outside = search_other(pattern, other, hits)
        rows = search_values(pattern, value, hits, keys)
        values = hits.count - outside
        kind = "value" if not rows else "row" if rows == values else "row or value"
        noun = _count(values, kind, kind.replace("row", "rows").replace("value", "values"))
        head = f"{noun} and {_count(keys.count, 'key', 'keys')} of {place(args)} match"
        head += f", and {_count(outside, 'line', 'lines')} outside the data" if outside else ""
        matches = hits.count + keys.count
        head += ":" if matches else "."
    if not matches:
        member = None if isinstance(value, str) else _MEMBER.fullmatch(args["pattern"])
        head += " " + (_advice(args) if member is None else _advice_on_member(member))
    page = Page(args["limit"], head)
    lines = keys.lines + hits.lines if not start else hits.lines
    # One match with its context must not prevent the others, or itself, from being shown.
    lines = [cut_middle(line, args["limit"] // 2) for line in lines]
    text = fill(page, lines, lambda shown: _omission_note(shown, hits, keys))
    return Answer(text, facts={"matches": matches, "shown": page.count})


def _add_sections(text: str, hits: Hits) -> None:
    """Put above matches the part of the text that they are in, as its outline names it: file, commit, function."""
    form = recognise(text) if hits.lines else ""
    if form not in KINDS or form in NESTED or len(hits.lines) > MATCHES_SHOWN or hits.context:
        return
    entries = outline(text, form)
    lines = [entry.line for entry in entries]
    named = -1
    for number, start in enumerate(hits.starts):
        found = bisect_right(lines, start) - 1
        if found >= 0 and found != named and lines[found] < start:
            hits.lines[number] = f"{entries[found].line}| {entries[found].name}\n{hits.lines[number]}"
        named = found


def _omission_note(shown: int, hits: Hits, keys: Hits) -> str:
    shown_hits = max(shown - (0 if hits.skip else len(keys.lines)), 0)
    left = hits.count - hits.skip - shown_hits
    unnamed = 0 if hits.skip else keys.count - len(keys.lines)
    words = []
    if unnamed > 0:
        words.append(f"{ELLIPSIS} {counted(unnamed, 'more matching key')}.")
    if left > 0:
        start = hits.skip + shown_hits
        words.append(f"{ELLIPSIS} {left:,} more: narrow the pattern or the path, or continue with start={start}.")
    return " ".join(words)


def _advice_on_member(member: re.Match[str]) -> str:
    """Write the search for a key with its value, as JSON has them, as a filter."""
    wanted = member["plain"] if member["text"] is None else json.dumps(member["text"], ensure_ascii=False)
    filter_ = f"[.. | objects | select(.{member['name']} == {wanted})]"
    return f"Keys and values are searched apart; both together are found by the filter {excerpt(filter_, EXACT)}"


def _advice(args: dict[str, Any]) -> str:
    if args.get("case_sensitive"):
        return "The search was case-sensitive; try one that ignores case."
    slashed = _SLASHED.fullmatch(args["pattern"])
    if slashed is not None:
        return f"Write the pattern without slashes and flags: {excerpt(slashed[1], EXACT)}"
    if "\\|" in args["pattern"]:
        return f"Did you mean: {excerpt(args['pattern'].replace(chr(92) + '|', '|'), EXACT)}"
    if _LIKE.fullmatch(args["pattern"]):
        return f"Write the pattern without %: {excerpt(args['pattern'].strip('%'), EXACT)}"
    if "[[:" in args["pattern"]:
        return r"A Python regex has no classes such as [[:digit:]]: write \d, \s, \w or [A-Z]."
    return "Try a shorter pattern, or one word of it."


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
