"""Recognises the language of a filter that does not compile: SQL, JSONPath, shell quotes, methods of other languages.

A repaired filter is never run in place of the given one: it is only suggested, and only if it compiles.
"""

import re
from collections.abc import Callable, Iterable

from coatcheck.references.paths import quote

MOST_CHARACTERS = 400
"""Longer filters are not repaired."""
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"")
_SHELL = re.compile(r"\s*(?:```(?:jq)?\s*)?(?:jq\s+(?:-\w+\s+)*)?(['`]?)(?P<inside>.*?)\1(?:\s*```)?\s*", re.DOTALL)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*)'")
_CONDITION = re.compile(r"\[\?\(?(?P<test>[^\[\]()]{1,200})\)?\]")
_PATH = r"(?:\.[A-Za-z_]\w{0,60}|\[\d{1,9}\]){1,9}"
_METHOD = re.compile(rf"(?P<path>{_PATH})\.(?P<name>[A-Za-z_]{{2,20}})\((?P<inside>[^()]{{0,100}})\)")
_METHODS = {
    "contains": "contains({})",
    "includes": "contains({})",
    "startswith": "startswith({})",
    "startsWith": "startswith({})",
    "endswith": "endswith({})",
    "endsWith": "endswith({})",
    "match": "test({})",
    "test": "test({})",
    "matches": "test({})",
    "split": "split({})",
    "lower": "ascii_downcase",
    "toLowerCase": "ascii_downcase",
    "upper": "ascii_upcase",
    "toUpperCase": "ascii_upcase",
    "length": "length",
    "size": "length",
    "count": "length",
}
_FUNCTIONS = (
    (
        re.compile(r"\bsort_by\(([^();,]{1,100})[;,]\s*[\"']?(?:desc|reverse|true|-1)[\"']?\)"),
        r"(sort_by(\1) | reverse)",
    ),
    (re.compile(r"\b(?:len|count|size)\(([^()]{1,100})\)"), r"(\1 | length)"),
    (re.compile(r"\b(?:sum|total)\(([^()]{1,100})\)"), r"([\1] | add)"),
    (re.compile(r"\b(?:avg|average|mean)\(([^()]{1,100})\)"), r"([\1] | add / length)"),
    (re.compile(r"(?<![.$\w\"])(?:len|count|size)\b(?!\s*[:(])"), "length"),
    (re.compile(r"(?<![.$\w\"])(?:sum|total)\b(?!\s*[:(])"), "add"),
    (re.compile(r"(?<![.$\w\"])(?:avg|average|mean)\b(?!\s*[:(])"), "(add / length)"),
    (re.compile(r"(?<![.$\w\"])(?:uniq|distinct)\b(?!\s*[:(])"), "unique"),
    (re.compile(r"(?<![.$\w\"])(?:uniq|distinct)_by\b"), "unique_by"),
    (re.compile(r"(?<![.$\w\"])(?:lower|lowercase|downcase|to_lower)\b(?!\s*[:(])"), "ascii_downcase"),
    (re.compile(r"(?<![.$\w\"])(?:head|take)\((\d{1,6})\)"), r".[:\1]"),
    (re.compile(r"(?<![.$\w\"])(?:filter|where)\(([^()]{1,200})\)"), r"map(select(\1))"),
    (re.compile(r"==="), "=="),
    (re.compile(r"\s*&&\s*"), " and "),
    (re.compile(r"\s*\|\|\s*"), " or "),
    (re.compile(r"\bNone\b|\bnil\b|\bNULL\b"), "null"),
    (re.compile(r"\bTrue\b"), "true"),
    (re.compile(r"\bFalse\b"), "false"),
)
_SELECT = re.compile(
    r"\s*select\s+(?:distinct\s+)?(?P<columns>.{1,200}?)\s+from\s+\S{1,100}(?:\s+as\s+\w+)?"
    r"(?:\s+where\s+(?P<where>.{1,300}?))?(?:\s+group\s+by\s+(?P<group>[\w.\"`]{1,60}))?"
    r"(?:\s+order\s+by\s+(?P<order>[\w.\"`()*]{1,60})(?P<desc>\s+desc)?(?:\s+asc)?)?(?:\s+limit\s+(?P<limit>\d{1,6}))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_AGGREGATE = re.compile(r"(?P<name>count|sum|avg|min|max)\((?P<column>\*|[\w.]{1,60})\)(?:\s+as\s+\w+)?", re.IGNORECASE)
_AGGREGATES = {"sum": "add", "avg": "add / length", "min": "min", "max": "max"}
_COLUMN = re.compile(r"[A-Za-z_]\w{0,60}")
_COMPARED = re.compile(
    r"(?P<column>[A-Za-z_][\w.]{0,60})\s*(?P<sign>=|==|<>|!=|>=|<=|>|<|like)\s*(?P<value>'[^']*'|\"[^\"]*\"|-?\d+(?:\.\d+)?|\w+)",
    re.IGNORECASE,
)
_COMPREHENSION = re.compile(
    r"\s*\[(?P<made>[^\n]{1,150}?)\s+for\s+(?P<name>[A-Za-z_]\w{0,20})\s+in\s+[\w.]{1,40}"
    r"(?:\s+if\s+(?P<test>[^\n]{1,150}?))?\s*\](?P<range>\[-?\d{0,9}:-?\d{0,9}\])?\s*"
)
_COMMA = re.compile(r",(?![^(]*\))")
_WORD = re.compile(r"\b(?:AND|OR|NOT)\b")
_SIGNS = {"=": "==", "<>": "!="}
_ASSIGNS = re.compile(r"\b(?:select|if|any|all)\b[^|]{0,200}?[\w\])\"]\s*=(?!=)\s*[\w\".$-]")


def repair(program: str, compiles: Callable[[str], bool]) -> str:
    """Return the filter that was probably meant; ``""`` if none is found that compiles.

    Args:
        program: The filter that does not compile.
        compiles: Whether a filter does.
    """
    if len(program) > MOST_CHARACTERS:
        return ""
    sql = _from_sql(program)
    if sql:
        return sql if compiles(sql) else ""
    python = _COMPREHENSION.fullmatch(program)
    if python is not None:
        condition = _member(python, python["test"] or "")
        meant = f"map({f'select({condition}) | ' if condition else ''}{_member(python, python['made'])})"
        meant += f" | .{python['range']}" if python["range"] else ""
        return meant if compiles(meant) else ""
    meant = program
    for change in (_without_shell, _double_quotes, _from_json_path, _from_methods, _from_functions):
        changed = change(meant)
        if changed != meant:
            meant = changed
            if compiles(meant):
                return meant
    return ""


def with_quoted_keys(program: str, names: Iterable[str], compiles: Callable[[str], bool]) -> str:
    """Return the filter with the keys in brackets that need them; ``""`` if none is found that compiles.

    Args:
        program: The filter that does not compile.
        names: Keys of the object.
        compiles: Whether a filter does.
    """
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


def collected(program: str, compiles: Callable[[str], bool]) -> str:
    """Return the filter with all outputs before its last step in one list; ``""`` if that does not compile."""
    before, _, last = program.rpartition("|")
    meant = f"[{before.strip()}] | {last.strip()}"
    return meant if before and len(program) <= MOST_CHARACTERS and compiles(meant) else ""


def assigns(program: str) -> bool:
    """Whether a filter assigns in a condition, where it was probably meant to compare."""
    return len(program) <= MOST_CHARACTERS and _ASSIGNS.search(_STRING.sub('""', program)) is not None


def _member(python: re.Match[str], text: str) -> str:
    """Write ``x["a"]``, ``x.get("a")`` and ``x.a`` of Python as steps, for the variable of a comprehension."""
    name = python["name"]
    text = re.sub(rf"\b{name}(?:\[[\"'](\w+)[\"']\]|\.get\([\"'](\w+)[\"']\))", r".\1\2", text.strip())
    return _double_quotes(re.sub(rf"\b{name}\b(?=\.)", "", text))


def _outside_strings(program: str, change: Callable[[str], str]) -> str:
    """Change what is not within double quotes; quoted texts keep their place as ``"0"``."""
    kept = _STRING.findall(program)
    numbers = iter(range(len(kept)))
    changed = change(_STRING.sub(lambda _: f'"{next(numbers)}"', program))
    return re.sub(r'"(\d+)"', lambda found: kept[int(found[1])] if int(found[1]) < len(kept) else found[0], changed)


def _without_shell(program: str) -> str:
    found = _SHELL.fullmatch(program)
    return program if found is None else found["inside"].strip()


def _double_quotes(program: str) -> str:
    return _SINGLE.sub(lambda found: '"' + found[1].replace('"', '\\"') + '"', program)


def _from_json_path(program: str) -> str:
    def change(text: str) -> str:
        text = re.sub(r"^\s*\$(?:\.(?=[\[\w])|(?=[\[.])|\s*$)", ".", text).replace("[*]", "[]").replace("@.", ".")
        text = _CONDITION.sub(r"[] | select(\g<test>) | ", text).replace("| .[", "| .[")
        return re.sub(r"\|\s*$", "", text).strip()

    changed = _outside_strings(program, change)
    return f"[{changed}]" if changed != program and "[]" in changed else changed


def _from_methods(program: str) -> str:
    def change(text: str) -> str:
        return _METHOD.sub(
            lambda found: (
                f"({found['path']} | {_METHODS[found['name']].format(found['inside'])})"
                if found["name"] in _METHODS
                else found[0]
            ),
            text,
        )

    return _outside_strings(program, change)


def _from_functions(program: str) -> str:
    def change(text: str) -> str:
        for pattern, instead in _FUNCTIONS:
            text = pattern.sub(instead, text)
        return text

    return _outside_strings(program, change)


def _from_sql(program: str) -> str:
    """Write a plain SELECT as a filter over a list of objects; ``""`` for what is none."""
    found = _SELECT.fullmatch(program)
    if found is None:
        return ""
    columns = [column.strip() for column in _COMMA.split(found["columns"])]
    aggregates = [each for each in map(_AGGREGATE.fullmatch, columns) if each is not None]
    steps = []
    if found["where"]:
        condition = _WORD.sub(lambda word: word[0].lower(), _COMPARED.sub(_compare, found["where"]))
        steps.append(f"map(select({condition}))")
    if found["group"]:
        key = _column(found["group"])
        entries = [f"{key}: .[0].{key}", *(f"{each['name'].lower()}: {_aggregated(each)}" for each in aggregates)]
        steps.append(f"group_by(.{key}) | map({{{', '.join(entries)}}})")
    if found["order"]:
        name = found["order"].partition("(")[0]
        steps.append(f"sort_by(.{name.lower() if '(' in found['order'] else _column(name)})")
        steps += ["reverse"] if found["desc"] else []
    if found["limit"]:
        steps.append(f".[:{found['limit']}]")
    if aggregates and not found["group"]:
        steps.append(_aggregated(aggregates[0]))
    elif columns != ["*"] and not found["group"]:
        steps.append(f"map({{{', '.join(map(_column, columns))}}})")
    return " | ".join(steps or ["."])


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
