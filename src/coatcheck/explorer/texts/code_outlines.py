"""The definitions in source code and the CREATE, ALTER and DROP statements of SQL, found by linear patterns."""

import re
from collections.abc import Iterator

from coatcheck.explorer.late_patterns import late_pattern

Parts = Iterator[tuple[int, int, str]]
"""Offset, level and name of each part."""

_PYTHON = late_pattern(
    r"^(?P<indent>[ \t]{0,8})(?P<name>(?:class|def|async def) +\w{1,80}(?:\([^\n]{0,120})?)", re.MULTILINE
)
_MODIFIERS = (
    r"(?:(?:export|default|declare|pub(?:\([^)\n]{1,20}\))?|public|private|protected|internal|static|abstract|final"
    r"|override|sealed|async|unsafe|extern|data|open|inline|const)[ ]){0,5}"
)
_NOT_CALLS = r"(?!(?:if|for|while|switch|catch|return|function|else|do|with|using|lock|match|super|await)\b)"
_CODE = late_pattern(rf"""(?mx)
    ^(?P<indent>[ \t]{{0,8}})
    (?P<name>
      {_MODIFIERS}
      (?:
        (?:func[ ]+[\w(]|(?:fn|fun|class|interface|struct|enum|trait|mod|module|namespace|record|object|protocol
          |extension|union|sub|message|service|rpc|function\*?)[ ]+[\w"']|impl[ <][\w<&'])
        [^\n{{;=]{{0,120}}(?![ ]{{0,4}}[;,)=])
        |type[ ]+\w{{1,80}}(?:<[^\n<>]{{1,80}}>)?
          (?=[ ]=|[ ](?:struct|interface|func)\b|[^\n{{=;]{{0,80}}\{{)(?:[ ](?:struct|interface|func))?
        |(?:const|let|var)[ ][\w$]{{1,60}}
          (?=[ ]=[ ](?:async[ ])?(?:function\b|\([^\n()]{{0,200}}\)[ ]=>|\w{{1,40}}[ ]=>))
        |[\w.$]{{3,80}}(?=[ ]=[ ](?:async[ ])?function\b)
      )
    | (?:(?:public|private|protected|internal|static|abstract|final|override|virtual|async)[ ]){{1,4}}
      [\w<>\[\],.?]{{1,60}}[ ]\w{{1,60}}\([^\n{{;]{{0,100}}
    | {_NOT_CALLS}(?:(?:async|static|get|set)[ ]|\*){{0,3}}[#\w$]{{1,60}}\([^\n(){{}};]{{0,120}}\)
      (?:[ ]?:[ ]?[^\n{{}};=]{{1,60}})?(?=[ ]\{{[ \t]{{0,9}}$)
    | [\w:.-]{{1,60}}[ ]?\(\)(?=[ \t]{{0,3}}\n?[ \t]{{0,3}}[{{(][ \t]{{0,9}}$)
    )
    """)
_C = late_pattern(
    r"^(?P<indent>)(?P<name>(?!(?:if|for|while|switch|return|else|do|case|typedef)\b)"
    r"(?:[A-Za-z_][\w*]{0,60}[ \t*]{1,3}){0,5}[A-Za-z_~][\w:~]{0,80}\([^\n;{}]{0,160}[),]"
    r"(?=[ \t]{0,3}(?:const[ ])?\{?$)"
    r"|(?:typedef[ ])?(?:struct|enum|union|class|namespace)[ ]\w{1,60}(?=[^\n;=(),]{0,80}\{?$)"
    r"|#define[ ]\w{1,60}\([^\n)]{0,80}\))",
    re.MULTILINE,
)
_INCLUDE = late_pattern(r"^#[ ]?include [<\"]", re.MULTILINE)
_STATEMENT = late_pattern(r"^(?P<name>(?:CREATE|ALTER|DROP)[ ][^\n(;]{1,120})", re.MULTILINE | re.IGNORECASE)
LOOKED_AT = 8_000
"""Characters at the start in which C has its #include lines."""


def python_parts(text: str) -> Parts:
    """Return the classes and functions of Python."""
    for found in _PYTHON.finditer(text):
        yield found.start(), 1 + (len(found["indent"].expandtabs(4)) + 3) // 4, found["name"].rstrip(" :")


def code_parts(text: str) -> Parts:
    """Return the definitions of other languages: types, functions, methods."""
    pattern = _C if _INCLUDE.search(text[:LOOKED_AT]) else _CODE
    for found in pattern.finditer(text):
        yield found.start(), 1 + (len(found["indent"].expandtabs(4)) + 1) // 2, found["name"].strip()


def sql_parts(text: str) -> Parts:
    """Return what SQL creates, alters and drops."""
    for found in _STATEMENT.finditer(text):
        yield found.start(), 1, found["name"].removesuffix(" AS").strip()
