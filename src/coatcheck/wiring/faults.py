"""What is wrong with a container's wiring."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake in the wiring.

    Attributes:
        name: Its stable name; ``docs/errors.md`` has a section for each.
        path: The provider's name, or the path to it from a named one.
        text: What is wrong and how to correct it.
    """

    name: str
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text} [{self.name}]"


class WiringWarning(UserWarning):
    """A part of a container's wiring has no effect."""
