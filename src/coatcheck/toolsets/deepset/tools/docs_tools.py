"""Tools that explain: the platform's documentation, and guides for common tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from coatcheck.errors import excerpt
from coatcheck.toolsets.deepset.client import DocsShare
from coatcheck.toolsets.deepset.client.models import FoundDocument
from coatcheck.toolsets.deepset.tools.parameters import Query
from coatcheck.toolsets.deepset.tools.tool_errors import ToolFailed, advised

NO_DOCS = (
    "The documentation cannot be searched here: no share URL is set. Ask the user to set DEEPSET_DOCS_SHARE_URL; "
    "load_skill has guides."
)
_FEWEST_CHARACTERS = 200
"""Minimum characters of a page; one that would be cut to less is omitted."""


@advised()
async def search_docs(query: Query, *, docs: DocsShare | None, response_limit: int) -> str:
    """Search the documentation of the deepset platform: how features work, what settings mean, how to fix problems."""
    if docs is None:
        raise ToolFailed(NO_DOCS)
    result = await docs.search(query)
    pages = _joined(result.documents)
    if not pages:
        return "The documentation has nothing on this: try other keywords."
    return _quoted_pages(pages, response_limit)


def _joined(documents: Sequence[FoundDocument]) -> dict[str, str]:
    """Join the documents that are parts of one page, in the order of their ranks, under the page's path."""
    texts: dict[str, list[str]] = {}
    paths: dict[str, str] = {}
    for place, document in enumerate(documents):
        source = str(document.meta.get("source_id") or document.id or place)
        paths.setdefault(
            source, str(document.meta.get("original_file_path") or document.meta.get("file_name") or source)
        )
        texts.setdefault(source, []).append(document.content or "")
    return {f"{paths[source]} ({number})": "\n".join(parts) for number, (source, parts) in enumerate(texts.items(), 1)}


def _quoted_pages(pages: Mapping[str, str], limit: int) -> str:
    """Format pages within a limit; each of their lines is marked, so that none can imitate ours."""
    written: list[str] = []
    left = limit - 100
    for number, (path, text) in enumerate(pages.items()):
        heading = f"## {excerpt(path, 200)}\n"
        quoted = "".join(f"> {line}\n" for line in text.splitlines())
        share = left // (len(pages) - number)
        if len(heading) + len(quoted) > share:
            if share < len(heading) + _FEWEST_CHARACTERS:
                continue
            quoted = quoted[: share - len(heading) - 10] + " […]\n"
        written.append(heading + quoted)
        left -= len(written[-1]) + 1
    hidden = len(pages) - len(written)
    note = f"\n{hidden} more pages were found; ask more precisely to see them." if hidden else ""
    return "\n".join(written) + note


@dataclass(frozen=True, slots=True)
class Skill:
    """A guide."""

    name: str
    description: str  # what it is for, one line
    text: str  # the guide, Markdown without the front matter

    @classmethod
    def parse(cls, markdown: str) -> "Skill":
        """Read a guide: front matter with ``name`` and ``description`` between lines of ``---``, then the text.

        Raises:
            ValueError: It has no such front matter.
        """
        _, head, text = markdown.split("---\n", 2)
        fields = dict(line.split(": ", 1) for line in head.strip().splitlines())
        return cls(fields["name"], fields["description"], text.strip() + "\n")


@cache
def skills() -> Mapping[str, Skill]:
    """Give the guides by their names, in alphabetical order."""
    folder = files("coatcheck.toolsets.deepset").joinpath("skills")
    texts = (entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.endswith(".md"))
    return {skill.name: skill for skill in sorted(map(Skill.parse, texts), key=lambda skill: skill.name)}


async def load_skill(skill_name: Annotated[str, Field(description="Name of the guide.")]) -> str:
    """Read a guide for a common task before you begin with it."""
    found = skills().get(skill_name)
    if found is None:
        raise ToolFailed(f"There is no guide {excerpt(skill_name)!r}; there are: {', '.join(skills())}.")
    return found.text


load_skill.__doc__ = "\n".join(
    [
        "Read a guide for a common task before you begin with it.",
        "",
        "The guides are:",
        *(f"- {skill.name}: {skill.description}" for skill in skills().values()),
    ]
)
