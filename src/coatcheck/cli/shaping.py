"""The flags of ``coatcheck wrap`` that say how much of a result passes unchanged: settings, said in few letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coatcheck.errors import SettingsError, excerpt


@dataclass(frozen=True, slots=True)
class Shaping:
    """What the command line says about limits.

    Attributes:
        limits: ``PATTERN=NUMBER``, or a number alone for all tools.
        never: Patterns of tools whose results always pass unchanged.
        always: Patterns of tools whose results are always kept.
        round_limit: What the results of one round may have together; 0 for no limit.
        tokens: Whether numbers are tokens.
    """

    limits: Sequence[str] = ()
    never: Sequence[str] = ()
    always: Sequence[str] = ()
    round_limit: int | None = None
    tokens: bool = False

    def settings(self) -> dict[str, Any]:
        """Give the settings that were said; each goes before its variable and the settings file.

        Raises:
            SettingsError: A limit that is no number.
        """
        by_tool: list[tuple[str, int]] = []
        said: dict[str, Any] = {"tool_limits": by_tool, "never_keep": self.never, "always_keep": self.always}
        said["limits_in_tokens"] = self.tokens
        for given in self.limits:
            pattern, separator, number = given.rpartition("=")
            if not number.strip().isdecimal() or (separator and not pattern.strip()):
                raise SettingsError(f'--limit wants PATTERN=NUMBER or NUMBER, not "{excerpt(given)}".')
            if separator:
                by_tool.append((pattern.strip(), int(number)))
            else:
                said["inline_limit"] = int(number)
        # What was not said is empty or false and leaves the word to the variables.
        return {name: value for name, value in said.items() if value or name == "inline_limit"} | (
            {} if self.round_limit is None else {"round_limit": self.round_limit}
        )
