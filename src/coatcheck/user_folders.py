"""The folders of the user: home, cache and data."""

import os
import sys
from pathlib import Path

from coatcheck.errors import SettingsError, excerpt


def home_folder() -> Path:
    """Return the user's home folder.

    Raises:
        SettingsError: There is none: ``HOME`` is not set, and the system does not know the user.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise SettingsError("The user of this process has no home folder: set the variable HOME.") from None


def expand_home(path: Path) -> Path:
    """Replace ``~`` and ``~user`` at the start of a path.

    Raises:
        SettingsError: There is no such user, or the user has no home folder.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        whole, user = excerpt(str(path)), excerpt(path.parts[0])
        raise SettingsError(f"{whole}: there is no home folder {user}. Write the whole path.") from None


def cache_folder() -> Path:
    """Return the folder for what can be created again: the XDG rules, but macOS's own folder there."""
    return _folder("XDG_CACHE_HOME", ".cache", "Caches")


def data_folder() -> Path:
    """Return the folder for the user's data that is not a setting, such as sign-ins."""
    return _folder("XDG_DATA_HOME", ".local/share", "Application Support") / "coatcheck"


def make_private_folder(folder: Path) -> None:
    """Create the folder and those above it that are missing, with access only for their owner (the XDG rules).

    With an umask of 0, others could otherwise replace the folder in one of those above it.
    """
    for each in (*reversed(folder.parents), folder):
        each.mkdir(0o700, exist_ok=True)


def _folder(variable: str, usual: str, on_macos: str) -> Path:
    if sys.platform == "darwin":
        return home_folder() / "Library" / on_macos
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else home_folder() / usual  # the XDG rules: only an absolute path
