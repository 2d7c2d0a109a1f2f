"""Finds the files of clients on this machine, and reads and writes them without losing anything."""

import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from coatcheck.errors import CoatcheckError, SettingsError
from coatcheck.installer.client_registry import Client
from coatcheck.installer.text_spans import ConfigSyntaxError
from coatcheck.user_folders import expand_home, home_folder, read_user_file

_BACKUP = ".coatcheck-backup"


class ConfigFileError(CoatcheckError, ValueError):
    """A client's file cannot be parsed or changed safely. It is unchanged."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file of a client."""

    client: Client
    path: Path  # where it is
    in_project: bool = False  # whether it belongs to a project and is therefore shared with other machines


def user_file(client: Client, *, platform: str, home: Path, environment: Mapping[str, str]) -> Path:
    """Return the file in which a client keeps the user's servers."""
    if platform == "win32":
        config = environment.get("APPDATA") or f"{home}/AppData/Roaming"
    else:
        config = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    template = client.files.get(platform, client.files["*"])
    return Path(
        template.format(
            home=home,
            config=config,
            claude=environment.get("CLAUDE_CONFIG_DIR") or home,
            codex=environment.get("CODEX_HOME") or f"{home}/.codex",
        )
    )


def config_files_of(client: Client) -> list[ConfigFile]:
    """Return the user's file of a client, and the one of the project in the current folder."""
    files = [ConfigFile(client, _user_file(client))]
    if client.project_file is not None and (project := Path.cwd() / client.project_file) != files[0].path:
        files.append(ConfigFile(client, project, in_project=True))
    return files


def find_config_file(client: Client, path: Path | None = None, *, must_exist: bool = True) -> ConfigFile:
    """Return a client's file: the named one, or the user's.

    Raises:
        CoatcheckError: The file does not exist but must.
    """
    user = _user_file(client)
    given = expand_home(path) if path is not None else user
    if given.exists() and not given.is_file():
        raise SettingsError(f"{given} is not a file.")
    if must_exist and not given.is_file():
        projects = [file.path for file in config_files_of(client) if file.in_project and file.path.is_file()]
        if path is not None:
            hint = "Check the path."
        elif projects:
            hint = f"There is {projects[0]}: name it with --file."
        else:
            hint = f"It has no servers yet: `coatcheck add {client.name} NAME -- COMMAND` adds one, wrapped."
        raise CoatcheckError(f"{client.title} has no file {given}. {hint}")
    return ConfigFile(client, given, in_project=_is_in_project(client, given, user))


def _user_file(client: Client) -> Path:
    return user_file(client, platform=sys.platform, home=home_folder(), environment=os.environ)


def _is_in_project(client: Client, path: Path, user: Path) -> bool:
    if client.project_file is None or path == user or (path.exists() and user.exists() and path.samefile(user)):
        return False
    return path.absolute().as_posix().endswith("/" + client.project_file)


def read_bytes(path: Path, *, unsafe: int = 0) -> bytes:
    """Read a file; raises ``ConfigFileError`` if it cannot be read. See ``read_user_file`` for ``unsafe``."""
    try:
        return read_user_file(path, unsafe=unsafe)
    except OSError as error:
        raise ConfigFileError(f"{path} cannot be read: {error.strerror}.") from None


def decode(raw: bytes, path: Path) -> str:
    """Return the text of a file, with its byte order mark and line endings.

    Raises:
        ConfigFileError: It is not UTF-8.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigFileError(
            f"{path} is not in UTF-8 (byte {error.start} is not); it was left as it is. Save it in UTF-8 and try again."
        ) from None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the file's name to the error when its text is malformed.

    Raises:
        ConfigFileError: The text is malformed.
    """
    try:
        yield
    except ConfigSyntaxError as error:
        raise ConfigFileError(
            f"{path}, line {error.line}, column {error.column}: {error.reason}. "
            "The file was left as it is; correct this and try again."
        ) from None


def backup_path(path: Path) -> Path:
    """Return the path of a file's backup: beside the file that a link leads to."""
    real = path.resolve()
    return real.with_name(real.name + _BACKUP)


def replace(path: Path, expected: bytes, new: bytes) -> None:
    """Replace a file's content atomically, if it is as expected. Links are followed, and permissions are kept.

    Raises:
        ConfigFileError: It has changed in the meantime, or cannot be written.
    """
    check_unchanged(path, expected)
    real = path.resolve()
    write_beside(real, new, like=real)


def check_unchanged(path: Path, expected: bytes) -> None:
    """Refuse a file whose content has changed.

    Raises:
        ConfigFileError: It has changed or was removed in the meantime.
    """
    if read_bytes(path.resolve()) != expected:
        raise ConfigFileError(
            f"{path} was changed in the meantime; nothing was written. Close the client and try again."
        )


def write_beside(target: Path, content: bytes, *, like: Path | None) -> None:
    """Write a file atomically, with the permissions of another; without one, only its owner may read it.

    Raises:
        ConfigFileError: It cannot be written; the target is unchanged.
    """
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if like is not None:
                _copy_permissions(file.fileno(), temporary, like)
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except OSError as error:
        with suppress(OSError):
            Path(temporary).unlink()
        raise ConfigFileError(f"{target} cannot be written: {error.strerror}.") from None


def _copy_permissions(descriptor: int, temporary: str, like: Path) -> None:
    """Copy permissions and owner of another file to a new file, as far as permitted."""
    known = like.stat()
    if hasattr(os, "fchown"):
        with suppress(PermissionError):
            os.fchown(descriptor, known.st_uid, known.st_gid)
    Path(temporary).chmod(stat.S_IMODE(known.st_mode))


def set_aside(backup: Path) -> Path:
    """Rename an older backup to the first free name with a number; nothing is overwritten."""
    number = 1
    while (free := backup.with_name(f"{backup.name}.{number}")).exists():
        number += 1
    backup.rename(free)
    return free
