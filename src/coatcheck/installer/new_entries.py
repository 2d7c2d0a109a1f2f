"""A new server in a client's file, and the snippets and links with which a client takes one."""

import base64
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from coatcheck.errors import SettingsError, excerpt
from coatcheck.installer.client_registry import Client, parse_config
from coatcheck.installer.config_files import (
    ConfigFile,
    ConfigFileError,
    decode,
    naming,
    read_bytes,
    replace,
    write_beside,
)
from coatcheck.installer.entry_editing import Outcome
from coatcheck.installer.install_plan import Plan
from coatcheck.installer.server_entries import entries_of
from coatcheck.installer.text_spans import Edit, Member, Node, Tree, apply, quoted

_INDENT = re.compile(r"\r?\n([ \t]*)\Z")


def new_entry(client: Client, command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Make the value of a server that is started by a command."""
    entry: dict[str, Any] = {"type": "stdio"} if client.types else {}
    entry |= {"command": command[0], "args": list(command[1:])}
    return entry | ({"env": dict(environment)} if environment else {})


def plan_add(file: ConfigFile, name: str, entry: Mapping[str, Any]) -> Plan:
    """Work out how a server gets into a file, which need not exist; nothing else in it changes.

    Raises:
        ConfigFileError: The file cannot be read or understood.
        SettingsError: It has a server of that name.
    """
    client = file.client
    before = read_bytes(file.path) if file.path.is_file() else b""
    with naming(file.path):
        tree = parse_config(decode(before, file.path), client)
        if any(
            found.name == name and len(found.path) == len(client.servers[0]) + 1 for found in entries_of(tree, client)
        ):
            raise SettingsError(f'{file.path} has a server "{excerpt(name)}" already; choose another name.')
        edit = _toml_edit(tree, name, entry) if client.syntax == "toml" else _json_edit(tree, client, name, entry)
        after = parse_config(apply(tree.text, [edit]), client)
        added = [found.node.value() for found in entries_of(after, client) if found.path == (*client.servers[0], name)]
    if added != [entry]:
        raise ConfigFileError(f"{file.path} is written in a way that cannot be added to safely; it was left as it is.")
    return Plan(file, before, after.text.encode(), (tree, after), [edit], [Outcome(excerpt(name), "added")])


def write_new(plan: Plan) -> None:
    """Write a file to which a server was added; a new one can be read by its owner alone.

    Raises:
        ConfigFileError: It cannot be written, or was changed in the meantime.
    """
    path = plan.file.path
    if path.is_file():
        replace(path, plan.before, plan.after)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigFileError(f"{path.parent} cannot be made: {error.strerror}.") from None
    write_beside(path, plan.after, like=None)


def _json_edit(tree: Tree, client: Client, name: str, entry: Any) -> Edit:
    """Give the edit that puts a member behind the last one, formatted as that is."""
    if not tree.text.strip("\ufeff \t\r\n"):
        value: Any = {name: entry}
        for key in reversed(client.servers[0]):
            value = {key: value}
        return Edit(tree.root.start, tree.root.end, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    holder: Node = tree.root
    path = [*client.servers[0], name]
    while len(path) > 1:
        member = holder.find(path[0])
        if member is None:
            break
        if member.node.kind == "other" and member.node.scalar is None:
            value = _nested(path[1:], entry)
            return Edit(member.node.start, member.node.end, _formatted(tree, value, *_indents(tree, holder)))
        holder = member.node
        del path[0]
    return _append(tree, holder, path[0], _nested(path[1:], entry))


def _nested(path: Sequence[str], entry: Any) -> Any:
    for key in reversed(path):
        entry = {key: entry}
    return entry


def _append(tree: Tree, holder: Node, name: str, value: Any) -> Edit:
    inner, unit = _indents(tree, holder)
    text = f"{quoted(name)}: {_formatted(tree, value, inner, unit)}"
    if holder.members:
        end = holder.members[-1].node.end
        return Edit(end, end, f", {text}" if inner is None else f",{_newline(tree)}{inner}{text}")
    if inner is None:
        return Edit(holder.start + 1, holder.start + 1, text)
    newline, outer = _newline(tree), inner.removesuffix(unit)
    gap = tree.text[holder.start + 1 : holder.end - 1]
    if gap.strip():  # a comment
        return Edit(holder.start + 1, holder.start + 1, f"{newline}{inner}{text}{newline}{outer}")
    return Edit(holder.start + 1, holder.end - 1, f"{newline}{inner}{text}{newline}{outer}")


def _indents(tree: Tree, holder: Node) -> tuple[str | None, str]:
    """Give the indentation of an object's members, ``None`` where they are in one line, and the unit of the file."""
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


def _formatted(tree: Tree, value: Any, indent: str | None, unit: str) -> str:
    if indent is None:
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value, indent=unit, ensure_ascii=False).replace("\n", f"{_newline(tree)}{indent}")


def _newline(tree: Tree) -> str:
    return "\r\n" if "\r\n" in tree.text else "\n"


def _toml_edit(tree: Tree, name: str, entry: Mapping[str, Any]) -> Edit:
    end = len(tree.text)
    gap = "" if not tree.text.strip() else "\n" if tree.text.endswith("\n") else "\n\n"
    text = gap + toml_table(name, entry)
    return Edit(end, end, text.replace("\n", _newline(tree)))


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
    """Write what a user pastes into a client's file."""
    if client.syntax == "toml":
        return toml_table(name, entry)
    return json.dumps(_nested([*client.servers[0], name], entry), indent=2, ensure_ascii=False) + "\n"


def install_link(client: Client, name: str, entry: Mapping[str, Any]) -> str | None:
    """Give the link or command by which a client takes a server; ``None`` where it has neither."""
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
