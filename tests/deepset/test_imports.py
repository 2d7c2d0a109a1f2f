"""The toolset uses only the public interface, and nothing from the network."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLSET = ROOT / "src" / "coatcheck" / "toolsets" / "deepset"
PUBLIC = set(re.findall(r"^\| `(coatcheck\.[\w.]+)` \|", (ROOT / "docs" / "api.md").read_text(), flags=re.MULTILINE))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name for name in names if name.partition(".")[0] == "coatcheck"}


@pytest.mark.parametrize("path", sorted(TOOLSET.rglob("*.py")), ids=lambda path: str(path.relative_to(TOOLSET)))
def test_the_toolset_uses_public_modules_only(path: Path):
    own = "coatcheck.toolsets.deepset"
    private = {name for name in imported(path) if not name.startswith(own)} - PUBLIC - {"coatcheck"}
    assert not private


@pytest.mark.parametrize("part", ["client", "simulator"])
def test_client_and_simulator_need_neither_a_server_nor_a_container(part: str):
    for path in (TOOLSET / part).glob("*.py"):
        own = {name for name in imported(path) if name.startswith("coatcheck.toolsets.deepset")}
        assert all(name.startswith(f"coatcheck.toolsets.deepset.{part}") for name in own), path
        assert imported(path) - own <= {"coatcheck.errors"}, path


def test_importing_and_creating_the_toolset_opens_no_connection():
    code = """
import socket
def refuse(*args, **kwargs): raise AssertionError("connected")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from coatcheck.toolsets.deepset import DeepsetContainer, DeepsetSettings
host = DeepsetContainer(settings=DeepsetSettings(api_key="k", workspace="w", docs_share_url=SHARE))
assert len(host.installation().registry) > 40
host.client()
import sys
assert "bm25s" not in sys.modules and "numpy" not in sys.modules
"""
    from coatcheck.toolsets.deepset.simulator import SimulatedPlatform

    code = code.replace("SHARE", repr(SimulatedPlatform().share_url()))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
