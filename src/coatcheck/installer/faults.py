"""What can be wrong with a file of settings."""

from coatcheck.errors import CoatcheckError


class ConfigurationFault(CoatcheckError, ValueError):
    """A file of settings cannot be understood, or not be changed safely; it was left as it was."""


class SyntaxFault(Exception):
    """A text breaks the rules of its format.

    Attributes:
        reason: What is wrong; nothing of the text, which may be secret.
        line: Counted from 1.
        column: Counted from 1, in characters.
    """

    def __init__(self, reason: str, text: str, position: int) -> None:
        self.reason = reason
        self.line = text.count("\n", 0, position) + 1
        self.column = position - (text.rfind("\n", 0, position) + 1) + 1
        super().__init__(f"{reason} (line {self.line}, column {self.column})")
