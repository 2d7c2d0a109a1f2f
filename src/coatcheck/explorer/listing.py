"""The list of stored objects, a line for each."""

from coatcheck import codec
from coatcheck.codec.envelope import MAX_ABOUT_CHARACTERS
from coatcheck.errors import counted, quoted_name
from coatcheck.explorer.previews.one_line_descriptions import shorten
from coatcheck.explorer.previews.wording import kind_and_length, one_line
from coatcheck.explorer.texts import name_format
from coatcheck.store.stored_object import ObjectSummary

LONGEST_TOOL = 80
FOR_REMARK = 80
"""Characters reserved for the number of omitted objects."""


def write_listing(summaries: list[ObjectSummary], now: float, limit: int) -> str:
    """List objects, newest first, in at most ``limit`` characters.

    As many objects as fit have a line. The remaining characters are used for descriptions, the newest first.
    """
    if not summaries:
        return "No objects are stored."
    head = f"{counted(len(summaries), 'object')}, newest first:"
    available = limit - len(head) - FOR_REMARK
    lines: list[tuple[str, str]] = []
    for summary in summaries:
        full = _about(summary)
        short = shorten(full)
        after = _after(summary, now)
        line = f"@{summary.object_id}: {short}{after}"
        available -= len(line) + 1
        if available < 0:
            break
        lines.append((line, f"@{summary.object_id}: {full}{after}"))
    written = [head]
    for line, longer in lines:
        available -= len(longer) - len(line)
        written.append(longer if available >= 0 else line)
    if len(lines) < len(summaries):
        left = len(summaries) - len(lines)
        written.append(f"… {counted(left, 'older object')} {'is' if left == 1 else 'are'} left out.")
    return "\n".join(written)


def _about(summary: ObjectSummary) -> str:
    metadata = summary.metadata
    if metadata.about is not None:
        # Other writers to the store may have stored anything there.
        return one_line(metadata.about, MAX_ABOUT_CHARACTERS)
    form = name_format(codec.start_of_text(metadata, summary.start)) if metadata.type == "string" else ""
    what = kind_and_length(metadata.type, metadata.length)
    return f"{what} ({form})" if form else what


def _after(summary: ObjectSummary, now: float) -> str:
    metadata = summary.metadata
    tool = f", from {quoted_name(metadata.tool, LONGEST_TOOL)}" if metadata.tool else ""
    return f", {metadata.size:,} bytes{tool}, {ago(max(now - metadata.created, 0))}"


def ago(seconds: float) -> str:
    """Format how long ago something was."""
    for unit, size in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{counted(int(seconds), 'second')} ago"
