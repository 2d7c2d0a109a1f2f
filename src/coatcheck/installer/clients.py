"""The clients that are known: where their settings lie and how they write servers down."""

from dataclasses import dataclass
from typing import Literal

from coatcheck.errors import SettingsError, excerpt

ANY = "*"
"""Stands for every key in the way to an object of servers."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client.

    Attributes:
        name: As it is given on the command line.
        title: As people call it.
        files: The user's file, by ``sys.platform`` or ``*``; ``{home}``, ``{config}``, ``{claude}`` and ``{codex}``
            are filled in.
        project_file: Its file in the folder of a project, if it has one.
        syntax: What its files are written in.
        servers: Ways to the objects that hold servers by name.
        url_keys: Names of the member with a server's URL; the first is the one for streamable HTTP. Empty: servers at
            URLs are left alone.
        sse_key: Name of that member where it means the older transport by itself.
    """

    name: str
    title: str
    files: dict[str, str]
    project_file: str | None = None
    syntax: Literal["json", "toml"] = "json"
    servers: tuple[tuple[str, ...], ...] = (("mcpServers",),)
    url_keys: tuple[str, ...] = ("url",)
    sse_key: str | None = None


_APPLICATION_SUPPORT = "{home}/Library/Application Support"

CLIENTS = {
    client.name: client
    for client in (
        Client(
            "claude-desktop",
            "Claude Desktop",
            {
                "darwin": f"{_APPLICATION_SUPPORT}/Claude/claude_desktop_config.json",
                "win32": "{config}/Claude/claude_desktop_config.json",
                "*": "{config}/Claude/claude_desktop_config.json",
            },
        ),
        Client(
            "claude-code",
            "Claude Code",
            {"*": "{claude}/.claude.json"},
            ".mcp.json",
            servers=(("mcpServers",), ("projects", ANY, "mcpServers")),
        ),
        Client("cursor", "Cursor", {"*": "{home}/.cursor/mcp.json"}, ".cursor/mcp.json"),
        Client(
            "vscode",
            "VS Code",
            {"darwin": f"{_APPLICATION_SUPPORT}/Code/User/mcp.json", "*": "{config}/Code/User/mcp.json"},
            ".vscode/mcp.json",
            servers=(("servers",), ("mcp", "servers")),
        ),
        Client(
            "windsurf",
            "Windsurf",
            {"*": "{home}/.codeium/windsurf/mcp_config.json"},
            url_keys=("serverUrl", "url"),
        ),
        Client(
            "codex",
            "Codex",
            {"*": "{codex}/config.toml"},
            ".codex/config.toml",
            syntax="toml",
            servers=(("mcp_servers",),),
            url_keys=(),
        ),
        Client(
            "gemini-cli",
            "Gemini CLI",
            {"*": "{home}/.gemini/settings.json"},
            ".gemini/settings.json",
            url_keys=("httpUrl", "url"),
            sse_key="url",
        ),
    )
}


def find_client(name: str) -> Client:
    """Give the client of a name.

    Raises:
        SettingsError: There is none.
    """
    wanted = name.lower().replace("_", "-").replace(" ", "-")
    if wanted not in CLIENTS:
        raise SettingsError(f'The client "{excerpt(name)}" is not known; known are: {", ".join(CLIENTS)}.')
    return CLIENTS[wanted]
