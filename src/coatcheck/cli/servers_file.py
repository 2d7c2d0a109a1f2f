"""Files of servers for ``coatcheck wrap --servers``, in the formats of MCP clients."""

import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from coatcheck.cli.logs import announce
from coatcheck.cli.upstream_options import OAuthUse, environment_fill, oauth_for
from coatcheck.errors import SettingsError, excerpt
from coatcheck.installer import ConfigFileError, client_of_file, parse_config
from coatcheck.installer.config_files import decode, naming, read_bytes
from coatcheck.installer.server_entries import Entry, entries_of
from coatcheck.installer.server_reader import ServerDefinition, UnreadableServer, is_disabled, read_server
from coatcheck.proxy.upstreams.targets import CommandTarget, Target, UrlTarget
from coatcheck.user_folders import expand_home


def read_servers(paths: Sequence[Path], oauth: OAuthUse = "never") -> dict[str, Target]:
    """Read the servers of several files, in their order.

    Variables (``${NAME}``, ``${env:NAME}``, ``${NAME:-default}``) are filled in from the environment. Disabled servers
    are omitted. So are unusable ones, with the reason on stderr; the others continue.

    ``oauth``: sign in to servers at URLs without a token.

    Raises:
        SettingsError: A file is missing or malformed, or there is no usable server.
    """
    servers: dict[str, Target] = {}
    disabled: list[str] = []
    fill = environment_fill()
    for path in paths:
        for entry in _entries(path):
            value = entry.node.value()
            if is_disabled(value):
                disabled.append(excerpt(entry.name))
                continue
            where = f'{path}: the server "{excerpt(entry.name)}"'
            try:
                if entry.fault or entry.name in servers:
                    raise UnreadableServer(entry.fault or "another file has a server of that name")  # noqa: TRY301
                read = read_server(value, fill)
                servers[entry.name] = _target(read, oauth)
            except (UnreadableServer, SettingsError) as why:
                announce(f"{where} is left out: {str(why).rstrip('.')}.")
                continue
            if read.ignored:
                announce(f"{where}: all its tools are offered, because only clients apply {', '.join(read.ignored)}.")
    if not servers:
        only = f": {', '.join(disabled)} {'is' if len(disabled) == 1 else 'are'} disabled" if disabled else ""
        raise SettingsError(f"There is no server to wrap in {', '.join(map(str, paths))}{only}.")
    return servers


def _entries(path: Path) -> Iterator[Entry]:
    client = client_of_file(path)
    try:
        text = decode(read_bytes(expand_home(path), unsafe=stat.S_IWOTH), path)
        with naming(path):
            tree = parse_config(text, client)
            found = entries_of(tree, client)
    except ConfigFileError as error:
        raise SettingsError(str(error)) from None
    if not found and not any(tree.root.find(way[0]) for way in client.servers):
        keys = " or ".join(f'"{way[0]}"' for way in client.servers[:2])
        raise SettingsError(f"The file {path} has no {keys}: it is not a file of servers.")
    return iter(found)


def _target(server: ServerDefinition, oauth: OAuthUse) -> Target:
    if server.url is None:
        return CommandTarget(server.command, server.environment, server.folder)
    target = UrlTarget(server.url, headers=server.headers, auth=oauth_for(server.url, server.headers, oauth))
    is_sse = server.transport == "sse" or (server.transport is None and urlsplit(server.url).path.endswith("/sse"))
    return replace(target, transport="sse") if is_sse else target
