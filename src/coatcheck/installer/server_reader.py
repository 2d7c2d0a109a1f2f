"""Reads the description of one server, in the spellings of clients and other programs.

``install``, ``status`` and ``wrap --servers`` all read servers here, so that they accept the same spellings.
"""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from coatcheck.errors import excerpt

Transport = Literal["stdio", "streamable-http", "sse"]

TYPE_KEYS = ("type", "transport", "transportType", "transport_type")
URL_KEYS = ("url", "serverUrl", "httpUrl", "server_url", "http_url", "uri", "endpoint")
FOLDER_KEYS = ("cwd", "workingDirectory", "working_directory")
TOOL_LISTS = (
    "includeTools", "include_tools", "excludeTools", "exclude_tools", "enabledTools", "enabled_tools", "disabledTools",
    "disabled_tools", "allowedTools", "allowed_tools",
)  # fmt: skip
"""Keys of lists that select the tools a client shows."""

_TYPES: dict[str, Transport] = {
    "stdio": "stdio",
    "local": "stdio",
    "command": "stdio",
    "process": "stdio",
    "http": "streamable-http",
    "https": "streamable-http",
    "streamable": "streamable-http",
    "streamablehttp": "streamable-http",
    "streamhttp": "streamable-http",
    "httpstream": "streamable-http",
    "httpstreaming": "streamable-http",
    "remote": "streamable-http",
    "sse": "sse",
    "httpsse": "sse",
}
"""By their letters alone: ``streamable-http``, ``streamableHttp`` and ``streamable_http`` are one type."""

_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_]\w*)(?::-([^}]*))?\}")
_CLIENT_VARIABLE = re.compile(
    r"\$\{(?:(?:input|command|config|prompt):[^}]*|(?:workspace|file|relativeFile|selected|extension)\w*)\}"
)
_BARE_VARIABLE = re.compile(r"\$([A-Za-z_]\w*)")


class UnreadableServer(Exception):  # reported for this server; the others are processed
    """The description of a server is unusable; the message explains why and quotes no value that may be secret."""


Fill = Callable[[str], str]
"""Fills in variables. It may raise ``UnreadableServer``."""


@dataclass(frozen=True, slots=True)
class ServerDefinition:
    """A server as a file describes it."""

    command: tuple[str, ...] = ()  # the program and its arguments; empty for a server at a URL
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # variables of the command
    folder: str | None = None
    url: str | None = None  # the address; `None` for a command
    transport: Transport | None = None  # transport of the URL; `None` if the file does not name one
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # headers of every request
    ignored: tuple[str, ...] = ()  # keys of tool lists, which only the client applies


def is_disabled(entry: Any) -> bool:
    """Whether a file disables a server."""
    if not isinstance(entry, dict):
        return False
    return str(entry.get("disabled")).lower() == "true" or str(entry.get("enabled")).lower() == "false"


def read_server(entry: Any, fill: Fill = str) -> ServerDefinition:
    """Read the entry of a server; ``fill`` fills in the variables of its values.

    Raises:
        UnreadableServer: It is not a server, or needs information that only the client has.
    """
    if not isinstance(entry, dict):
        raise UnreadableServer("it is null" if entry is None else "it is not an object")
    nested = next((entry[key] for key in TYPE_KEYS if isinstance(entry.get(key), dict)), None)
    if nested is not None:
        entry = {**entry, **nested}
    transport = server_type(entry)
    ignored = tuple(key for key in TOOL_LISTS if entry.get(key))
    url = next((entry[key] for key in URL_KEYS if entry.get(key) is not None), None)
    command = entry.get("command", entry.get("cmd"))
    if command is not None and command != "" and (url is None or transport in {None, "stdio"}):
        if entry.get("envFile"):
            raise UnreadableServer("only the client reads its envFile: write the variables into env")
        return ServerDefinition(
            command=(*_command(command, fill), *_arguments(entry.get("args", entry.get("arguments")), fill)),
            environment=_texts(entry, "env", fill),
            folder=_folder(entry, fill),
            ignored=ignored,
        )
    if url is None or transport == "stdio":
        missing = {"stdio": "it has no command", None: "it has neither a command nor a URL"}
        raise UnreadableServer(missing.get(transport, "it has no URL"))
    if not isinstance(url, str) or not url:
        raise UnreadableServer("its URL is not a string")
    return ServerDefinition(url=fill(url), transport=transport, headers=_headers(entry, fill), ignored=ignored)


def server_type(entry: Mapping[str, Any]) -> Transport | None:
    """Return the transport that an entry names; ``None`` if it names none.

    Raises:
        UnreadableServer: It names one that is not known.
    """
    for key in TYPE_KEYS:
        given = entry.get(key)
        if given is None or isinstance(given, dict):
            continue
        found = _TYPES.get(re.sub(r"[^a-z]", "", given.lower())) if isinstance(given, str) else None
        if found is None:
            raise UnreadableServer(f'its {key} is "{excerpt(str(given))}"; known are stdio, http and sse')
        return found
    return None


def fill_variables(environment: Mapping[str, str], home: Callable[[], Path]) -> Fill:
    """Create the function that fills in ``${NAME}``, ``${env:NAME}``, ``${NAME:-default}`` and ``${userHome}``."""

    def value(found: re.Match[str]) -> str:
        name, default = found.group(1), found.group(2)
        known = environment.get(name, default)
        if known is None and name == "userHome":
            known = str(home())
        if known is None:
            raise UnreadableServer(f"the variable {name} is not set")
        return known

    def fill(text: str) -> str:
        return _VARIABLE.sub(value, refuse_client_variables(text))

    return fill


def refuse_client_variables(text: str) -> str:
    """Return a text unless it has variables that only the client can fill in.

    Raises:
        UnreadableServer: It has one.
    """
    if unknown := _CLIENT_VARIABLE.search(text):
        raise UnreadableServer(f"only the client knows what {excerpt(unknown.group())} is")
    return text


def split_command(command: str) -> tuple[str, ...]:
    """Split a command that was written as one string, unless a program of that exact name exists."""
    if not re.search(r"\s", command.strip()) or shutil.which(command) or Path(command).exists():
        return (command,)
    try:
        return tuple(shlex.split(command)) or (command,)
    except ValueError:
        return (command,)


def _command(command: Any, fill: Fill) -> tuple[str, ...]:
    if isinstance(command, str):
        return split_command(fill(command))
    if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        return tuple(fill(word) for word in command)
    raise UnreadableServer("its command is not a string")


def _arguments(args: Any, fill: Fill) -> tuple[str, ...]:
    if args is None:
        return ()
    if isinstance(args, str):
        try:
            return tuple(shlex.split(fill(args)))
        except ValueError:
            raise UnreadableServer("its args are one string with an open quote") from None
    if not isinstance(args, list):
        raise UnreadableServer("its args are not a list")
    return tuple(fill(_text(word, f"argument {number}")) for number, word in enumerate(args, 1))


def _text(value: Any, what: str) -> str:
    """Write a scalar as text: ``true``, ``8080``, ``1.5``."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    kind = "null" if value is None else "an object" if isinstance(value, dict) else "a list"
    raise UnreadableServer(f"its {what} is {kind}")


def _texts(entry: Mapping[str, Any], key: str, fill: Fill) -> dict[str, str]:
    """Read an object of strings; numbers and booleans become text, and what is null is left out."""
    given = entry.get(key)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise UnreadableServer(f"its {key} is not an object")
    return {
        str(name): _fill_value(_text(value, f"{key} {excerpt(str(name))}"), fill)
        for name, value in given.items()
        if value is not None
    }


def _fill_value(text: str, fill: Fill) -> str:
    """Fill in a value. Gemini CLI also writes ``$NAME``: a variable if that is set, else it may be a password."""
    bare = _BARE_VARIABLE.fullmatch(text)
    if bare is not None:
        with suppress(UnreadableServer):
            return fill(f"${{{bare.group(1)}}}")
    return fill(text)


def _folder(entry: Mapping[str, Any], fill: Fill) -> str | None:
    folder = next((entry[key] for key in FOLDER_KEYS if entry.get(key) is not None), None)
    if folder is None:
        return None
    if not isinstance(folder, str):
        raise UnreadableServer("its cwd is not a string")
    return fill(folder) or None


def _headers(entry: Mapping[str, Any], fill: Fill) -> dict[str, str]:
    """Read headers; Codex has three keys for them, two of which name variables."""
    headers = {**_texts(entry, "http_headers", fill), **_texts(entry, "headers", fill)}
    for header, variable in _texts(entry, "env_http_headers", str).items():
        headers[header] = fill(f"${{{variable}}}")
    token = entry.get("bearer_token_env_var")
    if isinstance(token, str) and token:
        headers["Authorization"] = f"Bearer {fill(f'${{{token}}}')}"
    return headers
