"""References in longer text, and text that only looks like a reference."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from coatcheck.references import parse_reference

LONGEST_NEAR_MISS = 300
"""Maximum characters of a text that may be meant as a reference."""

MOST_MENTIONS = 20
"""Maximum ids in one text that are looked up."""

TEMPLATE = re.compile(r"\{\{(@@?obj_[^{}\r\n]{1,4200})\}\}")
"""``{{@obj_1.title}}`` in a longer text, which inserts the text of an object; with two ``@`` it is literal."""

_AROUND = " \t\r\n`'\"\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb<>(){}*.,;:!?"
_PREFIX = "@ob"
_MENTION = re.compile(r"(?<![\w@])(?P<sign>@|@?\{{1,2} ?)(?P<id>obj_[A-Za-z0-9_-]+)(?:[.\[][^\s{}<>]{0,200})?")
"""With ``@``, or in braces as other templates have them: ``{{obj_1}}``, ``@{obj_1}``."""
_STEP = re.compile(r"@[A-Za-z0-9_-]+|\.[\w$-]+|\[[^\]]*\]")
_LOOKS_LIKE_ONE = re.compile(r"@(?P<id>ob[A-Za-z0-9_-]+)(?P<path>[.\[]\S*)?")


def may_refer(text: str) -> bool:
    """Whether a text may be, contain or resemble a reference; a quick check."""
    if "@obj_" in text or "{obj_" in text or "{ obj_" in text:
        return True
    return len(text) <= LONGEST_NEAR_MISS and text.lstrip(_AROUND + "@")[:2].lower() == "ob"


def mentions(text: str) -> Iterator[tuple[str, str, str]]:
    """Return possible references in a longer text, a bounded number: each id once, what is written, the reference."""
    seen: set[str] = set()
    for found in _MENTION.finditer(text):
        if found["id"] not in seen:
            seen.add(found["id"])
            reference = _with_path(f"@{text[found.start('id') : found.end()]}")
            yield found["id"], reference if found["sign"] == "@" else reference[1:], reference
            if len(seen) >= MOST_MENTIONS:
                return


def _with_path(written: str) -> str:
    """Return a reference with the following text as far as it is a path; punctuation may follow it."""
    ends = [found.end() for found in _STEP.finditer(written)]
    return next((written[:end] for end in reversed(ends) if parse_reference(written[:end])), written[: ends[0]])


class NearMiss(NamedTuple):
    """A text that resembles a reference with a mistake."""

    object_id: str  # the text in place of the id
    path: str  # the text after it
    bare: str  # the text without quotes, backticks, spaces and punctuation around it
    is_quoted: bool  # whether there were any around a valid reference
    lacks_at: bool = False  # whether it is a reference without @, which may as well be other text


def near_miss(text: str) -> NearMiss | None:
    """Return whether a whole text may be a reference with a mistake; the object is not looked up."""
    if len(text) > LONGEST_NEAR_MISS:
        return None
    bare = text.strip(_AROUND)
    if bare.startswith("obj_"):
        reference = parse_reference(f"@{bare}")
        return reference and NearMiss(reference.object_id, "", bare, is_quoted=False, lacks_at=True)
    if bare[:3].lower() != _PREFIX:
        return None
    reference = parse_reference(bare)
    if reference is not None:
        return NearMiss(reference.object_id, str(reference.path), bare, is_quoted=True) if bare != text else None
    found = _LOOKS_LIKE_ONE.fullmatch(_PREFIX + bare[3:])
    return None if found is None else NearMiss(bare[1 : found.end("id")], found["path"] or "", bare, is_quoted=False)


def nearest_id(object_id: str, ids: Iterable[str]) -> str | None:
    """Return the id that differs only in case or in one character, if there is one."""
    folded = object_id.casefold()
    near = [known for known in ids if _differ_in_one(folded, known.casefold())]
    return min(near, key=lambda known: (known.casefold() != folded, known), default=None)


def _differ_in_one(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1:
        return False
    short, long = sorted((one, other), key=len)
    same = 0
    while same < len(short) and short[same] == long[same]:
        same += 1
    if len(short) == len(long):
        return short[same + 1 :] == long[same + 1 :]
    return short[same:] == long[same + 1 :]
