"""Write the container's graph into containers.md, between its two markers."""

from pathlib import Path

from coatcheck.containers import Container
from coatcheck.wiring.graph import mermaid

PAGE = Path(__file__).parents[1] / "containers.md"
START, END = "<!-- drawing: made by `make docs` -->\n", "<!-- end of drawing -->"


def with_drawing(page: str) -> str:
    """Give the page with the drawing as the container is now."""
    before, rest = page.split(START)
    _, after = rest.split(END)
    return f"{before}{START}```mermaid\n{mermaid(Container())}\n```\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_drawing(PAGE.read_text()))
