"""Lists of a server's tools in its entry: the tools that the model sees, and those that run without approval.

A list that names some of the server's tools leaves out the object tools, so their names can be added to it.
"""

from collections.abc import Sequence

from coatcheck.installer.server_entries import Entry
from coatcheck.installer.text_spans import Edit, Member, quoted, removals

READING_TOOLS = (
    "object_store_get",
    "object_store_slice",
    "object_store_grep",
    "object_store_query",
    "object_store_list",
)
"""Tools that read objects and change none."""

OBJECT_TOOLS = (*READING_TOOLS, "object_store_sed", "object_store_put", "object_store_delete")

_VISIBLE = frozenset(
    {"includeTools", "include_tools", "enabledTools", "enabled_tools", "allowedTools", "allowed_tools", "tools"}
)
_APPROVED = frozenset({"alwaysAllow", "always_allow", "autoApprove", "auto_approve", "autoAllow", "alwaysAllowTools"})
KEYS = _VISIBLE | _APPROVED


def missing_tools(entry: Entry) -> dict[str, list[str]]:
    """Give, by the key of each list of tools in an entry, the object tools that it leaves out.

    An empty list and one with a ``*`` leave out none. Lists of approved tools get the tools that only read.
    """
    found: dict[str, list[str]] = {}
    for member in _lists(entry):
        names = {item.scalar for item in member.node.items}
        ours = OBJECT_TOOLS if member.name in _VISIBLE else READING_TOOLS
        missing = [name for name in ours if name not in names]
        if missing and names and not any("*" in name for name in names):
            found[member.name] = missing
    return found


def warning(missing: dict[str, list[str]]) -> str:
    """Describe the consequence if lists leave out the object tools."""
    hidden, asked = sorted(set(missing) & _VISIBLE), sorted(set(missing) & _APPROVED)
    parts = [f"{' and '.join(hidden)} hides the object tools from the model" if hidden else ""]
    parts.append(f"the client asks before each object tool, which {' and '.join(asked)} does not name" if asked else "")
    return "; ".join(part for part in parts if part)


def add_tools(entry: Entry, added: dict[str, list[str]]) -> list[Edit]:
    """Return the edits that add names to the ends of lists."""
    edits: list[Edit] = []
    for member in _lists(entry):
        names = added.get(member.name, [])
        if names and member.node.items:
            end = member.node.items[-1].end
            edits.append(Edit(end, end, "".join(f", {quoted(name)}" for name in names)))
    return edits


def added_tools(original: Entry, wrapped: Entry) -> dict[str, list[str]]:
    """Return the object tools that the lists of an entry have now and did not have before."""
    before = {member.name: {item.scalar for item in member.node.items} for member in _lists(original)}
    return {
        member.name: [
            item.scalar
            for item in member.node.items
            if item.scalar in OBJECT_TOOLS and item.scalar not in before.get(member.name, set())
        ]
        for member in _lists(wrapped)
    }


def remove_tools(entry: Entry, removed: dict[str, list[str]]) -> list[Edit]:
    """Return the edits that remove names from lists."""
    return [
        edit for member in _lists(entry) if (names := removed.get(member.name)) for edit in _removals(member, names)
    ]


def _removals(member: Member, names: Sequence[str]) -> list[Edit]:
    items = member.node.items
    removed = {number for number, item in enumerate(items) if item.scalar in names}
    return removals([(item.start, item.end) for item in items], removed)


def _lists(entry: Entry) -> list[Member]:
    return [
        member
        for member in entry.node.members
        if member.name in KEYS
        and member.node.kind == "array"
        and all(item.kind == "string" for item in member.node.items)
    ]
