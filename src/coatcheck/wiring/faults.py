"""What is wrong with a container's wiring."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake in the wiring."""

    name: str  # its stable name; `docs/errors.md` has a section for each
    path: str  # the provider's name, or the path to it from a named one
    text: str  # what is wrong and how to correct it

    def __str__(self) -> str:
        return f"{self.path}: {self.text} [{self.name}]"


class WiringWarning(UserWarning):
    """A part of a container's wiring has no effect."""
