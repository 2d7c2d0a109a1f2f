"""Where the files of clients lie on this machine."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coatcheck.errors import SettingsError
from coatcheck.installer.clients import Client


@dataclass(frozen=True, slots=True)
class Place:
    """A file of a client.

    Attributes:
        client: Whose it is.
        path: Where it lies.
        shared: Whether it belongs to a project, and so to other people's machines too.
    """

    client: Client
    path: Path
    shared: bool = False


def user_file(client: Client, *, platform: str, home: Path, environment: Mapping[str, str]) -> Path:
    """Give the file in which a client keeps the user's servers."""
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


def places_of(client: Client) -> list[Place]:
    """Give the user's file of a client, and the one of the project in the current folder."""
    places = [Place(client, _user_file(client))]
    if client.project_file is not None and (project := Path.cwd() / client.project_file) != places[0].path:
        places.append(Place(client, project, shared=True))
    return places


def place_of(client: Client, file: Path | None = None) -> Place:
    """Give the file that a person means: the named one, or the user's.

    Raises:
        SettingsError: There is no such file.
    """
    user = _user_file(client)
    path = file.expanduser() if file is not None else user
    if not path.is_file():
        shared = [place.path for place in places_of(client) if place.shared and place.path.is_file()]
        hint = f" There is {shared[0]}: name it with --file." if shared and file is None else ""
        raise SettingsError(f"{client.title} has no file {path}.{hint}")
    return Place(client, path, shared=_is_shared(client, path, user))


def _user_file(client: Client) -> Path:
    return user_file(client, platform=sys.platform, home=Path.home(), environment=os.environ)


def _is_shared(client: Client, path: Path, user: Path) -> bool:
    if client.project_file is None or (user.exists() and path.samefile(user)):
        return False
    return path.absolute().as_posix().endswith("/" + client.project_file)
