import json
import os
import subprocess
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from tests.preloaded_python import PYTHON
from tests.results import text_of

EXAMPLES = Path(__file__).parents[2] / "examples"
LINES = ["INFO the tide comes in", "ERROR the lamp is out", "INFO a ship passes"] * 400


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lighthouse.log").write_text("\n".join(LINES))
    (tmp_path / "secret.txt").write_text("hidden")
    return tmp_path


def serve(*flags: str) -> list[str]:
    return [PYTHON, "-m", "coatcheck", "serve", "--toolset", "custom_toolset:TOOLSET", *flags]


@pytest.mark.anyio
async def test_the_toolset_is_served_with_its_settings(folder):
    command, *args = serve("--folder", str(folder))
    server = StdioServerParameters(command=command, args=args, env={"PYTHONPATH": str(EXAMPLES)})
    async with Client(stdio_client(server)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {"list_logs", "read_log", "count_levels", "object_store_grep"} <= tools.keys()
        assert list(tools["read_log"].input_schema["properties"]) == ["name"]
        assert "lighthouse.log" in text_of(await client.call_tool("list_logs", {}))
        assert (await client.call_tool("list_logs", {"folder": "/etc"})).is_error

        preview = text_of(await client.call_tool("read_log", {"name": "lighthouse.log"}))
        reference = preview.partition(":")[0]
        assert reference.startswith("@obj_")
        assert len(preview) <= 4000
        counted = await client.call_tool("count_levels", {"log": reference})
        assert json.loads(text_of(counted)) == {"INFO": 800, "ERROR": 400}

        refused = await client.call_tool("read_log", {"name": "secret.txt"})
        assert refused.is_error
        assert "There is no log named" in text_of(refused)


def test_an_invalid_setting_stops_it_with_a_reason(tmp_path):
    done = subprocess.run(
        serve("--folder", str(tmp_path / "nowhere")),
        env={**os.environ, "PYTHONPATH": str(EXAMPLES)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "folder" in done.stderr
    assert "Traceback" not in done.stderr
