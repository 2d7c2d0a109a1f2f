"""``--container module:attribute``: a user's container in serve, wrap and doctor."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.preloaded_python import PYTHON

SERVER = Path(__file__).parents[1] / "degradation" / "small_server.py"
MODULE = """
from dependency_injector import containers, providers
from coatcheck import Container, InMemoryBackend, Settings

class Loud(InMemoryBackend):
    def set(self, key, value, ttl_seconds):
        with open("calls", "a") as file:
            file.write("set\\n")
        super().set(key, value, ttl_seconds)

mine = Container(settings=Settings(preview_limit=700), backend=providers.ThreadSafeSingleton(Loud))

class Host(containers.DeclarativeContainer):
    coat = providers.Container(Container, settings=Settings(), backend=providers.ThreadSafeSingleton(Loud))

host = Host()

class Two(containers.DeclarativeContainer):
    first = providers.Container(Container, settings=Settings())
    second = providers.Container(Container, settings=Settings())

two = Two()
number = 5

def make():
    return mine
"""

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mymodule.py").write_text(MODULE)
    return tmp_path


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith(("COATCHECK_", "DEEPSET_"))}


def doctor(folder, *arguments):
    return subprocess.run(
        [PYTHON, "-m", "coatcheck", "doctor", *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("place", ["mymodule:mine", "mymodule:make", "mymodule:host", "mymodule:host.coat"])
def test_doctor_checks_the_container(folder, place):
    done = doctor(folder, "--container", place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "backend   ok  Loud" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--container", "mymodule"], "takes module:attribute, not 'mymodule'"),
        (["--container", "nowhere:x"], "cannot be loaded: ModuleNotFoundError"),
        (["--container", "mymodule:yours"], "cannot be loaded: AttributeError"),
        (
            ["--container", "mymodule:number"],
            "failed  mymodule:number is not a coatcheck container but int: it must be",
        ),
        (["--container", "mymodule:two"], "several coatcheck containers; name one of them: mymodule:two.first"),
        (["--container", "mymodule:mine", "--object-store-ttl", "5"], "so --object-store-ttl would have no effect"),
    ],
)
def test_an_invalid_container_option_is_reported(folder, arguments, says):
    done = doctor(folder, *arguments)
    assert done.returncode == 2
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["wrap", "serve"])
async def test_servers_store_their_objects_in_the_container(folder, command):
    behind = ["--", PYTHON, str(SERVER)] if command == "wrap" else []
    parameters = StdioServerParameters(
        command=PYTHON,
        args=["-m", "coatcheck", command, "--container", "mymodule:mine", *behind],
        env=environment(),
        cwd=folder,
    )
    async with Client(stdio_client(parameters)) as client:
        if command == "wrap":
            text = (await client.call_tool("lines", {"count": 5000})).content[0].text
            assert len(text) <= 700
        else:
            text = (await client.call_tool("object_store_put", {"value": [1, 2]})).content[0].text
        assert re.search(r"@obj_\w+", text)
    assert (folder / "calls").read_text() == "set\n"
