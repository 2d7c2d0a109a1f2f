"""Servers that require OAuth: a real authorization server on loopback, and a browser that presses the button."""

import json
import os
import re
import shlex
import stat
import subprocess
import urllib.request
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.browsers import chromium
from tests.command_line import run_here
from tests.ports import free_port, wait_until_listening
from tests.preloaded_python import PYTHON
from tests.waiting import until

HERE = Path(__file__).parent
pytestmark = pytest.mark.anyio
COATCHECK = [PYTHON, "-m", "coatcheck"]


@pytest.fixture(scope="module")
def start():
    """Returns the URL of a new authorization server; tests with the same options share one, which is reset."""
    started = {}

    def begin(*, token_seconds=3600, refuse=False):
        options = token_seconds, refuse
        if options not in started:
            port = free_port()
            command = [PYTHON, str(HERE / "authorization_server.py"), str(port), str(token_seconds)]
            process = subprocess.Popen([*command, *(["refuse"] if refuse else [])])
            started[options] = process, f"http://127.0.0.1:{port}/mcp"
            wait_until_listening(port, process)
        _, url = started[options]
        post(url, "/reset")
        return url

    yield begin
    for process, _ in started.values():
        process.kill()
        process.wait()


@pytest.fixture
def user(tmp_path):
    """The environment of a user with a browser and without a keyring."""
    browser = f"{PYTHON} {HERE / 'browser.py'} %s"
    return {
        **os.environ,
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path / "data"),
        "BROWSER": browser,
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }


def log(url):
    with urllib.request.urlopen(url.replace("/mcp", "/log"), timeout=10) as answer:
        return [line.split()[0] if line.startswith(("register", "authorize")) else line for line in json.load(answer)]


def post(url, path):
    request = urllib.request.Request(url.replace("/mcp", path), data=b"", method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def run(*arguments, user):
    return run_here(*arguments, environment=user, folder=Path(user["HOME"]))


def run_in_subprocess(*arguments, user):
    """Run a command in a separate process, which looks for a keyring."""
    return subprocess.run(
        [*COATCHECK, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, env=user
    )


def initialize_wrap(*arguments, user):
    """Run `wrap`, send one `initialize`, and wait for its exit."""
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    ask = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    command = [*COATCHECK, "wrap", *arguments]
    return subprocess.run(command, input=ask + "\n", capture_output=True, text=True, timeout=120, env=user)


def wrapped(*arguments, user):
    parameters = StdioServerParameters(command=COATCHECK[0], args=[*COATCHECK[1:], "wrap", *arguments], env=user)
    return Client(stdio_client(parameters))


async def length_of(client, size):
    result = await client.call_tool("text", {"size": size})
    return len(result.content[0].text), result.content[0].text


async def connect(url, user):
    async with wrapped("--url", url, user=user) as client:
        await client.list_tools()


def stored(user):
    files = list(Path(user["XDG_DATA_HOME"]).rglob("*.json"))
    return [json.loads(path.read_text()) for path in files], files


async def test_a_401_with_oauth_metadata_starts_a_sign_in_in_the_browser_and_the_call_continues(start, user):
    url = start()
    with anyio.fail_after(120):
        async with wrapped("--url", url, user=user) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} >= {"text", "object_store_get"}
            assert (await length_of(client, 500))[0] == 500
            assert "@obj_" in (await length_of(client, 50_000))[1]
        assert log(url) == ["register", "authorize", "token code"]
        async with wrapped("--url", url, user=user) as client:
            assert (await length_of(client, 500))[0] == 500
    assert log(url) == ["register", "authorize", "token code"]  # the second process used the token of the first


def test_login_signs_in_status_shows_it_and_logout_revokes(start, user):
    url = start()
    done = run("login", url, user=user)
    assert (done.returncode, done.stdout) == (0, f"Signed in at {url}.\n"), done.stderr
    assert re.search(r"sign in on this page.*\nhttp://127\.0\.0\.1:\d+/authorize\?", done.stderr)
    assert "code_challenge_method=S256" in done.stderr
    again = run("login", url, user=user)
    assert again.stdout == f"Signed in at {url}.\n"
    assert log(url) == ["register", "authorize", "token code"]
    assert f"  {url}  signed in; the token is valid until" in run("status", user=user).stdout
    out = run("logout", url, user=user)
    assert out.stdout == f"The sign-in at {url} is forgotten and revoked.\n"
    assert log(url)[-1] == "revoke"
    assert url not in run("status", user=user).stdout
    twice = run("logout", url, user=user)
    assert (twice.returncode, twice.stderr) == (1, f"coatcheck: There is no sign-in at {url}. Sign-ins: none.\n")


def test_a_real_browser_signs_in(start, user, tmp_path):
    url = start()
    script = tmp_path / "browser"
    # It exits when the page is idle, with a virtual time budget for its timers.
    command = [*chromium(tmp_path / "profile"), "--dump-dom", "--virtual-time-budget=20000"]
    script.write_text(f'#!/bin/sh\n{shlex.join(command)} "$1" > {tmp_path / "page.html"} 2> {os.devnull}\n')
    script.chmod(0o700)
    done = run("login", url, user={**user, "BROWSER": f"{script} %s"})
    assert (done.returncode, done.stdout) == (0, f"Signed in at {url}.\n"), done.stderr
    assert log(url) == ["register", "authorize", "token code"]
    assert f"  {url}  signed in" in run("status", user=user).stdout
    assert run("logout", url, user=user).returncode == 0
    assert log(url)[-1] == "revoke"


def test_tokens_are_saved_in_a_private_file_and_never_shown(start, user):
    url = start()
    output = run("login", url, user=user)
    (sign_in,), (path,) = stored(user)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    shown = output.stdout + output.stderr + run("status", user=user).stdout
    assert sign_in["tokens"]["access_token"] not in shown
    assert sign_in["tokens"]["refresh_token"] not in shown


async def test_an_expired_token_is_refreshed_without_the_browser_also_after_a_restart(start, user):
    url = start(token_seconds=5)  # less than the reserve: expired immediately
    run_in_subprocess("login", url, user=user)
    user["BROWSER"] = "false %s"
    with anyio.fail_after(120):
        async with wrapped("--url", url, user=user) as client:
            assert (await length_of(client, 500))[0] == 500
    entries = log(url)
    assert entries[:3] == ["register", "authorize", "token code"]
    assert set(entries[3:]) == {"token refresh"}


async def test_an_invalidated_token_is_refreshed_and_the_call_is_repeated(start, user):
    url = start()
    with anyio.fail_after(120):
        async with wrapped("--url", url, user=user) as client:
            assert (await length_of(client, 500))[0] == 500
            post(url, "/forget")
            assert (await length_of(client, 600))[0] == 600
    assert log(url) == ["register", "authorize", "token code", "token refresh"]


async def test_two_concurrent_processes_open_one_browser_window(start, user):
    url = start()
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(connect, url, user)
    assert log(url).count("authorize") == 1


async def test_a_gateway_signs_in_to_its_servers(start, user, tmp_path):
    url = start()
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"far": {"type": "http", "url": url}}}))
    with anyio.fail_after(120):
        async with wrapped("--servers", str(path), user=user) as client:

            async def joined() -> bool:
                return any(tool.name.endswith("text") for tool in (await client.list_tools()).tools)

            await until(joined, "the server has joined", interval=0.2)  # a slow server joins later
    assert log(url) == ["register", "authorize", "token code"]


def test_a_refused_sign_in_is_reported_once_and_opens_no_second_window(start, user):
    url = start(refuse=True)
    done = run_in_subprocess("login", url, user=user)
    assert done.returncode == 1
    assert 'it was refused: "No."' in done.stderr
    assert "Traceback" not in done.stderr
    assert log(url).count("authorize") == 1


def test_without_a_browser_the_sign_in_command_is_named(start, user):
    url = start()
    user |= {"BROWSER": "", "PATH": "/nowhere"}
    user.pop("DISPLAY", None)
    done = initialize_wrap("--url", url, user=user)
    assert f"run `coatcheck login {url}` in a terminal" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Sign in with `coatcheck login URL`" in json.loads(done.stdout)["error"]["message"]


@pytest.mark.parametrize("arguments", [["--no-oauth"], ["--header", "Authorization: Bearer $TOKEN"]])
def test_no_window_opens_if_the_user_disabled_it(start, user, arguments):
    url = start()
    user["TOKEN"] = "wrong"
    done = initialize_wrap("--url", url, *arguments, user=user)
    assert "401" in json.loads(done.stdout)["error"]["message"]
    assert log(url) == []


async def test_with_a_keyring_the_tokens_are_saved_in_it_and_not_in_the_file(start, user, tmp_path):
    url = start()
    user |= {"PYTHONPATH": str(HERE), "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring"}
    user["KEYRING_FILE"] = str(tmp_path / "keyring.json")
    run_in_subprocess("login", url, user=user)
    assert stored(user)[0] == [{"url": url, "keyring": True}]
    (kept,) = json.loads((tmp_path / "keyring.json").read_text()).values()
    assert json.loads(kept)["tokens"]["access_token"]
    with anyio.fail_after(60):
        await connect(url, user)
    assert log(url) == ["register", "authorize", "token code"]
    assert "signed in" in run_in_subprocess("status", user=user).stdout
    run_in_subprocess("logout", url, user=user)
    assert json.loads((tmp_path / "keyring.json").read_text()) == {}
