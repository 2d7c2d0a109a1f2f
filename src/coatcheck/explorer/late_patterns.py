"""Regular expressions that are compiled when they are first used.

Compiling those that recognise and parse texts takes a twentieth of the start of ``coatcheck wrap``, and few sessions
use all of them.
"""

import re
from typing import Any, cast


def late_pattern(expression: str, flags: int = 0) -> re.Pattern[str]:
    """Return what can be used like ``re.compile(expression, flags)``, except as an argument of functions of ``re``."""
    return cast("re.Pattern[str]", LatePattern(expression, flags))


class LatePattern:
    """A pattern that is compiled when one of its methods is used."""

    def __init__(self, expression: str, flags: int) -> None:
        self._expression = expression
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        """Compile the expression and keep its method, which later calls find without this one."""
        method = getattr(re.compile(self._expression, self._flags), name)
        setattr(self, name, method)
        return method
