"""A plan to change a client's file, and its execution."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coatcheck.installer.config_files import (
    ConfigFile,
    ConfigFileError,
    backup_path,
    check_unchanged,
    replace,
    set_aside,
    write_beside,
)
from coatcheck.installer.entry_editing import Outcome
from coatcheck.installer.text_spans import Edit, Tree


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
        notes.append(f"The file as it was is {backup}.")
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
