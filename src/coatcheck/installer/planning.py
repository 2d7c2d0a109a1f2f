"""What is to be done with a file, worked out before anything is touched."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from coatcheck.errors import SettingsError, excerpt
from coatcheck.installer.clients import Client
from coatcheck.installer.editing import Edited, Outcome, parse, same_but_for_wrapping, unwrap_text, wrap_text
from coatcheck.installer.entries import SHARED_STORE, Entry, entries_of
from coatcheck.installer.faults import ConfigurationFault, SyntaxFault
from coatcheck.installer.files import backup_path, decode, read_bytes, replace, set_aside, write_beside
from coatcheck.installer.places import Place

__all__ = ["Outcome", "Plan", "carry_out", "plan_install", "plan_uninstall"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done with a file.

    Attributes:
        place: The file.
        before: What is in it.
        after: What it gets.
        outcomes: What that does to each server.
        backup: What the backup gets; ``None``: it stays as it is.
        drop_backup: Whether the backup is of no more use, because the file is what it holds.
    """

    place: Place
    before: bytes
    after: bytes
    outcomes: Sequence[Outcome]
    backup: bytes | None = None
    drop_backup: bool = False

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.after != self.before


def plan_install(
    place: Place, launcher: Sequence[str], only: Collection[str] = (), *, shared_store: bool = False
) -> Plan:
    """Work out how coatcheck comes in front of a file's servers.

    Args:
        place: The file.
        launcher: The words that start coatcheck.
        only: Names of the servers; empty: all.
        shared_store: Whether they keep their objects in the file that all servers of a user share.

    Raises:
        ConfigurationFault: The file cannot be read or understood.
        SettingsError: A named server is not in it.
    """
    before = read_bytes(place.path)
    wrapping = (*launcher, "wrap", *(SHARED_STORE if shared_store else ()))
    with _Faults(place):
        text = decode(before, place.path)
        _check_names(place, text, only)
        edited = wrap_text(text, place.client, lambda entry: wrapping if _chosen(entry, only) else None, only)
        _check_edited(place, text, edited)
        without = _without_ours(place, text)
    new_backup = None if _backup_of(place) == without else without
    return Plan(place, before, edited.text.encode(), edited.outcomes, new_backup)


def plan_uninstall(place: Place, only: Collection[str] = ()) -> Plan:
    """Work out how a file becomes what it was before; what was changed in it since stays.

    Args:
        place: The file.
        only: Names of the servers that coatcheck is taken away from; empty: all.

    Raises:
        ConfigurationFault: The file cannot be read or understood.
        SettingsError: A named server is not in it.
    """
    before = read_bytes(place.path)
    backup = _backup_of(place)
    with _Faults(place):
        text = decode(before, place.path)
        _check_names(place, text, only)
        original = _as_original(place.client, backup)
        edited = unwrap_text(text, place.client, original, lambda entry: _chosen(entry, only))
        _check_edited(place, text, edited)
        if original is not None and backup is not None and not only and _made_from(text, original, place.client):
            return Plan(place, before, backup, edited.outcomes, drop_backup=True)
    after = edited.text.encode()
    return Plan(place, before, after, edited.outcomes, drop_backup=after == backup)


def carry_out(plan: Plan) -> list[str]:
    """Do it, and tell what else is to be said about it.

    Raises:
        ConfigurationFault: The file was changed meanwhile, or cannot be written; it is as it was.
    """
    path, backup = plan.place.path, backup_path(plan.place.path)
    said: list[str] = []
    if not plan.changes and not plan.drop_backup:
        return said
    if plan.changes and plan.backup is not None:
        if backup.exists():
            said.append(f"An older backup is now {set_aside(backup)}.")
        write_beside(backup, plan.backup, like=path.resolve())
        said.append(f"The file as it was is {backup}.")
    if plan.changes:
        replace(path, plan.before, plan.after)
    if plan.drop_backup:
        backup.unlink(missing_ok=True)
    elif plan.backup is None and backup.exists() and any(outcome.did == "unwrapped" for outcome in plan.outcomes):
        said.append(f"The file was changed since install; those changes stay, and so does the backup {backup}.")
    return said


class _Faults:
    """Tells in which file a text is malformed."""

    def __init__(self, place: Place) -> None:
        self._path = place.path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, SyntaxFault):
            raise ConfigurationFault(
                f"{self._path}, line {error.line}, column {error.column}: {error.reason}. "
                "The file was left as it is; put this right and try again."
            ) from None


def _chosen(entry: Entry, only: Collection[str]) -> bool:
    return not only or entry.name in only


def _check_names(place: Place, text: str, only: Collection[str]) -> None:
    names = {entry.name for entry in entries_of(parse(text, place.client), place.client)}
    for name in only:
        if name not in names:
            there = ", ".join(excerpt(name) for name in sorted(names)) or "none"
            raise SettingsError(f'{place.path} has no server "{excerpt(name)}"; there are: {there}.')


def _check_edited(place: Place, text: str, edited: Edited) -> None:
    """Read the new text again: only servers that were meant to change may differ, and nothing outside them."""
    try:
        same = same_but_for_wrapping(text, edited.text, place.client)
    except SyntaxFault:
        same = False
    if not same:
        raise ConfigurationFault(
            f"{place.path} is written in a way that cannot be changed safely; it was left as it is. "
            "Please report this, with a file of the same form and no secrets."
        )


def _backup_of(place: Place) -> bytes | None:
    backup = backup_path(place.path)
    return read_bytes(backup) if backup.is_file() else None


def _as_original(client: Client, backup: bytes | None) -> str | None:
    """Give a backup as a text, if it is one that can be read."""
    if backup is None:
        return None
    try:
        text = backup.decode("utf-8")
        entries_of(parse(text, client), client)
    except (UnicodeDecodeError, SyntaxFault):
        return None
    return text


def _without_ours(place: Place, text: str) -> bytes:
    """Give the file as it would be without coatcheck."""
    original = _as_original(place.client, _backup_of(place))
    if original is None:
        return text.encode()  # what is wrapped now was wrapped by somebody else
    return unwrap_text(text, place.client, original, lambda _: True).text.encode()


def _made_from(text: str, original: str, client: Client) -> bool:
    """Whether a text is what install makes of the original: then nobody has changed it since."""
    now = {entry.way: entry for entry in entries_of(parse(text, client), client)}

    def wrapping(entry: Entry) -> Sequence[str] | None:
        wrapped = now.get(entry.way)
        if wrapped is None or wrapped.wrap_position is None or entry.wrap_position is not None:
            return None
        return wrapped.wrapping

    return wrap_text(original, client, wrapping, [way[-1] for way in now]).text == text
