"""Filters that are written in another language as a whole: variables of scripts, Python's comprehensions, JMESPath.

What is made here is still repaired part by part (``filter_repairs``), and suggested only if it compiles.
"""

import re

MOST_CHARACTERS = 400
"""Longer filters are not repaired."""
MOST_VARIABLES = 5
_VARIABLE = re.compile(
    r"\s*(?:(?P<word>let|const|var|local)\s+)?(?P<name>[A-Za-z_]\w{0,30})\s*=(?!=)\s*(?P<value>[^;\n]{1,300}?)\s*(?:[;\n]|\bin\b)\s*"
    r"(?P<rest>.+)",
    re.DOTALL,
)
_ALONE = re.compile(r"^\s*(?:(?:let|const|var|local)\s+)?[A-Za-z_]\w{0,30}\s*=(?!=)\s*")
"""A variable that nothing follows."""
_SPOKEN = re.compile(r"\s*(?:return|echo|print|console\.log)\b\s*(?P<inside>.+?)[\s;]*", re.DOTALL)
_INTERPOLATED = re.compile(
    r"\bf([\"'])(?P<python>[^\"']{0,200})\1|`(?P<script>[^`]{0,200}\$\{[^`]{0,200})`|\"(?P<shell>[^\"]{0,200}\$\{\.[^\"]{0,200})\""
)
_INSERTED = re.compile(r"\$?\{\s*([^{}:]{1,100})(?::[^{}]{0,20})?\}")
_LITERAL = re.compile(r"(?<!`)`([^`$\n]{1,100})`(?!`)")
_COMPREHENSION = re.compile(
    r"\s*(?:(?P<call>sum|len|max|min|any|all|set|list|sorted|Counter)\(\[?|\[|\{(?P<key>[^\n:]{1,80}):)\s*(?P<made>[^\n]{1,150}?)"
    r"\s+for\s+(?P<name>[A-Za-z_]\w{0,20})\s+in\s+[\w.]{1,40}(?:\s+if\s+(?P<test>[^\n]{1,150}?))?\s*(?:\]?\)|\]|\})"
    r"(?P<range>\[-?\d{0,9}:?-?\d{0,9}\])?\s*"
)
_KEYED = re.compile(
    r"\s*(?P<call>sorted|max|min)\(\s*[\w.]{1,40}\s*,\s*key\s*=\s*lambda\s+(?P<name>[A-Za-z_]\w{0,20})\s*:\s*(?P<key>[^\n,()]{1,100})"
    r"(?P<reverse>,\s*reverse\s*=\s*True)?\s*\)(?P<range>\[-?\d{0,9}:?-?\d{0,9}\])?\s*"
)
_CALLS = {"sum": " | add", "len": " | length", "max": " | max", "min": " | min", "any": " | any", "all": " | all"}
_CALLS |= {
    "Counter": " | group_by(.) | map({key: .[0], count: length})",
    "dict": " | add",
    "set": " | unique",
    "list": "",
    "sorted": " | sort",
}
_KEYED_CALLS = {"sorted": "sort_by", "max": "max_by", "min": "min_by"}
_JMES = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"^\[\?", ".[?"),
        (r"(?<=\()\[\?", ".[?"),
        (r"^\[\*?\]\.(?=\{)", ".[] | "),
        (r"\(@, ?&", "("),
        (r"&(?=[A-Za-z_.])", ""),
    )
)


def as_jq(program: str) -> str:
    """Return a filter in the language of another tool as one of jq, as far as its form as a whole is concerned."""
    if len(program) > MOST_CHARACTERS:
        return program
    meant = _ALONE.sub("", _with_variables(program))
    spoken = _SPOKEN.fullmatch(meant)
    meant = (spoken["inside"] if spoken is not None else meant).rstrip("; \n")
    keyed = _KEYED.fullmatch(meant)
    if keyed is not None:
        order = f"{_KEYED_CALLS[keyed['call']]}({member(keyed['name'], keyed['key'])})"
        return order + (" | reverse" if keyed["reverse"] else "") + (f" | .{keyed['range']}" if keyed["range"] else "")
    made = _COMPREHENSION.fullmatch(meant)
    if made is not None:
        condition = member(made["name"], made["test"] or "")
        inside = member(made["name"], made["made"])
        if made["key"]:
            inside = f"{{({member(made['name'], made['key'])}): {inside}}}"
        steps = [f"select({condition})" if condition else "", "" if inside == "." else inside]
        each = f"map({' | '.join(filter(None, steps)) or '.'})"
        return f"{each}{_CALLS[made['call'] or (made['key'] and 'dict') or 'list']}" + (
            f" | .{made['range']}" if made["range"] else ""
        )
    meant = _INTERPOLATED.sub(_as_interpolation, meant)
    meant = _LITERAL.sub(lambda found: found[1] if found[1].strip("-.").isdigit() else f'"{found[1]}"', meant)
    if "?" in meant or "@" in meant or "&" in meant or meant.startswith("["):
        for pattern, instead in _JMES:
            meant = pattern.sub(instead, meant)
    return meant


def _with_variables(program: str) -> str:
    """Write ``let x = …; x`` with variables of jq."""
    begun = ""
    for _ in range(MOST_VARIABLES):
        found = _VARIABLE.fullmatch(program)
        if found is None or (found["word"] is None and ";" not in program):
            break
        begun += f"({found['value']}) as ${found['name']} | "
        program = re.sub(rf"(?<![.$\w\"]){found['name']}\b(?!\s*:)", f"${found['name']}", found["rest"])
    return begun + program


def _as_interpolation(found: re.Match[str]) -> str:
    inside = found["python"] or found["script"] or found["shell"] or ""
    return '"' + _INSERTED.sub(r"\(\1)", inside) + '"'


def member(name: str, text: str) -> str:
    """Write ``x["a"]``, ``x.get("a")`` and ``x.a`` of Python as steps, for the variable ``x``."""
    text = re.sub(rf"\b{name}(?:\[[\"'](\w+)[\"']\]|\.get\([\"'](\w+)[\"']\))", r".\1\2", text.strip())
    text = re.sub(r"'((?:[^'\\]|\\.)*)'", r'"\1"', text)
    return re.sub(rf"\b{name}\b(?!\()", ".", re.sub(rf"\b{name}\b(?=\.)", "", text))
