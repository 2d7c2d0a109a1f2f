"""The lists, capabilities and words of several servers put together."""

from collections.abc import Sequence
from typing import Any

from coatcheck.proxy.gateway.member import Member, State
from coatcheck.proxy.gateway.names import joined, joined_uri
from coatcheck.proxy.gateway.protocol_revisions import info_of

SERVERS_TOOL = "coatcheck_servers"
LISTS = {
    "tools/list": ("tools", "tools"),
    "prompts/list": ("prompts", "prompts"),
    "resources/list": ("resources", "resources"),
    "resources/templates/list": ("resources", "resourceTemplates"),
    "tasks/list": ("tasks", "tasks"),
}
"""For each list: the capability that it belongs to, and its name in the result."""

_OF_EACH = ("tools", "prompts", "resources", "completions", "logging", "tasks")
_VERSION = "1"
NOT_CACHED = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


def merged_capabilities(members: Sequence[Member]) -> dict[str, Any]:
    """Give what the servers can do together.

    Tools are always there, since ours are, and that lists change is always said, since servers come and go. What
    cannot be kept apart, such as extensions, is left out.
    """
    merged: dict[str, Any] = {"tools": {"listChanged": True}}
    for member in members:
        for name in _OF_EACH:
            own = member.capabilities.get(name)
            if isinstance(own, dict):
                merged[name] = {
                    **merged.get(name, {}),
                    **{key: value for key, value in own.items() if value not in (False, None)},
                }
    for name in ("prompts", "resources"):
        if name in merged:
            merged[name]["listChanged"] = True
    return merged


def merged_instructions(members: Sequence[Member]) -> str:
    """Give the instructions of all servers, and a word on how they are told apart."""
    names = ", ".join(member.name for member in members)
    example = joined(members[0].name if members else "server", "tool")
    begin = f"Several servers are behind this one: {names}. The name of each tool begins with its server's, as in"
    parts = [f"{begin} {example}. {SERVERS_TOOL} tells how they are."]
    for member in members:
        said = member.greeting.get("instructions")
        if member.state is not State.RUNNING:
            parts.append(f"{member.name} is {member.describe()}")
        elif isinstance(said, str) and said:
            parts.append(f"{member.name}: {said}")
    return "\n\n".join(parts)


def server_info() -> dict[str, str]:
    """Give the name under which the servers appear together."""
    return {"name": "coatcheck", "title": "coatcheck gateway", "version": _VERSION}


def renamed(member: Member, method: str, entry: Any) -> Any:
    """Give an entry of a server's list with the name or address that it has here."""
    if not isinstance(entry, dict):
        return entry
    changed = dict(entry)
    if method in {"tools/list", "prompts/list"}:
        changed["name"] = joined(member.name, str(entry.get("name")))
    for key in ("uri", "uriTemplate"):
        if key in entry:
            changed[key] = joined_uri(member.name, entry[key])
    return changed


def servers_tool() -> dict[str, Any]:
    """Give the entry of the tool that tells how the servers are."""
    return {
        "name": SERVERS_TOOL,
        "description": "Tell which servers are behind this one, whether each runs, and when one that is down is tried "
        "again.",
        "inputSchema": {"type": "object", "properties": {}},
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    }


def servers_text(members: Sequence[Member]) -> str:
    """Say how each server is, a line for each."""
    lines = []
    for member in members:
        info = info_of(member.greeting)
        what = f" ({info.get('name')} {info.get('version')}".rstrip() + ")" if info else ""
        lines.append(f"{member.name}: {member.describe()}{what if member.state is State.RUNNING else ''}")
    return "\n".join(lines)
