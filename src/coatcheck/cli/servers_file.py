"""Files with ``mcpServers``, as most hosts have one: the servers in them, variables filled in."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coatcheck import codec
from coatcheck.cli.upstream_options import expand
from coatcheck.errors import SettingsError, excerpt
from coatcheck.proxy.upstreams.targets import CommandTarget, Target, UrlTarget, UrlTransport

TRANSPORTS: dict[str, UrlTransport] = {
    "http": "streamable-http",
    "streamable-http": "streamable-http",
    "streamableHttp": "streamable-http",
    "sse": "sse",
}
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')


def read_servers(paths: Sequence[Path]) -> dict[str, Target]:
    """Read the servers of several files, in their order.

    ``${NAME}`` and ``${NAME:-default}`` are filled in from the environment, in every value. Servers with
    ``"disabled": true`` are left out.

    Raises:
        SettingsError: A file is missing or malformed, a server has neither command nor URL, a variable is not set, or
            two files have a server of the same name.
    """
    servers: dict[str, Target] = {}
    for path in paths:
        for name, entry in _entries(path).items():
            if name in servers:
                raise SettingsError(f'The server "{excerpt(name)}" is in two files; the second is {path}.')
            if not (isinstance(entry, dict) and entry.get("disabled")):
                servers[name] = _target(entry, f'{path}: the server "{excerpt(name)}"')
    if not servers:
        raise SettingsError(f"There is no server in {', '.join(map(str, paths))}.")
    return servers


def _entries(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"The file of servers {path} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from None
    # Hosts allow comments and a comma too many.
    plain = _LAST_COMMA.sub(lambda found: found.group(1) or "", _COMMENT.sub(lambda found: found.group(1) or " ", text))
    try:
        parsed = codec.load_json(plain)
    except ValueError as error:
        raise SettingsError(f"The file of servers {path} is no JSON: {error}.") from None
    found = parsed.get("mcpServers", parsed.get("servers")) if isinstance(parsed, dict) else None
    if not isinstance(found, dict):
        raise SettingsError(f'The file {path} has no "mcpServers".')
    return found


def _target(entry: Any, where: str) -> Target:
    if not isinstance(entry, dict):
        raise SettingsError(f"{where} is no object.")
    command, url, kind = entry.get("command"), entry.get("url", entry.get("serverUrl")), entry.get("type")
    if isinstance(command, str) and command:
        arguments = _texts(entry.get("args", []), f"{where}: args")
        folder = entry.get("cwd")
        return CommandTarget(
            (expand(command, where), *arguments),
            _mapping(entry.get("env", {}), f"{where}: env"),
            expand(folder, where) if isinstance(folder, str) else None,
        )
    if isinstance(url, str) and url:
        transport = TRANSPORTS.get(str(kind or "http"))
        if transport is None:
            raise SettingsError(f'{where} has the type "{excerpt(str(kind))}"; there are: {", ".join(TRANSPORTS)}.')
        headers = _mapping(entry.get("headers", {}), f"{where}: headers")
        return UrlTarget(expand(url, where), transport, headers)
    raise SettingsError(f"{where} has neither command nor url.")


def _texts(given: Any, where: str) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(part, (str, int, float)) for part in given):
        raise SettingsError(f"{where} is no list of texts.")
    return [expand(str(part), where) for part in given]


def _mapping(given: Any, where: str) -> dict[str, str]:
    if not isinstance(given, dict):
        raise SettingsError(f"{where} is no object.")
    return {str(key): expand(str(value), where) for key, value in given.items()}
