"""Figures, their targets, and the printed table."""

from dataclasses import dataclass
from typing import Any

_UNITS = {"µs": 1e6, "ms": 1e3, "x": 1.0, "characters": 1.0}
_WIDTHS = (58, 12, 12, 10)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        section: The heading above it.
        name: What was measured.
        unit: How it is shown: ``µs`` or ``ms`` for seconds, ``x`` for a ratio, or ``characters``.
        ours: Seconds, or the ratio or number; ``None`` if it could not be measured.
        peer: The same for the peer, if it has the function: ctxtual for wrapping, else deepset-mcp.
        target: The upper limit for ``ours``.
    """

    section: str
    name: str
    unit: str
    ours: float | None
    peer: float | None = None
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; ``None`` without one."""
        return None if self.target is None else self.ours is not None and self.ours <= self.target

    def as_json(self) -> dict[str, Any]:
        """Return the figure as a JSON object, times in seconds."""
        return {
            "section": self.section,
            "name": self.name,
            "unit": {"x": "ratio", "characters": "characters"}.get(self.unit, "seconds"),
            "coatcheck": self.ours,
            "peer": self.peer,
            "target": self.target,
            "met": self.met,
        }


def print_table(figures: list[Figure]) -> None:
    """Print figures under the headings of their sections."""
    _print_row("", "coatcheck", "peer", "ratio", "target")
    section = ""
    for figure in figures:
        if figure.section != section:
            section = figure.section
            print(f"\n{section}")
        peer_ratio = f"{figure.peer / figure.ours:,.1f}x" if figure.peer and figure.ours else ""
        _print_row(
            f"  {figure.name}",
            _format(figure, figure.ours),
            _format(figure, figure.peer),
            peer_ratio,
            _verdict(figure),
        )
    met = [figure.met for figure in figures if figure.met is not None]
    print(f"\n{sum(met)} of {len(met)} targets met. The ratio is the peer's time divided by coatcheck's;")
    print("the peer is ctxtual for wrapping, else deepset-mcp.")


def _print_row(name: str, ours: str, peer: str, peer_ratio: str, verdict: str) -> None:
    name_width, *widths = _WIDTHS
    cells = "".join(f"{cell:>{width}}" for cell, width in zip((ours, peer, peer_ratio), widths, strict=True))
    print(f"{name:<{name_width}}{cells}  {verdict}".rstrip())


def _format(figure: Figure, value: float | None) -> str:
    if value is None:
        return "-" if figure.peer is not None or figure.ours is None else ""
    if figure.unit == "characters":
        return f"{value:,.0f}"
    return f"{value * _UNITS[figure.unit]:,.2f} {figure.unit}" if figure.unit != "x" else f"{value:.2f}x"


def _verdict(figure: Figure) -> str:
    if figure.target is None:
        return ""
    limit = f"{figure.target * _UNITS[figure.unit]:g}{'' if figure.unit == 'x' else ' '}{figure.unit}"
    return f"{'met' if figure.met else 'NOT met'} (at most {limit})"
