"""A new server in a client's file, and the snippets and links with which a client takes one."""

import base64
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from coatcheck.installer.client_registry import Client
from coatcheck.installer.text_spans import Edit, Member, Node, Tree, quoted

_INDENT = re.compile(r"\r?\n([ \t]*)\Z")


def new_entry(client: Client, command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Create the value of a server that is started by a command."""
    entry: dict[str, Any] = {"type": "stdio"} if client.types else {}
    entry |= {"command": command[0], "args": list(command[1:])}
    return entry | ({"env": dict(environment)} if environment else {})


def add_edit(tree: Tree, client: Client, name: str, entry: Mapping[str, Any]) -> Edit:
    """Return the edit that adds a server to a file."""
    if client.syntax == "json":
        return _json_edit(tree, client, name, entry)
    end = len(tree.text)
    gap = "" if not tree.text.strip() else "\n" if tree.text.endswith("\n") else "\n\n"
    return Edit(end, end, (gap + toml_table(name, entry)).replace("\n", tree.newline))


def _json_edit(tree: Tree, client: Client, name: str, entry: Any) -> Edit:
    """Return the edit that adds a member after the last one, in its format."""
    if not tree.text.strip("\ufeff \t\r\n"):
        return Edit(tree.root.start, tree.root.end, snippet(client, name, entry))
    holder: Node = tree.root
    path = [*client.servers[0], name]
    while len(path) > 1:
        member = holder.find(path[0])
        if member is None:
            break
        if member.node.kind == "other" and member.node.scalar is None:
            value = _nested(path[1:], entry)
            return Edit(member.node.start, member.node.end, formatted(tree, value, *indents(tree, holder)))
        holder = member.node
        del path[0]
    return _append(tree, holder, path[0], _nested(path[1:], entry))


def _nested(path: Sequence[str], entry: Any) -> Any:
    for key in reversed(path):
        entry = {key: entry}
    return entry


def _append(tree: Tree, holder: Node, name: str, value: Any) -> Edit:
    inner, unit = indents(tree, holder)
    text = f"{quoted(name)}: {formatted(tree, value, inner, unit)}"
    if holder.members:
        end = holder.members[-1].node.end
        return Edit(end, end, f", {text}" if inner is None else f",{tree.newline}{inner}{text}")
    if inner is None:
        return Edit(holder.start + 1, holder.start + 1, text)
    newline, outer = tree.newline, inner.removesuffix(unit)
    gap = tree.text[holder.start + 1 : holder.end - 1]
    if gap.strip():  # a comment
        return Edit(holder.start + 1, holder.start + 1, f"{newline}{inner}{text}{newline}{outer}")
    return Edit(holder.start + 1, holder.end - 1, f"{newline}{inner}{text}{newline}{outer}")


def indents(tree: Tree, holder: Node) -> tuple[str | None, str]:
    """Return the indentation of an object's members, ``None`` if they are in one line, and the unit of the file."""
    first = tree.root.members[0] if tree.root.members else None
    unit = _indent_of(tree, first) if first is not None else "  "
    if holder.members:
        return _indent_of(tree, holder.members[-1]), unit or "  "
    if unit is None:
        return None, "  "
    line_start = tree.text.rfind("\n", 0, holder.start) + 1
    line = tree.text[line_start : holder.start]
    return line[: len(line) - len(line.lstrip())] + (unit or "  "), unit or "  "


def _indent_of(tree: Tree, member: Member) -> str | None:
    found = _INDENT.search(tree.text, max(0, member.key_start - 400), member.key_start)
    return found.group(1) if found else None


def formatted(tree: Tree, value: Any, indent: str | None, unit: str) -> str:
    """Write a value as it is written at an indentation; ``None``: in one line."""
    text = json.dumps(value, indent=None if indent is None else unit, ensure_ascii=False)
    text = text.encode("utf-8", "backslashreplace").decode()  # the escapes of JSON for lone surrogates
    return text if indent is None else text.replace("\n", f"{tree.newline}{indent}")


def toml_table(name: str, entry: Mapping[str, Any]) -> str:
    """Write a server as a table of Codex."""
    key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)
    lines = [f"[mcp_servers.{key}]", f"command = {quoted(entry['command'])}"]
    lines.append(f"args = [{', '.join(map(quoted, entry['args']))}]")
    if entry.get("env"):
        pairs = [f"{quoted(variable)} = {quoted(value)}" for variable, value in entry["env"].items()]
        lines.append(f"env = {{ {', '.join(pairs)} }}")
    return "\n".join(lines) + "\n"


def snippet(client: Client, name: str, entry: Mapping[str, Any]) -> str:
    """Return the snippet that a user pastes into a client's file."""
    if client.syntax == "toml":
        return toml_table(name, entry)
    return json.dumps(_nested([*client.servers[0], name], entry), indent=2, ensure_ascii=False) + "\n"


def install_link(client: Client, name: str, entry: Mapping[str, Any]) -> str | None:
    """Return the link or command with which a client adds a server; ``None`` if it has neither."""
    compact = json.dumps(entry, ensure_ascii=False, separators=(",", ":"))
    match client.name:
        case "cursor":
            config = quote(base64.b64encode(compact.encode()).decode(), safe="")
            return f"cursor://anysphere.cursor-deeplink/mcp/install?name={quote(name, safe='')}&config={config}"
        case "vscode":
            named = json.dumps({"name": name, **entry}, ensure_ascii=False, separators=(",", ":"))
            return f"vscode:mcp/install?{quote(named, safe='')}"
        case "claude-code":
            return f"claude mcp add-json {shlex.quote(name)} {shlex.quote(compact)}"
    return None
