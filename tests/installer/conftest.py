import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from coatcheck.installer import CLIENTS, Client, ConfigFile
from coatcheck.installer.client_registry import parse_config
from coatcheck.installer.entry_editing import Edited, same_but_for_wrapping, unwrap_servers, wrap_servers

SAMPLES = Path(__file__).parent / "samples"

FILES = {
    "claude-desktop": "claude_desktop_config.json",
    "claude-code": "claude_code.claude.json",
    "cursor": "cursor.mcp.json",
    "vscode": "vscode.mcp.json",
    "windsurf": "windsurf.mcp_config.json",
    "codex": "codex.config.toml",
    "gemini-cli": "gemini.settings.json",
}

LAUNCHER = ("/opt/coat check/bin/coatcheck",)
WRAPPING = (*LAUNCHER, "wrap")


@pytest.fixture(params=sorted(FILES))
def client_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sample(tmp_path: Path) -> Callable[[str], ConfigFile]:
    """Copies the sample of a client into a separate folder."""

    def copy(name: str) -> ConfigFile:
        path = tmp_path / name / FILES[name]
        path.parent.mkdir()
        shutil.copyfile(SAMPLES / FILES[name], path)
        return ConfigFile(CLIENTS[name], path)

    return copy


def secrets_in(text: str) -> set[str]:
    """All secrets of a sample, which are named so."""
    return set(re.findall(r"[\w-]*secret[\w-]*", text))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wrap_text(text: str, client: Client) -> Edited:
    """Wraps all servers of a text."""
    return wrap_servers(parse_config(text, client), client, lambda _: WRAPPING)


def unwrap_text(text: str, client: Client, original: str) -> str:
    """Unwraps all servers of a text."""
    return unwrap_servers(parse_config(text, client), client, parse_config(original, client), lambda _: True).text


def is_same_config(text: str, other: str, client: Client) -> bool:
    return same_but_for_wrapping(parse_config(text, client), parse_config(other, client), client)
