"""The known MCP clients: where their files are, how they describe servers, and their other names."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from coatcheck.errors import SettingsError, excerpt
from coatcheck.installer.json_spans import ANY, parse_json
from coatcheck.installer.text_spans import Tree
from coatcheck.installer.toml_spans import parse_toml


@dataclass(frozen=True, slots=True)
class Client:
    """A client."""

    name: str  # its name on the command line
    title: str  # its name for people
    # The user's file, by `sys.platform` or `*`; `{home}`, `{config}`, `{claude}` and `{codex}` are filled in.
    files: dict[str, str]
    project_file: str | None = None  # its file in the folder of a project, if it has one
    syntax: Literal["json", "toml"] = "json"  # format of its files
    # Paths to the objects that hold servers by name; the first one is where a new server goes.
    servers: tuple[tuple[str, ...], ...] = (("mcpServers",),)
    url_keys: tuple[str, ...] = ("url",)  # keys of a server's URL; the first is the one for streamable HTTP
    sse_key: str | None = None  # the key that on its own means the HTTP+SSE transport
    types: bool = False  # whether a server's entry contains `"type": "stdio"` or `"http"`
    aliases: tuple[str, ...] = ()  # other names on the command line


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
            aliases=("desktop", "claudedesktop", "claude-app"),
        ),
        Client(
            "claude-code",
            "Claude Code",
            {"*": "{claude}/.claude.json"},
            ".mcp.json",
            servers=(("mcpServers",), ("projects", ANY, "mcpServers")),
            types=True,
            aliases=("claude", "cc", "claudecode", "claude-cli"),
        ),
        Client(
            "cursor",
            "Cursor",
            {"*": "{home}/.cursor/mcp.json"},
            ".cursor/mcp.json",
            aliases=("cursor-ide", "cursor-cli", "cursor-agent"),
        ),
        Client(
            "vscode",
            "VS Code",
            {"darwin": f"{_APPLICATION_SUPPORT}/Code/User/mcp.json", "*": "{config}/Code/User/mcp.json"},
            ".vscode/mcp.json",
            servers=(("servers",), ("mcp", "servers")),
            types=True,
            aliases=("vs-code", "code", "visual-studio-code", "copilot", "github-copilot", "copilot-chat"),
        ),
        Client(
            "windsurf",
            "Windsurf",
            {"*": "{home}/.codeium/windsurf/mcp_config.json"},
            url_keys=("serverUrl", "url"),
            aliases=("codeium", "cascade"),
        ),
        Client(
            "codex",
            "Codex",
            {"*": "{codex}/config.toml"},
            ".codex/config.toml",
            syntax="toml",
            servers=(("mcp_servers",),),
            aliases=("codex-cli", "openai-codex"),
        ),
        Client(
            "gemini-cli",
            "Gemini CLI",
            {"*": "{home}/.gemini/settings.json"},
            ".gemini/settings.json",
            url_keys=("httpUrl", "url"),
            sse_key="url",
            aliases=("gemini", "gemini-code", "google-gemini"),
        ),
    )
}

_BY_ALIAS = {alias: client for client in CLIENTS.values() for alias in (client.name, *client.aliases)}

ANY_CLIENT = Client(
    "any",
    "a file of servers",
    {},
    servers=(("mcpServers",), ("servers",), ("mcp", "servers"), ("mcp_servers",), ("context_servers",)),
    url_keys=("url", "serverUrl", "httpUrl"),
)
"""Reads a file of servers in the format of any client."""


def find_client(name: str) -> Client:
    """Return the client of a name or alias; raises ``SettingsError`` if there is none."""
    alias = "-".join(name.lower().replace("_", " ").replace("-", " ").split())
    found = _BY_ALIAS.get(alias)
    if found is None:
        close = get_close_matches(alias, _BY_ALIAS, n=1)
        guess = f" Did you mean {_BY_ALIAS[close[0]].name}?" if close else ""
        raise SettingsError(
            f'The client "{excerpt(name)}" is not known.{guess} Known clients: {", ".join(CLIENTS)}. '
            "For another one, print what to paste with `coatcheck add --print cursor NAME -- COMMAND`."
        )
    return found


def parse_config(text: str, client: Client) -> Tree:
    """Parse a file of a client; values beside the servers are skipped.

    Raises:
        ConfigSyntaxError: The text is malformed.
    """
    return parse_toml(text) if client.syntax == "toml" else parse_json(text, client.servers)


def client_of_file(path: Path) -> Client:
    """Return the client in whose format a file of servers is written: TOML as for Codex, else JSON of any client."""
    return CLIENTS["codex"] if path.suffix.lower() == ".toml" else ANY_CLIENT
