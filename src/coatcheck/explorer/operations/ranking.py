"""``rank``: passages that contain some words, ranked by BM25 of SQLite's full-text search in memory."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from coatcheck.errors import PatternError, SandboxError, counted, excerpt
from coatcheck.explorer.operations.clipping import ELLIPSIS, Page, fill, one_line
from coatcheck.explorer.operations.document import Answer, Document, locate, place
from coatcheck.explorer.operations.search_matches import Link, path_of

PASSAGE = 1_200
"""Characters of a passage: shorter paragraphs are joined, longer ones are split at line breaks."""
MOST_CHARACTERS = 4_000_000
"""Characters that are indexed; a worker takes about half a second for them."""
MOST_WORDS = 20
SNIPPET_WORDS = 40
SNIPPET_CHARACTERS_AS_WORDS = 60
"""SQLite gives at most 64."""
SNIPPET_CHARACTERS = 400
_WORD = re.compile(r"[^\x00-\x20\s!-/:-@\[-^`{-~\u2010-\u2027\u3000-\u3003\u3008-\u3011\uff01-\uff0f]{1,60}")
"""A word, with combining marks: those of Hindi or Thai are no letters."""
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""Characters of scripts without spaces between words (Chinese, Japanese, Thai): each is indexed as a word."""
APART = "\x1f"
_COMMON = frozenset(
    {"a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "how", "i", "if", "in", "is"}
    | {"it", "my", "of", "on", "or", "that", "the", "this", "to", "was", "were", "what", "when", "where", "which"}
    | {"who", "why", "will", "with", "you"}
)
"""Words of questions, which would decide the order if few passages have them."""
_BREAK = re.compile(r"\n[ \t\r]*\n")

Passage = tuple[str, str]
"""A position and its text."""


def rank(document: Document, args: dict[str, Any]) -> Answer:
    """Find the passages of a text, or the rows of a structure, that match some words best.

    Args:
        document: The object.
        args: ``pattern`` (words, which are stemmed), ``start`` (passages to skip), ``most`` (maximum passages to show,
            default 20), and the common ones.

    Raises:
        PatternError: The pattern contains no word.
        SandboxError: SQLite was built without full-text search.
    """
    found_words = (word.lower() for word in _WORD.findall(args["pattern"]) if any(map(str.isalnum, word)))
    words = list(dict.fromkeys(found_words))[:MOST_WORDS]
    words = [word for word in words if word not in _COMMON] or words
    if not words:
        raise PatternError(f'There is no word in "{excerpt(args["pattern"])}": a ranked search takes words.')
    value = locate(document, args.get("path") or "")
    opened = document.open_text(value) if isinstance(value, str) else None
    start = max(int(args.get("start") or 0), 0)
    most = max(int(args.get("most") or MOST_WORDS), 1)
    with closing(sqlite3.connect(":memory:")) as database:
        is_whole = _index(database, value if opened is None else opened)
        total, found = _best(database, words, start, most)
        if not total and (pairs := _pairs(words)):  # a question without spaces
            words = pairs
            total, found = _best(database, words, start, most)
    head = f"{counted(total, 'passage')} of {place(args)} with any of {', '.join(words)}, the best first"
    head += ":" if found else ". Try other words, or a pattern without ranked."
    if not is_whole:
        head += f" (Only the first {MOST_CHARACTERS:,} characters were looked at.)"
    page = Page(args["limit"], head)
    lines = (f"{where}: {one_line(text)[:SNIPPET_CHARACTERS]}" for where, text in found)

    def omission_note(shown: int) -> str:
        following = start + shown
        return f"{ELLIPSIS} {total - following:,} more: continue with start={following}." if following < total else ""

    text = fill(page, lines, omission_note)
    return Answer(text, facts={"matches": total, "shown": page.count})


def _index(database: sqlite3.Connection, value: Any) -> bool:
    """Index the passages of a value; return whether all are indexed."""
    left = MOST_CHARACTERS
    try:
        database.execute("pragma temp_store = memory")
        database.execute(
            "create virtual table passages using fts5(place unindexed, passage, tokenize = 'porter unicode61')"
        )
        rows = []
        for where, text in _passages(value):
            left -= len(text)
            if left < 0:
                break
            rows.append((where, _apart(text.encode("utf-8", "replace").decode())))
        database.executemany("insert into passages values (?, ?)", rows)
    except sqlite3.OperationalError as error:
        raise SandboxError(f"SQLite has no full-text search here ({error}): search with a pattern.") from None
    return left >= 0


def _best(database: sqlite3.Connection, words: list[str], start: int, most: int) -> tuple[int, list[Passage]]:
    match_query = " OR ".join(f'"{_apart(word)}"' for word in words)
    (total,) = database.execute("select count(*) from passages where passage match ?", [match_query]).fetchone()
    found = database.execute(
        "select place, snippet(passages, 1, '', '', '…', ?) from passages where passage match ? "
        "order by bm25(passages), rowid limit ? offset ?",
        [SNIPPET_CHARACTERS_AS_WORDS if APART in match_query else SNIPPET_WORDS, match_query, most, start],
    ).fetchall()
    return total, [(where, text.replace(APART, "")) for where, text in found]


def _pairs(words: list[str]) -> list[str]:
    runs = [run for word in words for run in _UNSPACED.findall(word)]
    pairs = [run[place : place + 2] for run in runs for place in range(len(run) - 1)]
    return list(dict.fromkeys(pairs))[:MOST_WORDS]


def _apart(text: str) -> str:
    return text if text.isascii() else _UNSPACED.sub(lambda run: f"{APART}{APART.join(run[0])}{APART}", text)


def _passages(value: Any) -> Iterator[Passage]:
    if isinstance(value, str):
        yield from _paragraphs(value, "line ")
        return
    pending: list[tuple[Link, Any]] = [(None, value)]
    while pending:
        link, part = pending.pop()
        if isinstance(part, str):
            yield from _text(part, link)
        elif isinstance(part, dict) and link is not None and isinstance(link[1], int):
            # A row is one passage with its short texts; its long or nested values are separate passages.
            short = [text for text in part.values() if isinstance(text, str) and len(text) <= PASSAGE]
            yield path_of(link), " ".join(short)
            rest = [(name, item) for name, item in part.items() if not isinstance(item, str) or len(item) > PASSAGE]
            pending.extend(((link, name), item) for name, item in reversed(rest))
        elif isinstance(part, dict):
            pending.extend(((link, name), item) for name, item in reversed(part.items()))
        elif isinstance(part, list):
            pending.extend(((link, place), part[place]) for place in range(len(part) - 1, -1, -1))


def _text(text: str, link: Link) -> Iterator[Passage]:
    if len(text) > PASSAGE:
        yield from _paragraphs(text, f"{path_of(link)} line ")
    else:
        yield path_of(link), text


def _paragraphs(text: str, prefix: str) -> Iterator[Passage]:
    """Split a text into passages of whole paragraphs, or whole lines of long ones, each with its first line."""
    line = counted_to = begin = 0
    while begin < len(text):
        end = _end(text, begin)
        line += text.count("\n", counted_to, begin)
        counted_to = begin
        yield f"{prefix}{line}", text[begin:end]
        begin = end


def _end(text: str, begin: int) -> int:
    """Find the end of a passage: at the end of the first paragraph, or within ``PASSAGE``."""
    reach = begin + PASSAGE
    found = _BREAK.search(text, begin, reach)
    if found is not None:
        return found.end()
    if reach >= len(text):
        return len(text)
    return max(text.rfind("\n", begin, reach), text.rfind(" ", begin, reach), reach - 1) + 1
