"""YAML in a text: recognised strictly, parsed safely, refused if aliases expand too much."""

import re
from collections.abc import Iterable
from typing import Any

import yaml

from coatcheck.codec import dump_json
from coatcheck.codec.exact_json import any_integer, parse_exactly
from coatcheck.errors import ArgumentRejected
from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.text_formats import LOOKED_AT, has_headings, is_snapshot

MAX_EXPANDED_NODES = 1_000_000
MAX_DEPTH = 200
MOST_CHARACTERS = 400_000
"""Longer texts stay plain text: parsing this many characters took a second, and an operation has two."""
MOST_LINES_JUDGED = 200
MOST_CHARACTERS_JUDGED = 300
"""Of each line: the key of a structural line ends before."""

FEWEST_STRUCTURAL_LINES = 2

_STRUCTURE = late_pattern(r"""[ ]*(?:-(?:[ ]|$)|(?:[\w./$@-]+|"[^"\n]*"|'[^'\n]*')[ ]*:(?:[ ]|$))""")
_SECTION = late_pattern(r"^#{2,6} \S", re.MULTILINE)
_NESTED = late_pattern(r"^( *)- [^\n:!&*|>\[{\"'-][^\n]*(?<![:|>-])\n\1 +- ", re.MULTILINE)
"""A list below a sentence: in YAML it would be the rest of the sentence."""
_DUMP = late_pattern(r"[0-9a-fA-F]{4,16}: (?:[0-9a-fA-F]{2,4} ){2}")
"""A line of a hex dump."""
_FRONT_MATTER = late_pattern(
    r"---[ \t]*\r?\n(?=\w[\w-]*:)(?:(?!---)[^\n]{0,400}\n){1,60}---[ \t]*\r?\n(?=\s*(?:#[^\n]*\n\s*)*(?:[-*+] |##+ ))"
)
"""Metadata of a Markdown page, and a list or a heading below them; of several documents each has keys."""
_PASSED_OVER = late_pattern(r"[ ]*(?:#.*|%.*|---.*|\.\.\.)?\s*$")

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _PlainLoader(_Base):  # type: ignore[misc]
    """Reads ``no``, ``12:30`` and ``2024-01-31`` as strings: YAML 1.2's scalars, not 1.1's."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """Refuse a duplicate key: a log of ``Commit: …`` records is not YAML, and no record may be lost."""
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(names)) < len(names):
            raise yaml.constructor.ConstructorError(None, None, "a key occurs twice", node.start_mark)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: Any) -> int | float | str:
        """Read a number with a tag; not YAML 1.1's sexagesimal ones, whose cost is quadratic."""
        text = str(self.construct_scalar(node))
        return any_integer(text) if text.lstrip("+-").isdecimal() else float(text)


for _tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
    _PlainLoader.add_constructor(_tag, _PlainLoader.construct_number)
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), [*"~nN", ""])
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"]
)
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), [*"-+0123456789"])
_PlainLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?$"),
    [*"-+.0123456789"],
)
_PlainLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])


def open_yaml_text(text: str) -> Any:
    """Return the list or dict that a YAML text represents (a list for several documents), or ``None`` for other text.

    Raises:
        ArgumentRejected: It is YAML whose aliases expand to too much, or that contains itself.
    """
    if len(text) > MOST_CHARACTERS or not looks_like_yaml(text):
        return None
    try:
        _refuse_bombs(yaml.parse(text, Loader=_PlainLoader))
        documents = list(yaml.load_all(text, Loader=_PlainLoader))
    except ArgumentRejected:
        raise
    except Exception:  # noqa: BLE001  # PyYAML raises various errors, for example for a tag that does not fit its value
        return None
    if not documents or not all(isinstance(document, (dict, list)) for document in documents):
        return None
    return parse_exactly(dump_json(documents[0] if len(documents) == 1 else documents).decode())


def looks_like_yaml(text: str) -> bool:
    """Whether a text has the structure of YAML: each unindented line is ``key:`` or ``- ``, and two or more are.

    Markdown has it too: lists under headings, which would be comments, lists in lists, and front matter.
    """
    if _DUMP.match(text) or _FRONT_MATTER.match(text):
        return False
    structural, items = 0, 0
    for line in _first_lines(text):
        if _PASSED_OVER.match(line) or line.startswith("\t"):
            continue
        if _STRUCTURE.match(line):
            structural += 1
            items += line.lstrip().startswith("-")
        elif not line.startswith(" "):
            return False
    if _is_markdown(text[:LOOKED_AT], are_items=items == structural):
        return False
    return structural >= FEWEST_STRUCTURAL_LINES and not is_snapshot(text)


def _is_markdown(start: str, *, are_items: bool) -> bool:
    headed = are_items and (has_headings(start) or len(_SECTION.findall(start)) >= FEWEST_STRUCTURAL_LINES)
    return headed or _NESTED.search(start) is not None


def _first_lines(text: str) -> Iterable[str]:
    position = 0
    for _ in range(MOST_LINES_JUDGED):
        end = text.find("\n", position)
        if end < 0:
            yield text[position : position + MOST_CHARACTERS_JUDGED]
            return
        yield text[position : min(end, position + MOST_CHARACTERS_JUDGED)].removesuffix("\r")
        position = end + 1


def _refuse_bombs(events: Iterable[Any]) -> None:
    """Count the nodes of a document with all aliases expanded, without expanding them."""
    sizes: dict[str | None, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            sizes[anchor] = total - before
        elif isinstance(event, yaml.AliasEvent):
            _refuse_a_circle(event.anchor, open_nodes)
            total += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.NodeEvent):
            sizes[event.anchor] = 1
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((event.anchor, total))
            total += 1
        if total > MAX_EXPANDED_NODES or len(open_nodes) > MAX_DEPTH:
            raise ArgumentRejected(
                f"The YAML text expands to more than {MAX_EXPANDED_NODES:,} nodes (by its aliases or its length), or "
                f"is nested deeper than {MAX_DEPTH} levels; it was not opened. Use search and slice on its text."
            )


def _refuse_a_circle(anchor: str | None, open_nodes: list[tuple[str | None, int]]) -> None:
    if any(anchor == name for name, _ in open_nodes):
        raise ArgumentRejected("The YAML text contains itself through an alias; it was not opened.")
