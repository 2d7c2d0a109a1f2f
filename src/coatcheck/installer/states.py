"""Which servers a file has, and which of them are wrapped."""

from dataclasses import dataclass, field
from typing import Any, Literal

from coatcheck.installer.editing import parse
from coatcheck.installer.entries import Entry, entries_of
from coatcheck.installer.faults import ConfigurationFault, SyntaxFault
from coatcheck.installer.files import decode, read_bytes
from coatcheck.installer.places import Place


@dataclass(frozen=True, slots=True)
class ServerState:
    """A server in a file.

    Attributes:
        label: Its name for people.
        kind: Whether it is started by a command or reached at a URL.
        wrapped: Whether coatcheck stands in front of it.
        shares_store: Whether it then keeps its objects in the file that all servers of a user share.
        command: What starts it.
        environment: Variables that it gets; their values may be secret.
        folder: Its working directory.
    """

    label: str
    kind: Literal["command", "url", "other"]
    wrapped: bool
    shares_store: bool
    command: tuple[str, ...] = field(repr=False)
    environment: dict[str, str] = field(repr=False)
    folder: str | None = None


def states_of(place: Place) -> list[ServerState]:
    """Read which servers a file has.

    Raises:
        ConfigurationFault: The file cannot be read or understood.
    """
    text = decode(read_bytes(place.path), place.path)
    try:
        entries = entries_of(parse(text, place.client), place.client)
    except SyntaxFault as error:
        raise ConfigurationFault(f"{place.path}, line {error.line}, column {error.column}: {error.reason}.") from None
    return [_state(entry) for entry in entries]


def _state(entry: Entry) -> ServerState:
    kind: Literal["command", "url", "other"] = "other"
    if entry.words:
        kind = "command"
    elif any(entry.node.find(key) is not None for key in ("url", "serverUrl", "httpUrl")):
        kind = "url"
    env = entry.node.find("env")
    values: dict[str, Any] = env.node.value() if env is not None and env.node.kind == "object" else {}
    return ServerState(
        entry.label,
        kind,
        entry.wrap_position is not None,
        entry.shares_store,
        tuple(entry.words),
        {name: str(value) for name, value in values.items()},
        entry.text("cwd"),
    )
