"""Blocks of ``Name: value`` lines, each of which begins with the same name: found pages, packages, headers of mails.

Lines of another form continue the value above them.
"""

import re
from collections import Counter
from typing import Any

FEWEST = 3
FEWEST_NAMES = 2
"""Names that all blocks have."""
MOST_NAMES = 200
_FIELD = re.compile(r"([A-Za-z][\w .()/-]{0,39}):(?: +|\t+|$)", re.ASCII)

Found = tuple[Any, str]


def looks_like_blocks(head: str) -> bool:
    """Whether a text begins with ``Name: value`` lines, the first of which occurs again."""
    first = _FIELD.match(head)
    if first is None:
        return False
    lines = head.split("\n", 2)
    return len(lines) > 1 and _FIELD.match(lines[1]) is not None and f"\n{first[1]}:" in head[first.end() :]


def open_blocks(text: str) -> Found | None:
    """Return the blocks as objects."""
    first = _FIELD.match(text)
    if first is None:
        return None
    blocks: list[list[tuple[str, str]]] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        found = _FIELD.match(line)
        if found is not None and found[1] == first[1]:
            blocks.append([])
        blocks[-1].append(("" if found is None else found[1], line))
    if len(blocks) < FEWEST:
        return None
    seen = Counter(name for block in blocks for name in {name for name, _ in block if name})
    common = {name for name, count in seen.items() if 2 * count >= len(blocks)}
    whole = len(blocks) - 1  # the last one may be cut off
    if sum(seen[name] >= whole for name in common) < FEWEST_NAMES or len(seen) > MOST_NAMES:
        return None
    records = [_record(block, common) for block in blocks]
    return None if None in records else (records, "blocks of named values")


def _record(block: list[tuple[str, str]], common: set[str]) -> dict[str, str] | None:
    """Make an object of a block; ``None`` if a name stands twice in it.

    A name of one word that few blocks have counts as long as nothing but names and indented lines stands above it.
    """
    record: dict[str, list[str]] = {}
    last: list[str] = []
    only_names = True
    for name, line in block:
        if name in common or (name and only_names and " " not in name):
            if name in record:
                return None
            last = record[name] = [line[len(name) + 1 :].strip()]
        else:
            only_names = only_names and line[:1] in {" ", "\t"}
            last.append(line)
    return {name: "\n".join(lines).rstrip() for name, lines in record.items()}
