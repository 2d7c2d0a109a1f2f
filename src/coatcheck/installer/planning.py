"""Plans of changes to a client's file: how they are made, and how they are carried out."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

from coatcheck.errors import SettingsError, excerpt
from coatcheck.installer.client_registry import Client, parse_config
from coatcheck.installer.config_files import (
    ConfigFile,
    ConfigFileError,
    backup_path,
    check_unchanged,
    decode,
    naming,
    read_bytes,
    replace,
    set_aside,
    write_beside,
)
from coatcheck.installer.entry_editing import Edited, Outcome, same_but_for_wrapping, unwrap_servers, wrap_servers
from coatcheck.installer.gateway_entry import (
    find_gateway,
    gateway_file,
    move_back,
    move_into_gateway,
    moved_text,
    read_moved,
)
from coatcheck.installer.new_entries import add_edit
from coatcheck.installer.server_entries import SHARED_STORE, Entry, entries_of
from coatcheck.installer.text_spans import ConfigSyntaxError, Edit, Tree, apply, reverse
from coatcheck.installer.tool_lists import added_tools, missing_tools

_UNSAFE = (
    "{path} is written in a way that cannot be changed safely; it was left as it is. "
    "Please report this, with a file of the same form and no secrets."
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The planned changes of a file."""

    file: ConfigFile
    trees: tuple[Tree, Tree]  # the parsed text before and after
    edits: Sequence[Edit]  # the changes of the text
    outcomes: Sequence[Outcome]  # the effect on each server
    backup: bytes | None = None  # the new content of the backup; `None`: it stays unchanged
    drop_backup: bool = False  # whether the backup is no longer needed, because the file equals it
    # The file of a gateway's servers and its new content; with `None` the file is deleted.
    servers_file: tuple[Path, bytes | None] | None = None

    @property
    def before(self) -> bytes:
        """The current content of the file."""
        return self.trees[0].text.encode()

    @property
    def after(self) -> bytes:
        """Its new content."""
        return self.trees[1].text.encode()

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.trees[0].text != self.trees[1].text


def plan_install(
    file: ConfigFile,
    launcher: Sequence[str],
    only: Collection[str] = (),
    *,
    shared_store: bool = False,
    options: Sequence[str] = (),
    add_tools: bool = False,
) -> Plan:
    """Plan how a file's servers are wrapped.

    ``only`` names servers, by default all; ``options`` are more options of ``wrap``, each with its value;
    ``add_tools``: lists of tools in the entries get the names of the object tools.

    Raises:
        ConfigFileError: The file cannot be read or parsed.
        SettingsError: A named server is not in it.
    """
    wrapping = (*launcher, "wrap", *(SHARED_STORE if shared_store else ()), *options)
    with naming(file.path):
        tree = _read(file, only)
        edited = wrap_servers(
            tree,
            file.client,
            lambda entry: wrapping if _is_selected(entry, only) else None,
            missing_tools if add_tools else lambda _: {},
        )
        after = _checked(file, edited)
        backup = _new_backup(file, tree)
    return Plan(file, (tree, after), edited.edits, edited.outcomes, backup)


def plan_gateway(
    file: ConfigFile, launcher: Sequence[str], only: Collection[str] = (), *, options: Sequence[str] = ()
) -> Plan:
    """Plan how a file's servers move into one gateway; see ``plan_install`` for arguments and errors."""
    wrapping = (*launcher, "wrap", *SHARED_STORE, *options)
    path = gateway_file(file)
    with naming(file.path):
        tree = _read(file, only)
        edited, moved = move_into_gateway(tree, file, wrapping, lambda entry: _is_selected(entry, only))
        after = _checked_gateway(file, edited, moved)
        backup = _new_backup(file, tree)
    servers = (path, moved_text({**read_moved(path), **moved})) if moved else None
    return Plan(file, (tree, after), edited.edits, edited.outcomes, backup, servers_file=servers)


def _checked_gateway(file: ConfigFile, edited: Edited, moved: Collection[str]) -> Tree:
    """Parse the new text: the moved servers must be removed, the gateway present, and everything else unchanged."""
    if not edited.edits:
        return edited.tree
    same = False
    with suppress(ConfigSyntaxError):
        after = parse_config(edited.text, file.client)
        gateway = find_gateway(after, file)
        values = [edited.tree.root.value(), after.root.value()]
        holders = [reduce(getitem, file.client.servers[0], value) for value in values]
        for name in moved:
            del holders[0][name]
        if gateway is not None:
            for holder in holders:
                holder.pop(gateway.name, None)
            same = values[0] == values[1]
    if not same:
        raise ConfigFileError(_UNSAFE.format(path=file.path))
    return after


def plan_add(file: ConfigFile, name: str, entry: Mapping[str, Any]) -> Plan:
    """Plan how a server is added to a file, which need not exist; nothing else in it changes.

    Raises:
        ConfigFileError: The file cannot be read or parsed.
        SettingsError: It has a server of that name.
    """
    client = file.client
    path = (*client.servers[0], name)
    with naming(file.path):
        tree = _read(file) if file.path.is_file() else parse_config("", client)
        if path in {found.path for found in entries_of(tree, client)}:
            raise SettingsError(f'{file.path} has a server "{excerpt(name)}" already; choose another name.')
        edit = add_edit(tree, client, name, entry)
        after = parse_config(apply(tree.text, [edit]), client)
        added = [found.node.value() for found in entries_of(after, client) if found.path == path]
    if added != [entry]:
        raise ConfigFileError(_UNSAFE.format(path=file.path))
    return Plan(file, (tree, after), [edit], [Outcome(excerpt(name), "added")])


def plan_uninstall(file: ConfigFile, only: Collection[str] = ()) -> Plan:
    """Plan how a file, or only some servers of it, are restored; later changes in it stay.

    Raises:
        ConfigFileError: The file cannot be read or parsed.
        SettingsError: A named server is not in it.
    """
    with naming(file.path):
        tree = _read(file, only)
        original = _parse_backup(file)
        gateway = find_gateway(tree, file)
        if gateway is not None and _is_selected(gateway, only):
            return _plan_moving_back(file, tree, original, gateway)
        edited = unwrap_servers(tree, file.client, original, lambda entry: _is_selected(entry, only))
        if original is not None and not only:
            edits_back = _edits_to_original(tree, original, file.client)
            if edits_back is not None:
                return Plan(file, (tree, original), edits_back, edited.outcomes, drop_backup=True)
        after = _checked(file, edited)
    is_backup = after.text.encode() == _backup_of(file)
    return Plan(file, (tree, after), edited.edits, edited.outcomes, drop_backup=is_backup)


def _plan_moving_back(file: ConfigFile, tree: Tree, original: Tree | None, gateway: Entry) -> Plan:
    """Plan how the servers of a gateway move back; other wrapped servers stay for a second ``uninstall``."""
    path = gateway_file(file)
    servers = read_moved(path)
    if not servers:
        raise ConfigFileError(
            f"The servers of the gateway in {file.path} cannot be read: {path} is missing or damaged. "
            f"They are in the backup {backup_path(file.path)}."
        )
    outcomes = [Outcome(excerpt(name), "moved back") for name in servers]
    if original is not None:
        moved, _ = move_into_gateway(original, file, gateway.wrapping, lambda entry: entry.name in servers)
        if moved.text == tree.text:
            edits = reverse(original.text, moved.edits)
            return Plan(file, (tree, original), edits, outcomes, drop_backup=True, servers_file=(path, None))
    edits = move_back(tree, file, original, servers)
    after = parse_config(apply(tree.text, edits), file.client)
    there = {entry.name: entry.node.value() for entry in entries_of(after, file.client)}
    if any(there.get(name) != value for name, value in servers.items()):
        raise ConfigFileError(_UNSAFE.format(path=file.path))
    return Plan(file, (tree, after), edits, outcomes, servers_file=(path, None))


def _is_selected(entry: Entry, only: Collection[str]) -> bool:
    return not only or entry.name in only


def _read(file: ConfigFile, only: Collection[str] = ()) -> Tree:
    """Parse a file, which must have the named servers."""
    tree = parse_config(decode(read_bytes(file.path), file.path), file.client)
    names = {entry.name for entry in entries_of(tree, file.client)}
    for name in only:
        if name not in names:
            known = ", ".join(excerpt(name) for name in sorted(names)) or "none"
            raise SettingsError(f'{file.path} has no server "{excerpt(name)}"; there are: {known}.')
    return tree


def _checked(file: ConfigFile, edited: Edited) -> Tree:
    """Parse the new text: only the selected servers may differ, and nothing outside them."""
    if not edited.edits:
        return edited.tree
    same = False
    with suppress(ConfigSyntaxError):
        after = parse_config(edited.text, file.client)
        same = same_but_for_wrapping(edited.tree, after, file.client)
    if not same:
        raise ConfigFileError(_UNSAFE.format(path=file.path))
    return after


def _backup_of(file: ConfigFile) -> bytes | None:
    backup = backup_path(file.path)
    return read_bytes(backup) if backup.is_file() else None


def _parse_backup(file: ConfigFile) -> Tree | None:
    """Parse a file's backup, if there is one that can be parsed."""
    backup = _backup_of(file)
    if backup is None:
        return None
    try:
        tree = parse_config(backup.decode("utf-8"), file.client)
        entries_of(tree, file.client)
    except (UnicodeDecodeError, ConfigSyntaxError):
        return None
    return tree


def _new_backup(file: ConfigFile, tree: Tree) -> bytes | None:
    """Return the file as it would be without coatcheck; ``None`` if the backup is the same."""
    original = _parse_backup(file)
    if servers := read_moved(gateway_file(file)):
        tree = parse_config(apply(tree.text, move_back(tree, file, original, servers)), file.client)
    text = tree.text  # what is wrapped in it was wrapped manually
    if original is not None:
        text = unwrap_servers(tree, file.client, original, lambda _: True).text
    return None if text.encode() == _backup_of(file) else text.encode()


def _edits_to_original(tree: Tree, original: Tree, client: Client) -> list[Edit] | None:
    """Return the edits back to the original if a file is unchanged since ``install``."""
    now = {entry.path: entry for entry in entries_of(tree, client)}

    def wrapping(entry: Entry) -> Sequence[str] | None:
        wrapped = now.get(entry.path)
        if wrapped is None or wrapped.wrap_position is None or entry.wrap_position is not None:
            return None
        return wrapped.wrapping

    def added(entry: Entry) -> dict[str, list[str]]:
        return added_tools(entry, now[entry.path]) if entry.path in now else {}

    wrapped_original = wrap_servers(original, client, wrapping, added)
    if wrapped_original.text != tree.text:
        return None
    edits = reverse(original.text, wrapped_original.edits)
    return edits if apply(tree.text, edits) == original.text else None


def carry_out(plan: Plan) -> list[str]:
    """Carry out a plan; return notes for the user.

    Raises:
        ConfigFileError: The file was changed in the meantime, or cannot be written; it is unchanged.
    """
    backup = backup_path(plan.file.path)
    if not plan.changes and not plan.drop_backup:
        return []
    notes = _change(plan, backup) if plan.changes else []
    if plan.servers_file is not None and plan.servers_file[1] is None:
        plan.servers_file[0].unlink(missing_ok=True)
    actions = {outcome.action for outcome in plan.outcomes}
    if plan.drop_backup:
        backup.unlink(missing_ok=True)
    elif plan.backup is None and backup.exists() and {"unwrapped", "moved back"} & actions:
        notes.append(f"The file was changed since install; those changes stay, and so does the backup {backup}.")
    return notes


def _change(plan: Plan, backup: Path) -> list[str]:
    """Write the file, after its backup."""
    path, notes = plan.file.path, []
    if plan.before:
        check_unchanged(path, plan.before)  # before a backup is written
    if plan.servers_file is not None and plan.servers_file[1] is not None:
        _write_new(plan.servers_file[0], plan.servers_file[1])
    if plan.backup is not None:
        if backup.exists():
            notes.append(f"An older backup is now {set_aside(backup)}.")
        write_beside(backup, plan.backup, like=path.resolve())
        notes.append(f"The previous content of the file is in {backup}.")
    if plan.before or path.is_file():
        replace(path, plan.before, plan.after)
    else:
        _write_new(path, plan.after)
    return notes


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, in a folder that is created if it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigFileError(f"{path.parent} cannot be created: {error.strerror}.") from None
    write_beside(path, content, like=None)
