"""What is to be done with a file, worked out before anything is changed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from coatcheck.errors import SettingsError, excerpt
from coatcheck.installer.client_registry import Client, parse_config
from coatcheck.installer.config_files import (
    ConfigFile,
    ConfigFileError,
    backup_path,
    decode,
    naming,
    read_bytes,
    replace,
    set_aside,
    write_beside,
)
from coatcheck.installer.entry_editing import Edited, Outcome, same_but_for_wrapping, unwrap_servers, wrap_servers
from coatcheck.installer.server_entries import SHARED_STORE, Entry, entries_of
from coatcheck.installer.text_spans import ConfigSyntaxError, Edit, Tree, apply, reverse
from coatcheck.installer.tool_lists import added_tools, missing_tools


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a file.

    Attributes:
        file: The file.
        before: What is in it.
        after: What it gets.
        trees: The parsed text before and after.
        edits: What changes in the text.
        outcomes: What that does to each server.
        backup: What the backup gets; ``None``: it stays as it is.
        drop_backup: Whether the backup is no longer needed, because the file is what it holds.
    """

    file: ConfigFile
    before: bytes
    after: bytes
    trees: tuple[Tree, Tree]
    edits: Sequence[Edit]
    outcomes: Sequence[Outcome]
    backup: bytes | None = None
    drop_backup: bool = False

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.after != self.before


def plan_install(
    file: ConfigFile,
    launcher: Sequence[str],
    only: Collection[str] = (),
    *,
    shared_store: bool = False,
    options: Sequence[str] = (),
    add_tools: bool = False,
) -> Plan:
    """Work out how a file's servers are wrapped.

    Args:
        file: The file.
        launcher: The words that start coatcheck.
        only: Names of the servers; empty: all.
        shared_store: Whether they keep their objects in the file that all servers of a user share.
        options: More options of ``wrap``, each with its value.
        add_tools: Whether lists of tools in the entries get the names of the object tools.

    Raises:
        ConfigFileError: The file cannot be read or understood.
        SettingsError: A named server is not in it.
    """
    before = read_bytes(file.path)
    wrapping = (*launcher, "wrap", *(SHARED_STORE if shared_store else ()), *options)
    with naming(file.path):
        tree = parse_config(decode(before, file.path), file.client)
        _check_names(file, tree, only)
        edited = wrap_servers(
            tree,
            file.client,
            lambda entry: wrapping if _chosen(entry, only) else None,
            missing_tools if add_tools else lambda _: {},
        )
        after = _checked(file, edited)
        without = _without_ours(file, tree)
    new_backup = None if _backup_of(file) == without else without
    return Plan(file, before, after.text.encode(), (tree, after), edited.edits, edited.outcomes, new_backup)


def plan_uninstall(file: ConfigFile, only: Collection[str] = ()) -> Plan:
    """Work out how a file becomes what it was before; later changes in it stay.

    Args:
        file: The file.
        only: Names of the servers to unwrap; empty: all.

    Raises:
        ConfigFileError: The file cannot be read or understood.
        SettingsError: A named server is not in it.
    """
    before = read_bytes(file.path)
    backup = _backup_of(file)
    with naming(file.path):
        tree = parse_config(decode(before, file.path), file.client)
        _check_names(file, tree, only)
        original = _as_original(file.client, backup)
        edited = unwrap_servers(tree, file.client, original, lambda entry: _chosen(entry, only))
        if original is not None and backup is not None and not only:
            made = _made_from(tree, original, file.client)
            if made is not None:
                return Plan(file, before, backup, (tree, original), made, edited.outcomes, drop_backup=True)
        after = _checked(file, edited)
    new = after.text.encode()
    return Plan(file, before, new, (tree, after), edited.edits, edited.outcomes, drop_backup=new == backup)


def carry_out(plan: Plan) -> list[str]:
    """Do it, and give what else the user should know.

    Raises:
        ConfigFileError: The file was changed in the meantime, or cannot be written; it is as it was.
    """
    path, backup = plan.file.path, backup_path(plan.file.path)
    notes: list[str] = []
    if not plan.changes and not plan.drop_backup:
        return notes
    if plan.changes and plan.backup is not None:
        if backup.exists():
            notes.append(f"An older backup is now {set_aside(backup)}.")
        write_beside(backup, plan.backup, like=path.resolve())
        notes.append(f"The file as it was is {backup}.")
    if plan.changes:
        replace(path, plan.before, plan.after)
    if plan.drop_backup:
        backup.unlink(missing_ok=True)
    elif plan.backup is None and backup.exists() and any(outcome.action == "unwrapped" for outcome in plan.outcomes):
        notes.append(f"The file was changed since install; those changes stay, and so does the backup {backup}.")
    return notes


def _chosen(entry: Entry, only: Collection[str]) -> bool:
    return not only or entry.name in only


def _check_names(file: ConfigFile, tree: Tree, only: Collection[str]) -> None:
    names = {entry.name for entry in entries_of(tree, file.client)}
    for name in only:
        if name not in names:
            known = ", ".join(excerpt(name) for name in sorted(names)) or "none"
            raise SettingsError(f'{file.path} has no server "{excerpt(name)}"; there are: {known}.')


def _checked(file: ConfigFile, edited: Edited) -> Tree:
    """Parse the new text: only servers that were meant to change may differ, and nothing outside them."""
    if not edited.edits:
        return edited.tree
    try:
        after = parse_config(edited.text, file.client)
        same = same_but_for_wrapping(edited.tree, after, file.client)
    except ConfigSyntaxError:
        same = False
    if not same:
        raise ConfigFileError(
            f"{file.path} is written in a way that cannot be changed safely; it was left as it is. "
            "Please report this, with a file of the same form and no secrets."
        )
    return after


def _backup_of(file: ConfigFile) -> bytes | None:
    backup = backup_path(file.path)
    return read_bytes(backup) if backup.is_file() else None


def _as_original(client: Client, backup: bytes | None) -> Tree | None:
    """Parse a backup, if it can be."""
    if backup is None:
        return None
    try:
        tree = parse_config(backup.decode("utf-8"), client)
        entries_of(tree, client)
    except (UnicodeDecodeError, ConfigSyntaxError):
        return None
    return tree


def _without_ours(file: ConfigFile, tree: Tree) -> bytes:
    """Give the file as it would be without coatcheck."""
    original = _as_original(file.client, _backup_of(file))
    if original is None:
        return tree.text.encode()  # what is wrapped in it was wrapped by hand
    return unwrap_servers(tree, file.client, original, lambda _: True).text.encode()


def _made_from(tree: Tree, original: Tree, client: Client) -> list[Edit] | None:
    """Give the edits back to the original, if a file is what ``install`` makes of it and so is unchanged since."""
    now = {entry.path: entry for entry in entries_of(tree, client)}

    def wrapping(entry: Entry) -> Sequence[str] | None:
        wrapped = now.get(entry.path)
        if wrapped is None or wrapped.wrap_position is None or entry.wrap_position is not None:
            return None
        return wrapped.wrapping

    def added(entry: Entry) -> dict[str, list[str]]:
        return added_tools(entry, now[entry.path]) if entry.path in now else {}

    made = wrap_servers(original, client, wrapping, added)
    if made.text != tree.text:
        return None
    edits = reverse(original.text, made.edits)
    return edits if apply(tree.text, edits) == original.text else None
