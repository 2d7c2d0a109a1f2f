"""What is wrong with a container's wiring."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake in the wiring.

    Attributes:
        name: Its stable name; ``docs/errors.md`` has a section for each.
        path: Where it is: the provider's name, or the way to it from a named one.
        text: What is wrong, and what to do about it.
    """

    name: str
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text} [{self.name}]"


class WiringWarning(UserWarning):
    """Something in a container's wiring that does not do what it seems to do."""
