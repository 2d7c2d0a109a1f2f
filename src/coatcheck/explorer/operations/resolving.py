"""``resolve``: the value of a reference."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from coatcheck.codec import decode_result, dump_json, result_text
from coatcheck.explorer.operations.document import Answer, Document, locate

PARTS = 2_000
MEMBERS = 100
"""Maximum members of each list and object in a sample."""

CHARACTERS = 200
"""Maximum characters of each string and key in a sample."""

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A value with the first members of each list and object."""

    value: Any  # the shortened value
    cut: frozenset[Place]  # the paths at which something was left out

    def to_facts(self) -> dict[str, Any]:
        """Return the sample as JSON."""
        return {"value": self.value, "cut": [list(place) for place in self.cut]}

    @classmethod
    def from_facts(cls, facts: Any) -> "Sample | None":
        """Parse the result of ``to_facts``; ``None`` if it is malformed."""
        if not isinstance(facts, dict) or not isinstance(facts.get("cut"), list) or "value" not in facts:
            return None
        places = facts["cut"]
        if not all(isinstance(place, list) and all(type(step) in {str, int} for step in place) for place in places):
            return None
        return cls(facts["value"], frozenset(map(tuple, places)))


def sample_of(value: Any) -> Sample:
    """Take a sample, level by level; the cost depends on the sample alone."""
    cut: set[Place] = set()
    root: list[Any] = [None]
    left = PARTS
    waiting: deque[tuple[Any, Any, str | int, Place]] = deque([(value, root, 0, ())])
    while waiting:
        part, holder, step, place = waiting.popleft()
        if isinstance(part, (dict, list)):
            kept = _members(part, min(MEMBERS, left))
            left -= len(kept)
            if len(kept) < len(part):
                cut.add(place)
            holder[step] = {} if isinstance(part, dict) else [None] * len(kept)
            waiting.extend((member, holder[step], key, (*place, key)) for key, member in kept)
        elif isinstance(part, str) and len(part) > CHARACTERS:
            cut.add(place)
            holder[step] = part[:CHARACTERS]
        else:
            holder[step] = part
    return Sample(root[0], frozenset(cut))


def _members(container: Any, most: int) -> list[tuple[Any, Any]]:
    if isinstance(container, list):
        return list(enumerate(container[:most]))
    pairs = zip(container.items(), range(most), strict=False)
    return [pair for pair, _ in pairs if len(pair[0]) <= CHARACTERS]


def resolve(document: Document, args: dict[str, Any]) -> Answer:
    """Return the part that ``path`` leads to as a payload; the text stays empty.

    Args:
        document: The object.
        args: ``as_text`` (return the text, or the JSON of a non-text; the fact ``null`` distinguishes ``null`` from a
            text), ``opened`` (return the parsed content of a text that is a document), ``sample`` (return a sample as
            the fact ``sample``), ``sample_alone`` (return only the sample), and the common ones.
    """
    path = args.get("path") or ""
    if args.get("as_text"):
        return _text(document, path)
    value = locate(document, path)
    if args.get("opened") and isinstance(value, str):
        opened = document.open_text(value)
        value = value if opened is None else opened
    facts = {"sample": sample_of(value).to_facts()} if args.get("sample") else {}
    return Answer("", facts=facts) if args.get("sample_alone") else Answer.of_value("", value, facts)


def _text(document: Document, path: str) -> Answer:
    if not path:
        result = decode_result(document.metadata, document.payload)
        text = None if result is None else result_text(result)
        if text is not None:
            return Answer.of_value("", text)
    part = locate(document, path)
    text = part if isinstance(part, str) else dump_json(part).decode()
    return Answer.of_value("", text, {"null": True} if part is None else {})
