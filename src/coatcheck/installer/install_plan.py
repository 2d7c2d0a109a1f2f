"""What is to be done with a client's file, and doing it."""

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
        servers_file: The file of a gateway's servers, and what it gets; ``None`` for its content: it is deleted.
    """

    file: ConfigFile
    before: bytes
    after: bytes
    trees: tuple[Tree, Tree]
    edits: Sequence[Edit]
    outcomes: Sequence[Outcome]
    backup: bytes | None = None
    drop_backup: bool = False
    servers_file: tuple[Path, bytes | None] | None = None

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.after != self.before


def carry_out(plan: Plan) -> list[str]:
    """Do it, and give what else the user should know.

    Raises:
        ConfigFileError: The file was changed in the meantime, or cannot be written; it is as it was.
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
    """Write the file, and before it what must not be lost."""
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
    """Write a file for its owner alone, in a folder that is made where it is missing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigFileError(f"{path.parent} cannot be made: {error.strerror}.") from None
    write_beside(path, content, like=None)
