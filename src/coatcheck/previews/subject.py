"""What a preview is of, and its first line."""

from dataclasses import dataclass
from math import isfinite

from coatcheck.previews.wording import duration, number, one_line
from coatcheck.references import Reference, parse_reference

CHARACTERS_PER_TOKEN = 4
NAME = 80
NOTE = 300


@dataclass(frozen=True, slots=True)
class Subject:
    """What a preview is of.

    Attributes:
        reference: The reference as the model will write it, ``@obj_1`` or ``@obj_1.items[3]``; ``""`` where the value
            was not kept, so that nothing is offered that does not work.
        characters: Length of the whole value as text, in characters.
        expires_in: Seconds until the object expires; ``None`` where it does not.
        tool: The tool that made it.
        kind_note: One more sentence for the first line, for example what the value was made from.
    """

    reference: str
    characters: int
    expires_in: float | None = None
    tool: str | None = None
    kind_note: str | None = None

    @property
    def target(self) -> Reference | None:
        """The reference, parsed; ``None`` where there is none."""
        return parse_reference(self.reference)


def headlines(subject: Subject, what: str, *notes: str) -> list[str]:
    """Give the first line in several forms, the fullest first and the bare reference last.

    Args:
        subject: What the preview is of.
        what: Type and length, for example ``array of 5,000 items``.
        *notes: Sentences for the fullest forms.
    """
    start = f"{subject.reference}: {what}" if subject.reference else what
    size = f"{start}, {number(subject.characters)} characters"
    tokens = subject.characters // CHARACTERS_PER_TOKEN
    if tokens:
        size += f" (~{number(tokens)} tokens)"
    full = size
    if subject.tool:
        full += f", from {one_line(subject.tool, NAME)}"
    if subject.reference and subject.expires_in is not None and isfinite(subject.expires_in):
        full += f", kept for {duration(subject.expires_in)}"
    said = [one_line(note, NOTE).rstrip(".") for note in (subject.kind_note, *notes) if note]
    forms = [". ".join([full, *said]), full, size, start, subject.reference]
    return [form for form in forms if form]
