"""Whether a jq filter may compute with integers of a JSON text that a double cannot hold."""

import re

from coatcheck.explorer.operations.jq_analysis import uses_arithmetic

EXACT_INTEGER = 2**53
LOOKED_THROUGH = 1024 * 1024
"""Characters of JSON whose fields are examined; in longer ones, any long integer counts as used."""

_LONG_MEMBER = re.compile(
    r'(?:"(?P<field>[^"\\]{0,200})"\s{0,9}:|"\s{0,9}:|[\[,]|\A)\s{0,99}-?(?P<digits>\d{16,400})(?=\s{0,99}(?:[,}\]]|\Z))'
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_OPERAND = r"(?:(?<![\w.\])}])(?:\.[A-Za-z_]\w*)+(?![\w.\[(\"?])|(?<![\w.\])}])\d+(?:\.\d+)?(?![\w.\[(]))"
_OF_FIELDS = re.compile(
    rf"\b(?:sort|group|unique|min|max)_by\(\s*(?:\.[A-Za-z_]\w*)+\s*\)|{_OPERAND}\s*(?:[=!<>]=|[-+*/%<>])\s*{_OPERAND}"
)
_EXACT = re.compile(r"(?<![\w.\])}])\.(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?\s{0,9}[=!]=\s{0,9}-?\d+(?![\w.])")
"""An equality comparison of an unchanged part with an integer, which jq does exactly."""
_LAST_FIELD = re.compile(r"\.([A-Za-z_]\w*)(?![\w.])")


def may_round(program: str, source: str) -> bool:
    """Whether a computing filter may use an integer beyond 2^53 of its JSON input.

    It does not if all its operands are named fields that contain neither such integers nor containers.
    """
    program = _EXACT.sub("0", program)
    if not uses_arithmetic(program):
        return False
    if len(source) > LOOKED_THROUGH:
        return True
    found = [each for each in _LONG_MEMBER.finditer(source) if int(each["digits"]) > EXACT_INTEGER]
    fields = {each["field"] for each in found}
    if not found or None in fields or any(_names(program, field) for field in fields if field):
        return bool(found)
    if any(part in program for part in ("\\(", "$", "entries")):
        return True
    plain = _STRING.sub("0", program)
    used = {name for each in _OF_FIELDS.finditer(plain) for name in _LAST_FIELD.findall(each.group())}
    if any(re.search(rf'"{name}"\s*:\s*[\[{{]', source) for name in used):
        return True
    return uses_arithmetic(_OF_FIELDS.sub("0", plain))


def _names(program: str, field: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(field)}(?!\w)", program) is not None
