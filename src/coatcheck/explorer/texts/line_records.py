"""Texts in which each line is a record: requests of a web server, matches of a search, entries of a directory, commits.

All lines must have the same form; the last one may be cut off. Values are kept as written; columns of numbers become
numbers as in CSV.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.texts.csv_tables import typed
from coatcheck.explorer.texts.opened_text import Opened

FEWEST = 3
JUDGED = 20
"""Lines at the start of a text that are checked before all of them are parsed."""
_QUOTED = r"(?:[^\"\\]|\\.){0,8000}"
_REQUEST = late_pattern(
    r"(?P<client>\S{1,100}) (?P<ident>\S{1,60}) (?P<user>\S{1,100}) \[(?P<time>[^\]\n]{1,60})\] "
    r"\"(?:(?P<method>[A-Z]{3,12}) (?P<path>\S{1,8000})(?: (?P<protocol>HTTP/[\d.]{1,4}))?"
    rf"|(?P<request>{_QUOTED}))\" (?P<status>\d{{3}}|-) (?P<bytes>\d{{1,18}}|-)"
    rf"(?: \"(?P<referer>{_QUOTED})\" \"(?P<agent>{_QUOTED})\")?(?: (?P<rest>[^\n]{{1,8000}}))?"
)
_MATCH = late_pattern(
    r"(?P<file>(?:[A-Za-z]:)?[^:\n|]{1,400}):(?P<line>\d{1,9})(?::(?P<column>\d{1,9}))?:(?P<text>[^\n]*)"
)
_MATCH_IN_PARENTHESES = late_pattern(
    r"(?P<file>[^:\n|()]{1,400})\((?P<line>\d{1,9}),(?P<column>\d{1,9})\): (?P<text>[^\n]*)"
)
"""As some compilers write it."""
_PATH = late_pattern(r"(?:[A-Za-z]:)?(?=[^\s:]{0,300}[/.\\])(?=[^:]{0,300}[A-Za-z])")
_ENTRY = late_pattern(
    r"(?: *\d{1,12} +\d{1,12} +)?(?P<mode>[bcdlps-][-rwxsStT]{9})[.+@]? +(?P<links>\d{1,9}) +(?P<owner>\S{1,60}) +"
    r"(?P<group>\S{1,60}) +(?P<size>\d{1,18})(?:, *\d{1,9})? +(?P<modified>[A-Z][a-z]{2} +\d{1,2} +[\d:]{4,5}|"
    r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?:\.\d{1,9})?(?: [+-]\d{4})?) (?P<name>[^\n]{1,4000})"
)
_ARCHIVED = late_pattern(
    r"(?P<mode>[bcdhlps-][-rwxsStT]{9}) (?P<owner>[^\s/]{1,60})/(?P<group>\S{1,60}) +(?P<size>\d{1,18}) "
    r"(?P<modified>\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) (?P<name>[^\n]{1,4000})"
)
"""As tar lists it."""
_COMMIT = late_pattern(
    r"(?:[*|\\/_ -]{0,200}\* {0,9})?(?P<commit>[0-9a-f]{7,40}) "
    r"(?![^\n]{0,400} \d\d:\d\d:\d\d [+-]\d{4} +\d{1,9}\))"  # a line of git blame
    r"(?:\((?P<refs>[^()\n]{1,400})\) )?(?P<message>\S[^\n]{0,4000})"
)
_BRANCHES = late_pattern(r"[|\\/_ -]{1,200}")
"""A line of a graph of commits without a commit."""
_MARKED = late_pattern(r"(?:\[(?P<type>DIR|FILE|LINK)\]|(?P<status>[ MADRCUT?!#]{2})) (?P<name>\S[^\n]{0,4000})")
"""As ``git status --short`` and the directory listings of servers write it."""
_SYMBOL = late_pattern(
    r"(?P<address>[0-9a-f]{8}|[0-9a-f]{16}| {8}| {16}) (?P<type>[A-Za-z?-]) (?P<name>\S[^\n]{0,4000})"
)
_COUNT = late_pattern(r"(?P<count> {0,20}\d{1,18}) (?P<name>\S[^\n]{0,4000})")
_PAIR = late_pattern(r"([A-Za-z_@][\w.@/-]{0,100})=(\"(?:[^\"\\]|\\.){0,8000}\"|[^\s\"]{0,8000})(?: +|$)")
FEWEST_PAIRS = 3
MOST_NAMES = 200
"""Names of pairs in all lines together."""
_DIRECTORY = late_pattern(r"(?P<directory>[^\n]{1,4000}):")
_TOTAL = late_pattern(r"total \d[\d.,]{0,20}[KMGTP]?")

_METRIC = late_pattern(
    r"(?P<metric>[A-Za-z_:][\w:]{0,200})(?:\{(?P<labels>[^\n]{0,4000})\})? "
    r"(?P<value>[-+]?(?:\d[\d.eE+-]{0,40}|Inf|NaN))(?: (?P<timestamp>-?[\d.]{1,30}))?"
)
_LABEL = late_pattern(r"([A-Za-z_]\w{0,200})=\"((?:[^\"\\]|\\.){0,4000})\",?")
_ESCAPED = late_pattern(r'\\(["\\])')
_DASHED = frozenset({"bytes", "user", "ident", "referer", "agent"})
"""Fields in which a server writes ``-`` for no value."""

Record = dict[str, str | None]


def looks_like_records(head: str) -> bool:
    """Whether the first lines of a text are of one of the forms; the last line may be cut."""
    return _form(head) is not None


def open_records(text: str) -> Opened | None:
    """Parse each line of a text as a record."""
    form = _form(text[:4000])
    if form is None:
        return None
    name, read = form
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    records: list[Record] = []
    cut: list[int] = []
    for place, record in enumerate(read(lines)):
        if record is None:
            if place < len(lines) - 1:
                return None
            name += ", the last line does not fit and is left out"
            cut.append(place)
            break
        records.append(record)
    return Opened(_without_empty(records), name, cut) if len(records) >= FEWEST else None


def _form(head: str) -> tuple[str, Callable[[Sequence[str]], Iterator[Record | None]]] | None:
    lines = [line.removesuffix("\r") for line in head.split("\n", JUDGED + 1)[: JUDGED + 1] if line.strip()]
    lines = lines[:-1] if len(lines) > FEWEST else lines
    if len(lines) < FEWEST:
        return None
    for name, read in _FORMS.items():
        if _are_all(read(lines)):
            return name, read
    return None


def _are_all(records: Iterator[Record | None]) -> bool:
    """Whether all lines are records, and there is one at least; reading ends at the first that is not."""
    found = 0
    for found, record in enumerate(records, 1):  # noqa: B007 - how many is used behind the loop
        if record is None:
            return False
    return found >= FEWEST - 1


def _requests(lines: Sequence[str]) -> Iterator[Record | None]:
    for line in lines:
        found = _REQUEST.fullmatch(line)
        yield found.groupdict() if found is not None else None


def _matches(lines: Sequence[str]) -> Iterator[Record | None]:
    for line in lines:
        if line != "--":
            found = _MATCH.fullmatch(line) or _MATCH_IN_PARENTHESES.fullmatch(line)
            yield found.groupdict() if found is not None and _PATH.match(line) else None


def _entries(lines: Sequence[str]) -> Iterator[Record | None]:
    directory: str | None = None
    for line in lines:
        found = _ENTRY.fullmatch(line) or _ARCHIVED.fullmatch(line)
        if found is not None:
            yield {"directory": directory, **found.groupdict()}
        elif (heading := _DIRECTORY.fullmatch(line)) is not None:
            directory = heading["directory"]
        elif line and _TOTAL.fullmatch(line) is None:
            yield None


def _metrics(lines: Sequence[str]) -> Iterator[Record | None]:
    """Read the metrics of Prometheus; each of their labels is a member."""
    if not any(line.startswith(("# TYPE ", "# HELP ")) or '="' in line for line in lines[:JUDGED]):
        yield None  # other words with a number
    for line in lines:
        if line and line[0] != "#":
            found = _METRIC.fullmatch(line)
            labels = found["labels"] or "" if found is not None else ""
            if found is None or _LABEL.sub("", labels):
                yield None
            else:
                given = dict(_LABEL.findall(labels))
                yield {"metric": found["metric"], **given, "value": found["value"], "timestamp": found["timestamp"]}


def _commits(lines: Sequence[str]) -> Iterator[Record | None]:
    for line in lines:
        if line and _BRANCHES.fullmatch(line) is None:
            found = _COMMIT.fullmatch(line)
            yield found.groupdict() if found is not None else None


def _marked(lines: Sequence[str]) -> Iterator[Record | None]:
    for line in lines:
        found = _MARKED.fullmatch(line)
        yield found.groupdict() if found is not None else None


def _symbols(lines: Sequence[str]) -> Iterator[Record | None]:
    for line in lines:
        found = _SYMBOL.fullmatch(line)
        yield {name: value.strip() for name, value in found.groupdict().items()} if found is not None else None


def _counts(lines: Sequence[str]) -> Iterator[Record | None]:
    """Read numbers that are aligned on the right, each before a name: ``wc -l``, ``uniq -c``."""
    width = -1
    for line in lines:
        found = _COUNT.fullmatch(line)
        if found is None or (width >= 0 and found.end("count") != width) or (width < 0 and line[0] != " "):
            yield None
        else:
            width = found.end("count")
            yield {"count": found["count"].strip(), "name": found["name"]}


def _pairs(lines: Sequence[str]) -> Iterator[Record | None]:
    """Read lines of ``name=value``, as many programs write their logs."""
    names: set[str] = set()
    for line in lines:
        pairs = _PAIR.findall(line) if "=" in line else []
        given = {name: _ESCAPED.sub(r"\1", value[1:-1]) if value[:1] == '"' else value for name, value in pairs}
        names.update(given)
        whole = len(given) >= FEWEST_PAIRS and not _PAIR.sub("", line) and len(names) <= MOST_NAMES
        yield dict(given) if whole else None


_FORMS: dict[str, Callable[[Sequence[str]], Iterator[Record | None]]] = {
    "lines of an access log": _requests,
    "a listing of files": _entries,
    "lines of file:line:text": _matches,
    "metrics": _metrics,
    "a list of commits": _commits,
    "a list of marked names": _marked,
    "symbols": _symbols,
    "counts": _counts,
    "lines of name=value pairs": _pairs,
}


def _without_empty(records: list[Record]) -> list[dict[str, Any]]:
    """Drop fields that no record has, convert fields that contain only numbers, and use null for a missing field."""
    names = dict.fromkeys(name for record in records for name in record)
    known = [name for name in names if any(_has(record, name) for record in records)]
    columns = [[str(record[name]) if _has(record, name) else "" for record in records] for name in known]
    rows = typed(list(map(list, zip(*columns, strict=True))))
    return [
        {name: value if _has(record, name) else None for name, value in zip(known, row, strict=True)}
        for record, row in zip(records, rows, strict=True)
    ]


def _has(record: Record, name: str) -> bool:
    return record.get(name) is not None and (record[name] != "-" or name not in _DASHED)
