"""The flags of ``coatcheck wrap`` that say how much of a result passes unchanged."""

from collections.abc import Sequence
from dataclasses import dataclass

from coatcheck.errors import SettingsError, excerpt
from coatcheck.wire.limits import CHARACTERS_PER_TOKEN, ROUND_FACTOR, Limits


@dataclass(frozen=True, slots=True)
class Shaping:
    """What the command line says about limits.

    Attributes:
        limits: ``PATTERN=NUMBER``, or a number alone for all tools.
        never: Patterns of tools whose results always pass unchanged.
        always: Patterns of tools whose results are always kept.
        round_limit: What the results of one round may have together; 0 for no limit.
        tokens: Whether numbers are tokens.
        resource_links: Whether what was kept is also given as a resource link.
    """

    limits: Sequence[str] = ()
    never: Sequence[str] = ()
    always: Sequence[str] = ()
    round_limit: int | None = None
    tokens: bool = False
    resource_links: bool = False

    def check(self) -> None:
        """Refuse what cannot be meant, before anything starts.

        Raises:
            SettingsError: A limit that is no number.
        """
        self.make(0)

    def make(self, inline_limit: int) -> Limits:
        """Make the limits; ``inline_limit`` is the setting, in characters."""
        factor = CHARACTERS_PER_TOKEN if self.tokens else 1
        default, by_tool = inline_limit, []
        for given in self.limits:
            pattern, separator, number = given.rpartition("=")
            if not number.strip().isdecimal() or (separator and not pattern.strip()):
                raise SettingsError(f'--limit wants PATTERN=NUMBER or NUMBER, not "{excerpt(given)}".')
            characters = int(number) * factor
            if separator:
                by_tool.append((pattern.strip(), characters))
            else:
                default = characters
        per_round = ROUND_FACTOR * default if self.round_limit is None else self.round_limit * factor
        return Limits(default, tuple(by_tool), tuple(self.never), tuple(self.always), per_round)
