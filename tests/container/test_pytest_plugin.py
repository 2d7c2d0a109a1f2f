"""The pytest plugin, used by a project that tests its own server."""

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

PLUGIN = "coatcheck.testing.pytest_plugin"

TESTS = '''
import pytest
from fastmcp import FastMCP
from mcp.server import MCPServer

from coatcheck import Container, InMemoryBackend, Settings, attach


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def coatcheck_settings():
    return Settings(object_store_ttl=5)


SEEN = []


def test_the_container_is_fresh(coatcheck_container):
    assert coatcheck_container.store().ttl == 5
    coatcheck_container.exit_stack().callback(SEEN.append, "closed")
    coatcheck_container.store().put(1)


def test_it_was_closed_and_is_fresh_again(coatcheck_container):
    assert SEEN == ["closed"]
    assert coatcheck_container.store().list() == []


COMMON = Container(settings=Settings())
BACKEND = InMemoryBackend()


def test_a_part_is_overridden_for_the_rest_of_the_test(coatcheck_overridden):
    assert coatcheck_overridden(COMMON, backend=BACKEND) is COMMON
    COMMON.store().put(1)
    assert BACKEND.statistics().objects == 1


def test_and_not_afterwards():
    assert COMMON.store().list() == []


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [MCPServer, FastMCP])
async def test_a_server_is_called_in_memory(kind, coatcheck_container, coatcheck_client):
    server = kind("mine")

    @server.tool()
    def rows() -> list[int]:
        """Give rows."""
        return list(range(5000))

    attach(server, coatcheck_container)
    async with coatcheck_client(server) as client:
        assert "@obj_" in (await client.call_tool("rows", {})).content[0].text
    assert len(coatcheck_container.store().list()) == 1
'''


def test_a_project_can_test_its_server_as_documented(tmp_path):
    page = (Path(__file__).parents[2] / "containers.md").read_text()
    block = next(
        each for each in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "async def test_" in each
    )
    backend = "\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    (tmp_path / "test_page.py").write_text(block + backend)
    (tmp_path / "test_mine.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:coatcheck", "-p", PLUGIN, "-W", "error", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "7 passed" in done.stdout, done.stdout + done.stderr


def test_pytest_finds_the_plugin_and_loads_no_heavy_module():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"coatcheck": PLUGIN}
    assert import_module(PLUGIN).coatcheck_container
    script = f"import pytest, sys; before = set(sys.modules); import {PLUGIN}; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"mcp", "pydantic", "dependency_injector", "coatcheck.containers"} & set(eval(done.stdout))
