"""Recognises the language of a filter that does not compile: SQL, JSONPath, shell quotes, methods of other languages.

Most of it is a table of expressions and what they are in jq. A repaired filter is never run in place of the given one:
it is only suggested, and only if it compiles.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from coatcheck.explorer.late_patterns import late_pattern
from coatcheck.explorer.operations.foreign_filters import MOST_CHARACTERS, as_jq, member
from coatcheck.references.paths import quote

_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"")
_SHELL = re.compile(
    r"\s*(?:```(?:jq)?\s*)?(?:jq\s+(?:-\w+\s+)*(?=[\"'`.\[{]))?(['`]?|(?<=jq )\")"
    r"(?P<inside>.*?)\1(?:\s*```|\s+[\w./-]+\.json)?\s*",
    re.DOTALL,
)
_PATH = r"(?:\.[A-Za-z_]\w{0,60}|\.?\[(?:\d{1,9}|\"\d{1,3}\")\]){1,9}"
_TEXT = r"\"\d{1,3}\""
"""A string, whose place in the filter a number keeps."""
_WORD = r"(?<![.$\w\"])"
_NAMES = {
    name: instead
    for instead, names in {
        "contains": "contains includes",
        "startswith": "startswith starts_with",
        "endswith": "endswith ends_with",
        "test": "test match matches search",
        "split": "split",
        "join": "join",
        "ascii_downcase": "lower lowercase downcase tolowercase to_lower",
        "ascii_upcase": "upper uppercase touppercase to_upper",
        "length": "length len size count",
        "tostring": "tostring str",
        "tonumber": "int float",
        "keys": "keys",
        "add": "sum total",
        "add / length": "avg average mean",
    }.items()
    for name in names.split()
}
"""Functions and methods of other languages, in lower case, and what they are called here."""
_ONE_VALUE = "len|count|size|lower|lowercase|downcase|to_lower|upper|uppercase|str|int|float"
_ALL_VALUES = "sum|total|avg|average|mean"


def _called(found: re.Match[str]) -> str:
    """Write ``.title.startsWith("x")`` as a filter on the path."""
    name = _NAMES.get(found[2].lower())
    return found[0] if name is None else f"({found[1]} | {name}{f'({found[3]})' if found[3] else ''})"


def _renamed(found: re.Match[str]) -> str:
    name = _NAMES[found[1].lower()]
    return f"({name})" if " " in name else name


def _with_lambda(found: re.Match[str]) -> str:
    """Write ``.filter(x => x.a > 1)`` as a filter; ``x.a`` is ``.a`` there."""
    body = re.sub(rf"\b{found[3]}\.length\b", "length", found[4].strip())
    body = re.sub(rf"\b{found[3]}(?=[.\[])", "", body)
    pipe = " | " if found[1] else ""
    return f"{pipe}map({f'select({body})' if found[2] == 'filter' else body})"


def _with_variable(found: re.Match[str]) -> str:
    """Write ``. as x | x`` with the ``$`` of jq's variables."""
    return f"as ${found[1]} |" + re.sub(rf"{_WORD}{found[1]}\b(?!\s*:)", f"${found[1]}", found[2])


_Instead = str | Callable[[re.Match[str]], str]


def _changes(*changes: tuple[str, _Instead]) -> tuple[tuple[re.Pattern[str], _Instead], ...]:
    """Return changes whose expressions are compiled late, which would be a tenth of a worker's start."""
    return tuple((late_pattern(expression, re.DOTALL), instead) for expression, instead in changes)


_IN_STRINGS = _changes(
    (r"'((?:[^'\\]|\\.)*)'", lambda found: '"' + found[1].replace('"', '\\"') + '"'),
    (r"(?<!\\)\\(?=[dDwWsSbB.+*?^$|\[\]{}-])", r"\\\\"),
    (rf"({_PATH}) i?like \"([^\"%]{{1,100}})%\"", r'(\1 | startswith("\2"))'),
    (rf"({_PATH}) i?like \"%?([^\"%]{{1,100}})%?\"", r'(\1 | contains("\2"))'),
)
"""Changes that concern strings; the others leave strings alone."""
_JSON_PATH = _changes(
    (r"^\s*\$?\.\.([A-Za-z_]\w{0,60})", r".. | objects | .\1"),
    (r"^\s*\$?\[\*\]", ".[]"),
    (r"^\s*\$(?:\.(?=[\[\w])|(?=[\[.])|\s*$)", "."),
    (r"\[\*\]", "[]"),
    (r"@\.", "."),
    (r"\[\?\(?([^\[\]()]{1,200})\)?\]", r"[] | select(\1) | "),
    (r"\| \.\[", "| .["),
    (r"\|\s*$", ""),
)
_COUNTED = r"group_by(\1) | map({key: (.[0] | \1), count: length})"
_REWRITES = _changes(
    (r"(^|\.)?\b(map|filter)\(\(?([A-Za-z_]\w{0,20})\)? *=> *((?:[^()]|\([^()]{0,100}\)){1,200}?)\)", _with_lambda),
    (r"(?<=\)\))\.length\b", " | length"),
    (r"\bas ([A-Za-z_]\w{0,30}) *\|(.*)", _with_variable),
    (rf"({_PATH})\.([A-Za-z_]{{2,20}})\(([^()]{{0,100}})\)", _called),
    (rf"({_PATH}) ?(?:=~|~) ?({_TEXT})", r"(\1 | test(\2))"),
    (rf"({_PATH}) ?(?:=~|~) ?/([^/]{{1,100}})/", r'(\1 | test("\2"))'),
    (rf"({_PATH}) (contains|includes|matches|starts_?with|ends_?with) ({_TEXT})", _called),
    (rf"({_TEXT}|-?\d{{1,20}}) in ({_PATH})", r"(\2 | index(\1) != null)"),
    (rf"({_PATH}) not in [\[(]([^\[\]()]{{1,200}})[\])]", r"(\1 | IN(\2) | not)"),
    (rf"({_PATH}) in [\[(]([^\[\]()]{{1,200}})[\])]", r"(\1 | IN(\2))"),
    (rf"({_PATH}) between (\S{{1,40}}) and ([^\s)|]{{1,40}})", r"(\1 >= \2 and \1 <= \3)"),
    (r"\bis not (?:null|None)\b", "!= null"),
    (r"\bis (?:null|None)\b", "== null"),
    (rf"({_PATH}) \? ([^:|]{{1,100}}) : ([^|)]{{1,100}})", r"(if \1 then \2 else \3 end)"),
    (r"!\(([^()]{1,200})\)", r"((\1) | not)"),
    (rf"!({_PATH})", r"(\1 | not)"),
    (r"([=!])==", r"\1="),
    (r"\bAND\b", "and"),
    (r"\bOR\b", "or"),
    (r"\bNOT\b", "not"),
    (r"\|>", "|"),
    (r"^(?:/[\w-]{1,60}){1,9}$", lambda found: re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", found[0].replace("/", "."))),
    (r"(?<=[\w\]])\.(\d{1,9})(?=\.|$|\s)", r"[\1]"),
    (r"\.\[(\d{1,9})\.\.(\d{1,9})\]", r".[\1:\2]"),
    (r"(\[\]|\)) ?\{", r"\1 | {"),
    (rf"(if [^()]{{1,200}}? else (?:{_TEXT}|[^()]{{1,60}}?))\)", r"\1 end)"),
    (r"\btest\(/([^/()]{1,100})/\)", r'test("\1")'),
    (
        r"\.find\(\(?([A-Za-z_]\w{0,20})\)? *=> *((?:[^()]|\([^()]{0,100}\)){1,200})\)",
        lambda found: f"map(select({member(found[1], found[2])})) | .[0]",
    ),
    (r"\.?slice\((\d{1,9}), ?(\d{1,9})\)", r" | .[\1:\2]"),
    (
        r"\.?sort\(\((\w+), ?\w+\) => (\w+)\.(\w+) - \w+\.\3\)",
        lambda found: f"sort_by(.{found[3]}){' | reverse' if found[1] != found[2] else ''}",
    ),
    (r"Object\.(keys|values)\(([^()]{1,100})\)", r"(\2 | \1)"),
    (
        r"(?:value_counts|countBy|count_by|tally|Counter)\((\.[\w.]{1,60})\)",
        _COUNTED,
    ),
    (
        r"\| ?(?:value_counts|countBy|count_by|tally|Counter)(?:\(\))?$",
        "| group_by(.) | map({key: .[0], count: length})",
    ),
    (
        rf"{_WORD}group_?by\((\.[\w.]{{1,60}})\)\.(?:count|size)\(\)",
        _COUNTED,
    ),
    (rf"{_WORD}groupby\b", "group_by"),
    (rf"{_WORD}replace(?:_all|All)?\(({_TEXT}), ?({_TEXT})\)", r"gsub(\1; \2)"),
    (rf"{_WORD}(?:substring|substr|slice)\((\d{{1,9}}), ?(\d{{1,9}})\)", r".[\1:\2]"),
    (rf"{_WORD}compact\b", "map(select(. != null))"),
    (rf"{_WORD}median\b", "(sort | .[length / 2 | floor])"),
    (rf"{_WORD}(?:count|len|size)\(\)", "length"),
    (r"\)\.(join|split|map|length|unique|sort|reverse|first|last)\b", r") | \1"),
    (r"<>", "!="),
    (r"\s*&&\s*", " and "),
    (r"\s*\|\|\s*", " or "),
    (r" ?\?\? ?", " // "),
    (r"\bNone\b|\bnil\b|\bNULL\b", "null"),
    (r"\bTrue\b", "true"),
    (r"\bFalse\b", "false"),
    (rf"{_WORD}(length|keys|tostring|tonumber|unique|sort|reverse|add|first|last|min|max)\(\)", r"\1"),
    (rf"{_WORD}(?:uniq|distinct)(?=_by|\b)", "unique"),
    (rf"{_WORD}order_?[bB]y\b", "sort_by"),
    (r"\bsort_by\(([^();,]{1,100}?)[;, ]\s*[\"']?(?:desc|reverse|true|-1|\d)[\"']?\)", r"(sort_by(\1) | reverse)"),
    (r"\b(sort_by\([^();,]{1,100}\)) desc\b", r"(\1 | reverse)"),
    (rf"{_WORD}(max|min|unique|sort)\((\.\[\][^()]{{0,100}})\)", r"([\2] | \1)"),
    (rf"{_WORD}(max|min|unique|sort|group)\((\.[^()]{{1,100}})\)", r"\1_by(\2)"),
    (rf"{_WORD}({_ONE_VALUE})\(([^()]{{1,100}})\)", lambda found: f"({found[2]} | {_NAMES[found[1]]})"),
    (rf"{_WORD}({_ALL_VALUES})\(([^()]{{1,100}})\)", lambda found: f"([{found[2]}] | {_NAMES[found[1]]})"),
    (rf"{_WORD}({_ONE_VALUE}|{_ALL_VALUES})\b(?!\s*[:(])", _renamed),
    (rf"{_WORD}limit\((\d{{1,6}}) ?, ?", r"limit(\1; "),
    (rf"{_WORD}(?:limit|head|take|top)(?: |\()(\d{{1,6}})\)?(?=\s*(?:\||$))", r".[:\1]"),
    (r"(?<=\[\] \| )(?:filter|where)\(", "select("),
    (rf"{_WORD}(?:filter|where)\(([^()]{{1,200}})\)", r"map(select(\1))"),
    (rf"{_WORD}(?:round|toFixed)\((\d)\)", r"(. * 1e\1 | round / 1e\1)"),
    (rf"{_WORD}round\(([^();,]{{1,100}})[,;] ?(\d)\)", r"((\1) * 1e\2 | round / 1e\2)"),
)
_SELECT = re.compile(
    r"\s*select\s+(?P<distinct>distinct\s+)?(?P<columns>.{1,200}?)\s+from\s+\S{1,100}(?:\s+as\s+\w+)?"
    r"(?:\s+where\s+(?P<where>.{1,300}?))?(?:\s+group\s+by\s+(?P<group>[\w.\"`]{1,60}))?"
    r"(?:\s+order\s+by\s+(?P<order>[\w.\"`()*]{1,60})(?P<desc>\s+desc)?(?:\s+asc)?)?(?:\s+limit\s+(?P<limit>\d{1,6}))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_AGGREGATE = re.compile(
    r"(?P<name>count|sum|avg|min|max)\((?P<column>\*|[\w.]{1,60})\)(?:\s+(?:as\s+)?(?P<alias>\w{1,60}))?", re.IGNORECASE
)
_AGGREGATES = {"sum": "add", "avg": "add / length", "min": "min", "max": "max"}
_COLUMN = re.compile(r"[A-Za-z_]\w{0,60}")
_PLAIN_COLUMN = re.compile(r"\*|[\w.\"`]{1,120}(?:\s+as\s+\w{1,60})?", re.IGNORECASE)
_COMPARED = re.compile(
    r"(?P<column>[A-Za-z_][\w.]{0,60})\s*(?P<sign>=|==|<>|!=|>=|<=|>|<|like)\s*(?P<value>'[^']*'|\"[^\"]*\"|-?\d+(?:\.\d+)?|\w+)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\s*(?P<name>[A-Za-z_]\w{0,60})(?P<rest>(?:[.\[]|\s*\|).*|)", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z_]\w{0,60})")
_NUMBERED = re.compile(r'"(\d{1,3})"')
_IF = re.compile(r"\bif\b")
_END = re.compile(r"\bend\b")
_COMMA = re.compile(r",(?![^(]*\))")
_LOGICAL = re.compile(r"\b(?:AND|OR|NOT)\b")
_SIGNS = {"=": "==", "<>": "!="}
_ASSIGNS = re.compile(r"\b(?:select|if|any|all)\b[^|]{0,200}?[\w\])\"]\s*=(?!=)\s*[\w\".$-]")


def repair(program: str, compiles: Callable[[str], bool]) -> str:
    """Return the filter that was probably meant; ``""`` if none is found that compiles."""
    if len(program) > MOST_CHARACTERS:
        return ""
    sql = _from_sql(program)
    if sql:
        return sql if compiles(sql) else ""
    whole = as_jq(program)
    if whole != program:
        return whole if compiles(whole) else next(filter(compiles, _versions(whole)), "")
    return next(filter(compiles, _versions(program)), "")


def _versions(program: str) -> Iterator[str]:
    """Yield the filter after each change."""
    inside = _SHELL.fullmatch(program)
    meant = program if inside is None else inside["inside"].strip()
    for pattern, instead in _IN_STRINGS:
        meant = pattern.sub(instead, meant)
    if meant != program:
        yield meant
    strings = _STRING.findall(meant)
    numbers = iter(range(len(strings)))
    plain = _STRING.sub(lambda _: f'"{next(numbers)}"', meant)

    def whole() -> str:
        return _NUMBERED.sub(lambda found: strings[int(found[1])] if int(found[1]) < len(strings) else found[0], plain)

    before = plain
    for pattern, instead in _JSON_PATH:
        plain = pattern.sub(instead, plain)
    plain = plain.strip()
    if plain != before.strip():
        plain = f"[{plain}]" if "[]" in plain or ".." in plain else plain
        yield whole()
    for pattern, instead in _REWRITES:
        before, plain = plain, pattern.sub(instead, plain)
        if plain != before:
            yield whole()
    before, plain = plain, _closed(plain)
    if plain != before:
        yield whole()


def _closed(plain: str) -> str:
    """Close what is open at the end, and leave out a pipe at the start."""
    plain = plain.strip().removeprefix("|").strip()
    plain += " end" * (len(_IF.findall(plain)) - len(_END.findall(plain)))
    waiting: list[str] = []
    for sign in plain:
        if sign in "([{":
            waiting.append(")]}"["([{".index(sign)])
        elif sign in ")]}" and (not waiting or waiting.pop() != sign):
            return plain
    return plain + "".join(reversed(waiting))


def with_quoted_keys(program: str, names: Iterable[str], compiles: Callable[[str], bool]) -> str:
    """Return the filter with the keys in brackets that need them; ``""`` if none is found that compiles."""
    if len(program) > MOST_CHARACTERS:
        return ""
    changed = program
    for name in sorted(names, key=len, reverse=True):
        step = f".{name}"
        if _COLUMN.fullmatch(name) is None and step in changed:
            start = changed.index(step)
            before = changed[:start]
            dot = "" if before and (before[-1].isalnum() or before[-1] in '])"') else "."
            changed = f"{before}{dot}[{quote(name)}]{changed[start + len(step) :]}"
            if compiles(changed):
                return changed
    return ""


def without_name(program: str, value: Any, compiles: Callable[[str], bool]) -> str:
    """Return a filter that begins with a name, as ``items[0]``, as one of the value; ``""`` if it fits none.

    A list has no name, and a key of an object has a dot before it.
    """
    found = _NAMED.fullmatch(program) if len(program) <= MOST_CHARACTERS else None
    if found is None:
        return ""
    if isinstance(value, dict) and found["name"] in value:
        meant = f".{program.strip()}"
    elif isinstance(value, dict) and (step := _STEP.match(found["rest"])) is not None and step[1] in value:
        meant = found["rest"]
    elif isinstance(value, list) and found["rest"] and not found["rest"].startswith("."):
        meant = f".{found['rest']}"
    else:
        return ""
    return meant if compiles(meant) else ""


def collected(program: str, compiles: Callable[[str], bool]) -> str:
    """Return the filter with all outputs before its last step in one list; ``""`` if that does not compile."""
    before, _, last = program.rpartition("|")
    meant = f"[{before.strip()}] | {last.strip()}"
    return meant if before and len(program) <= MOST_CHARACTERS and compiles(meant) else ""


def assigns(program: str) -> bool:
    """Whether a filter assigns in a condition, where it was probably meant to compare."""
    return len(program) <= MOST_CHARACTERS and _ASSIGNS.search(_STRING.sub('""', program)) is not None


def _from_sql(program: str) -> str:
    """Write a plain SELECT as a filter over a list of objects; ``""`` for other statements."""
    found = _SELECT.fullmatch(program)
    if found is None:
        return ""
    columns = [column.strip() for column in _COMMA.split(found["columns"])]
    aggregates = [each for each in map(_AGGREGATE.fullmatch, columns) if each is not None]
    if not all(_PLAIN_COLUMN.fullmatch(column) or _AGGREGATE.fullmatch(column) for column in columns):
        return ""
    steps = []
    if found["where"]:
        condition = _LOGICAL.sub(lambda word: word[0].lower(), _COMPARED.sub(_compare, found["where"]))
        steps.append(f"map(select({condition}))")
    if found["group"]:
        key = _column(found["group"])
        entries = [
            f"{key}: .[0].{key}",
            *(f"{each['alias'] or each['name'].lower()}: {_aggregated(each)}" for each in aggregates),
        ]
        steps.append(f"group_by(.{key}) | map({{{', '.join(entries)}}})")
    if found["order"]:
        name = found["order"].partition("(")[0].lower()
        alias = next((each["alias"] for each in aggregates if each["alias"] and each["name"].lower() == name), "")
        steps.append(f"sort_by(.{(alias or name) if '(' in found['order'] else _column(found['order'])})")
        steps += ["reverse"] if found["desc"] else []
    if found["limit"]:
        steps.append(f".[:{found['limit']}]")
    if aggregates and not found["group"]:
        steps.append(_aggregated(aggregates[0]))
    elif found["distinct"] and len(columns) == 1:
        steps.append(f"map(.{_column(columns[0])}) | unique")
    elif columns != ["*"] and not found["group"]:
        steps.append(f"map({{{', '.join(map(_column, columns))}}})")
    return " | ".join(steps or [".[:20]"])


def _aggregated(found: re.Match[str]) -> str:
    name = found["name"].lower()
    return "length" if name == "count" else f"(map(.{_column(found['column'])}) | {_AGGREGATES[name]})"


def _column(name: str) -> str:
    found = _COLUMN.match(name.strip().strip('"`').rpartition(".")[2])
    return found.group() if found is not None else "name"


def _compare(found: re.Match[str]) -> str:
    sign, value = found["sign"].lower(), found["value"]
    is_text = value[:1] in {"'", '"'}
    text = value[1:-1] if is_text else value
    if sign == "like":
        return f'(.{_column(found["column"])} | contains("{text.strip("%")}"))'
    written = f'"{text}"' if is_text else value.lower()
    return f".{_column(found['column'])} {_SIGNS.get(sign, sign)} {written}"
