"""Regular expressions from outside: compiled with errors that help."""

import re

from coatcheck.errors import PatternError, excerpt


def compile_pattern(pattern: str, *, case_sensitive: bool) -> re.Pattern[str]:
    """Compile a pattern in which ``^`` and ``$`` match at lines.

    Raises:
        PatternError: With the position of the fault.
    """
    flags = re.MULTILINE if case_sensitive else re.MULTILINE | re.IGNORECASE
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        where = "" if error.pos is None else f" at character {error.pos + 1}"
        raise PatternError(
            f'The pattern "{excerpt(pattern)}" is no regular expression: {error.msg}{where}. '
            "Write a backslash before characters that are meant literally, such as ( [ { * + ? . | \\"
        ) from None
    except (RecursionError, OverflowError):
        raise PatternError(
            f'The pattern "{excerpt(pattern)}" is nested too deeply or repeats too often. Use a simpler one.'
        ) from None
