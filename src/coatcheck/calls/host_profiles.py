"""How MCP hosts handle results, by the name that they send in the handshake: a table, and the rules that use it.

A result has two audiences: the model, and the code of the host (a view of MCP Apps, a script). The model reads
``content`` in most hosts and ``structuredContent`` in some; views and scripts read ``structuredContent``.
Sources of the table: ``docs/hosts.md``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

APPS_EXTENSION = "io.modelcontextprotocol/ui"
"""The extension that clients announce if they show views of MCP Apps (SEP-1865)."""

CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
CLIENT_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
"""Members of the ``_meta`` of a modern request that describe its client."""

UI_KEYS = ("ui", "ui/resourceUri")
"""Members of a tool's ``_meta`` that name its view; the second is an older spelling that servers still send."""

VIEWS = "ui://"
"""The prefix of the addresses of views, by which hosts recognise them."""

APP_ONLY = "app"

MAX_RESULT_SIZE_KEY = "anthropic/maxResultSizeChars"
MOST_RESULT_CHARACTERS = 500_000
"""Maximum characters to which a tool may raise its limit in Claude Code."""

StructuredContent = Literal["auto", "whole", "short"]
ResultForm = Literal["whole", "short"]


@dataclass(frozen=True, slots=True)
class HostProfile:
    """How a host handles results."""

    name: str  # its value for the setting `host_profile`
    client_names: tuple[str, ...] = ()  # prefixes of `clientInfo.name`, in lower case with `-` for spaces
    reads_structured_content: bool = False  # whether its model reads `structuredContent` in place of `content`
    # Bytes up to which a result passes unchanged if the setting `inline_limit` is not set: the size that the host shows
    # without cutting it or moving it to a file; 0 for the general limit.
    inline_bytes: int = 0


DEFAULT = HostProfile("default")

PROFILES = (
    HostProfile("claude-code", ("claude-code",), reads_structured_content=True, inline_bytes=16_000),
    HostProfile("claude-desktop", ("claude-ai", "claude-desktop")),
    HostProfile("codex", ("codex",), reads_structured_content=True, inline_bytes=10_240),
    HostProfile("copilot-cli", ("github-copilot", "copilot-cli")),
    HostProfile("gemini-cli", ("gemini-cli",)),
    HostProfile("goose", ("goose",)),
    HostProfile("opencode", ("opencode",), reads_structured_content=True),
    HostProfile("vscode", ("visual-studio-code", "vscode"), inline_bytes=8_192),
    DEFAULT,
)

NAMES = tuple(profile.name for profile in PROFILES)
"""Values of the setting ``host_profile`` besides ``auto``."""


@dataclass(frozen=True, slots=True)
class Client:
    """The properties of a call's client that affect its results."""

    name: str = ""  # `clientInfo.name`; empty if it sent none
    shows_apps: bool = False  # whether it announced that it shows views of MCP Apps


UNKNOWN_CLIENT = Client()


def client_of_initialize(params: Any) -> Client:
    """Read the client from the parameters of ``initialize``; malformed values are ignored."""
    given = params if isinstance(params, Mapping) else {}
    return _client(given.get("clientInfo"), given.get("capabilities"))


def client_of_request(params: Any) -> Client:
    """Read the client from the ``_meta`` of a request of revision 2026-07-28."""
    meta = params.get("_meta") if isinstance(params, Mapping) else None
    given = meta if isinstance(meta, Mapping) else {}
    return _client(given.get(CLIENT_INFO), given.get(CLIENT_CAPABILITIES))


def profile_of(client: Client, host_profile: str = "auto") -> HostProfile:
    """Return the profile of a client, or the one that the setting names."""
    if host_profile != "auto":
        return next((profile for profile in PROFILES if profile.name == host_profile), DEFAULT)
    return _profile_of_name(client.name.casefold().replace(" ", "-")[:100])


def result_form(
    client: Client,
    tool: Mapping[str, Any] | None,
    *,
    server_has_apps: bool,
    structured_content: StructuredContent = "auto",
    host_profile: str = "auto",
) -> ResultForm:
    """Decide whether ``structuredContent`` of a large result stays whole or is shortened with the text.

    The rules, in this order: the setting; a client that shows views gets it whole from every tool of a server that has
    views, since views call plain tools too; a host whose model reads it gets it short; otherwise it is whole for the
    tools that have a view, and short for the others.
    """
    if structured_content != "auto":
        return structured_content
    if client.shows_apps and server_has_apps:
        return "whole"
    if profile_of(client, host_profile).reads_structured_content:
        return "short"
    return "whole" if has_view(tool) else "short"


def is_view_address(uri: Any) -> bool:
    """Whether an address is one of a view."""
    return isinstance(uri, str) and uri[: len(VIEWS)].lower() == VIEWS


def has_view(tool: Mapping[str, Any] | None) -> bool:
    """Whether a tool has a view of MCP Apps."""
    found = _ui_of(tool)
    return isinstance(found.get("resourceUri"), str)


def is_for_the_app_alone(tool: Mapping[str, Any] | None) -> bool:
    """Whether a tool is visible to views only, so that no model reads its results."""
    return _ui_of(tool).get("visibility") == [APP_ONLY]


def inline_characters(profile: HostProfile, inline_limit: int, text: str) -> int:
    """Return the characters up to which a text passes unchanged: from the host's bytes, or the general limit."""
    if not profile.inline_bytes or not text:
        return inline_limit
    sample = text[: profile.inline_bytes]
    bytes_per_character = len(sample.encode("utf-8", "replace")) / len(sample)
    return int(profile.inline_bytes / bytes_per_character)


def with_raised_limit(tool: dict[str, Any]) -> dict[str, Any]:
    """Mark a tool whose results always pass whole, so that Claude Code shows them whole."""
    meta = tool.get("_meta")
    known = meta if isinstance(meta, dict) else {}
    if MAX_RESULT_SIZE_KEY in known:
        return tool
    return {**tool, "_meta": {**known, MAX_RESULT_SIZE_KEY: MOST_RESULT_CHARACTERS}}


@lru_cache(maxsize=256)
def _profile_of_name(name: str) -> HostProfile:
    return next(
        (profile for profile in PROFILES for known in profile.client_names if name.startswith(known)),
        DEFAULT,
    )


def _client(info: Any, capabilities: Any) -> Client:
    name = info.get("name") if isinstance(info, Mapping) else None
    extensions = capabilities.get("extensions") if isinstance(capabilities, Mapping) else None
    announced = isinstance(extensions, Mapping) and isinstance(extensions.get(APPS_EXTENSION), Mapping)
    return Client(name if isinstance(name, str) else "", announced)


def _ui_of(tool: Mapping[str, Any] | None) -> Mapping[str, Any]:
    meta = tool.get("_meta") if tool is not None else None
    if not isinstance(meta, Mapping):
        return {}
    found, uri = map(meta.get, UI_KEYS)
    if isinstance(found, Mapping):
        return found
    return {"resourceUri": uri} if isinstance(uri, str) else {}
