"""The preview of a tool result with several blocks: their contents without the MCP structure."""

from collections import Counter
from typing import Any

from coatcheck.codec.tool_results import CONTENT
from coatcheck.errors import counted, quoted_name
from coatcheck.explorer.previews.main_part import call, label_of, reference_usage
from coatcheck.explorer.previews.preview_limit import PreviewBudget
from coatcheck.explorer.previews.wording import Subject, headlines, one_line
from coatcheck.explorer.texts.summaries import LIGHT
from coatcheck.references import Index, Key, Path, Reference, Slice

KIND, NAME, START = 30, 50, 120
"""Characters of a block's type, of each of its names, and of the start of its text."""
RESERVE = 400
"""Characters for the next steps and the omitted blocks."""
MOST_BLOCKS = 15
BYTES = "$base64"
BASE64 = {"image": ("data",), "audio": ("data",), "resource": ("resource", "blob")}
TEXT = {"text": ("text",), "resource": ("resource", "text")}


def is_envelope(value: Any) -> bool:
    """Whether a value is the stored form of a tool result with several blocks."""
    content = value.get(CONTENT) if isinstance(value, dict) and value.keys() == {CONTENT} else None
    return isinstance(content, list) and all(
        isinstance(block, dict) and isinstance(block.get("type"), str) for block in content
    )


def title_of_blocks(blocks: list[dict[str, Any]]) -> str:
    """Name the number of blocks and their types."""
    kinds = Counter(quoted_name(block["type"], KIND) for block in blocks)
    most = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(4))
    return f"result of {counted(len(blocks), 'block')} ({most})"


def title_of_bytes(value: dict[str, Any]) -> str:
    """Name the number of bytes of an encoded value."""
    return f"{counted(value['bytes'] if isinstance(value['bytes'], int) else 0, 'byte')} in base64"


def render_blocks(value: dict[str, Any], subject: Subject, limit: int) -> str:
    """Preview a result of blocks in at most ``limit`` characters: a line for each, with the path to its content."""
    blocks, target = value[CONTENT], subject.target
    budget = PreviewBudget(limit)
    if not budget.put_first("headline", headlines(subject, title_of_blocks(blocks))):
        return ""
    base = target.path if target else Path()
    steps = [] if target is None else _steps(blocks, target, subject)
    if steps:
        budget.put_first("next", (f"Next: {steps[0]}", steps[0]))
    shown = 0
    for position, block in enumerate(blocks[:MOST_BLOCKS]):
        line = block_line(block, base.join(path_of_block(position).steps))
        if len(line) + RESERVE > budget.remaining or not budget.put("samples", line):
            break
        shown += 1
    rest = len(blocks) - shown
    budget.put("left_out", f"Left out: {rest:,} of {counted(len(blocks), 'block')}." if rest else "")
    for step in steps[1:]:
        budget.put("next", step)
    return budget.text()


def is_bytes(value: Any) -> bool:
    """Whether a value is the stored form of bytes."""
    return isinstance(value, dict) and value.keys() == {BYTES, "bytes"} and isinstance(value[BYTES], str)


def render_bytes(value: dict[str, Any], subject: Subject, limit: int) -> str:
    """Preview bytes in at most ``limit`` characters: their number, and how to view them."""
    budget = PreviewBudget(limit)
    if budget.put_first("headline", headlines(subject, title_of_bytes(value))) and subject.target:
        budget.put("next", f"Next: {viewing(subject, Path((Key(BYTES),)))}")
    return budget.text()


def viewing(subject: Subject, path: Path, text: str = "") -> str:
    """Return the sentence that says how base64 is viewed; ``text`` is what is stored there, which may be a data URI."""
    part = f"{subject.reference}{path}"
    cut = "cut -d, -f2 | " if text.startswith("data:") else ""
    command = f", or run: coatcheck objects get '{part[1:]}' | {cut}base64 -d > FILE" if subject.is_shared else ""
    return f"To view it, give {part} (base64) to a tool that shows or saves files{command}"


def path_of_block(position: int, inside: tuple[str, ...] = ()) -> Path:
    """Return the path of a block of an envelope, or of a part of it."""
    return Path((Key(CONTENT), Index(position), *map(Key, inside)))


def _inside(block: dict[str, Any], places: dict[str, tuple[str, ...]]) -> tuple[tuple[str, ...], str]:
    """Return the path and content of a block's text or base64; two empty strings if it has none."""
    keys = places.get(block["type"], ())
    value: Any = block if keys else None
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return (keys, value) if isinstance(value, str) else ((), "")


def is_encoded(block: dict[str, Any]) -> bool:
    """Whether a block is an image, audio or a file in base64."""
    return bool(_inside(block, BASE64)[0])


def block_line(block: dict[str, Any], path: Path) -> str:
    """Describe a block on one line: path, type, name, length, and the start of its text."""
    resource = block.get("resource")
    about: dict[str, Any] = resource if isinstance(resource, dict) else block
    named = (about[key] for key in ("name", "uri", "mimeType") if isinstance(about.get(key), str))
    name = ", ".join([quoted_name(block["type"], KIND), *(quoted_name(each, NAME) for each in named)])
    for places, form in ((TEXT, "text"), (BASE64, "base64")):
        keys, value = _inside(block, places)
        if keys:
            start = f": {one_line(value.lstrip(), START)}" if form == "text" else ""
            where = label_of(path.join(tuple(map(Key, keys))))
            return f"{where}: {name}, {counted(len(value), 'character')} of {form}{start}"
    return f"{label_of(path)}: {name}"


def _steps(blocks: list[dict[str, Any]], target: Reference, subject: Subject) -> list[str]:
    """Suggest reading the longest text or the links, and passing a block to a tool."""
    lengths = [(len(_inside(block, TEXT)[1]), -position) for position, block in enumerate(blocks)]
    longest, place = max(lengths)
    steps = []
    if any(block["type"] == "resource_link" for block in blocks):
        links = '.content | map(select(.type == "resource_link") | {name, uri}) | .[:20]'
        steps.append(call("query", target, filter=links))
    if longest:
        path = path_of_block(-place, TEXT[blocks[-place]["type"]])
        text = _inside(blocks[-place], TEXT)[1]
        lines = text.count("\n", 0, LIGHT)
        cut = path if longest <= LIGHT else path.child(Slice(0, LIGHT))
        cut = path.child("lines").child(Slice(0, lines)) if longest > LIGHT and lines > 1 else cut
        steps.append(call("get", target.join(cut)))
    pictured = next(((n, _inside(b, BASE64)[0]) for n, b in enumerate(blocks) if is_encoded(b)), None)
    if pictured is not None:
        steps.append(viewing(subject, path_of_block(*pictured)))
    else:
        steps.append(
            reference_usage(
                target, path_of_block(-place, TEXT[blocks[-place]["type"]]) if longest else path_of_block(0)
            )
        )
    return [step for step in steps if step]
