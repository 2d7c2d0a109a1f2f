"""One entry in place of several: a gateway that wraps the servers together, so that the object tools appear once.

The servers move into a file of coatcheck, which `wrap --servers` reads. The client's file keeps one entry, which names
it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from coatcheck.errors import SettingsError, excerpt
from coatcheck.installer.command_entries import wrap_command
from coatcheck.installer.config_files import ConfigFile
from coatcheck.installer.entry_editing import Edited, Outcome
from coatcheck.installer.new_entries import formatted, indents, new_entry
from coatcheck.installer.server_entries import Entry, ServerSkipped, entries_of
from coatcheck.installer.server_reader import UnreadableServer, is_disabled, read_server, refuse_client_variables
from coatcheck.installer.text_spans import Edit, Node, Tree, quoted, removals
from coatcheck.installer.url_entries import CLIENT_SIGNS_IN, is_well_formed
from coatcheck.user_folders import data_folder

_NAME = "coatcheck"
_OPTION = "--servers"


def gateway_file(file: ConfigFile) -> Path:
    """Return the file with the servers of the gateway in a client's file."""
    place = hashlib.sha256(str(file.path.resolve()).encode()).hexdigest()[:12]
    return data_folder() / "gateways" / f"{file.client.name}-{place}.json"


def find_gateway(tree: Tree, file: ConfigFile) -> Entry | None:
    """Return the entry of the gateway in a file."""
    ends = [_OPTION, str(gateway_file(file))]
    found = (entry for entry in entries_of(tree, file.client) if entry.wrap_position is not None)
    return next((entry for entry in found if entry.words[-2:] == ends), None)


def read_moved(path: Path) -> dict[str, Any]:
    """Return the servers of a gateway; none if its file is missing or damaged."""
    try:
        found = json.loads(path.read_text("utf-8"))["mcpServers"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def moved_text(servers: Mapping[str, Any]) -> bytes:
    """Write the servers of a gateway."""
    return (json.dumps({"mcpServers": servers}, indent=2, ensure_ascii=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def move_into_gateway(
    tree: Tree, file: ConfigFile, wrapping: Sequence[str], chosen: Callable[[Entry], bool]
) -> tuple[Edited, dict[str, Any]]:
    """Replace the first server that moves with the gateway, and remove the others; return the servers' values too.

    ``wrapping`` are the words that start coatcheck, up to ``wrap`` and its options.

    Raises:
        ConfigSyntaxError: The file does not hold servers in the form that the client expects.
        SettingsError: The client's format is not JSON.
    """
    client = file.client
    if client.syntax != "json":
        raise SettingsError(f"{client.title} does not support --gateway; its servers share one store without it.")
    place = client.servers[0]
    known = find_gateway(tree, file)
    outcomes: list[Outcome] = []
    moved: dict[str, Any] = {}
    for entry in entries_of(tree, client):
        if not chosen(entry) or (known is not None and entry.path == known.path):
            continue
        try:
            value = _movable(tree, entry, place)
        except (ServerSkipped, UnreadableServer) as why:
            outcomes.append(Outcome(entry.label, "left alone", str(why)))
            continue
        moved[entry.name] = value
        is_approved = any(value.get(key) for key in ("alwaysAllow", "autoApprove", "trust"))
        note = "what the client approved for it has to be approved again" if is_approved else ""
        outcomes.append(Outcome(entry.label, "moved into the gateway", note=note))
    holder = _object_at(tree, place)
    if not moved or holder is None:
        return Edited(tree, (), outcomes), {}
    members = holder.members
    numbers = {number for number, member in enumerate(members) if member.name in moved}
    edits: list[Edit] = []
    if known is None:
        first = members[min(numbers)]
        taken = {member.name for member in members} - set(moved)
        name = _NAME if _NAME not in taken else f"{_NAME}-gateway"
        gateway = new_entry(client, [*wrapping, _OPTION, str(gateway_file(file))], {})
        text = f"{quoted(name)}: {formatted(tree, gateway, *indents(tree, holder))}"
        edits.append(Edit(first.key_start, first.node.end, text))
        numbers.remove(min(numbers))
    spans = [(member.key_start, member.node.end) for member in members]
    return Edited(tree, [*edits, *removals(spans, numbers)], outcomes), moved


def _movable(tree: Tree, entry: Entry, place: tuple[str, ...]) -> Any:
    """Return the value of a server that can move.

    Raises:
        ServerSkipped: It cannot move.
        UnreadableServer: Only the client can read it.
    """
    if entry.path[:-1] != place:
        raise ServerSkipped("it belongs to a project")
    if entry.fault:
        raise ServerSkipped(entry.fault)
    if entry.is_wrapped:
        raise ServerSkipped("it is wrapped already: uninstall it first")
    value = entry.node.value()
    if is_disabled(value):
        raise ServerSkipped("it is disabled")
    if any(key in value for key in CLIENT_SIGNS_IN):
        raise ServerSkipped("the client signs in to it")
    read = read_server(value, refuse_client_variables)
    if read.ignored:
        raise ServerSkipped(f"only the client applies its {', '.join(map(excerpt, read.ignored))}")
    if read.command:
        wrap_command(tree, entry, ("",))  # Clients read fewer spellings than ``wrap --servers``.
    elif read.url is not None and "$" not in read.url and not is_well_formed(read.url):
        raise ServerSkipped("its URL is malformed")
    return value


def move_back(tree: Tree, file: ConfigFile, original: Tree | None, servers: Mapping[str, Any]) -> list[Edit]:
    """Return the edits that replace the gateway with the servers, in their original spelling if it is known."""
    client = file.client
    gateway = find_gateway(tree, file)
    holder = _object_at(tree, client.servers[0])
    if gateway is None or holder is None:
        return []
    old = None if original is None else _object_at(original, client.servers[0])
    before = {} if old is None else {member.name: member for member in old.members}
    inner, unit = indents(tree, holder)
    texts: list[str] = []
    for name, value in servers.items():
        member = before.get(name)
        if original is not None and member is not None and member.node.value() == value:
            texts.append(original.text[member.key_start : member.node.end])
        else:
            texts.append(f"{quoted(name)}: {formatted(tree, value, inner, unit)}")
    separator = ", " if inner is None else f",{tree.newline}{inner}"
    return [Edit(gateway.key_start, gateway.node.end, separator.join(texts))]


def _object_at(tree: Tree, place: tuple[str, ...]) -> Node | None:
    node = tree.root
    for key in place:
        member = node.find(key)
        if member is None or member.node.kind != "object":
            return None
        node = member.node
    return node
