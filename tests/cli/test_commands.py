import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest
import redis
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from coatcheck.cli.common_options import SettingsFlags, make_settings
from coatcheck.cli.listen_options import Listening, warn_of_open_tokens
from coatcheck.errors import SettingsError
from tests.command_line import CommandResult, run_here
from tests.ports import free_port, is_listening
from tests.preloaded_python import PYTHON
from tests.waiting import until

COATCHECK = [PYTHON, "-m", "coatcheck"]
HERE = Path(__file__).parent


def run(*arguments: str, env: dict[str, str] | None = None) -> CommandResult:
    return run_here(*arguments, environment={**os.environ, "NO_COLOR": "1", **(env or {})}, folder=Path.cwd())


def run_in_subprocess(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a separate process, with its own modules and logs."""
    environment = {**os.environ, "NO_COLOR": "1", **(env or {})}
    return subprocess.run(
        [*COATCHECK, *arguments], capture_output=True, text=True, input="", timeout=60, env=environment
    )


@pytest.mark.parametrize("command", [[], ["serve"], ["wrap"], ["doctor"]])
def test_every_command_has_help(command):
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("command", "described"),
    [
        (["wrap"], "COMMAND  The server's command and its arguments."),
        (["add"], "COMMAND  The server's command and its arguments."),
        (["install"], "CLIENT  claude-desktop,"),
        (["login"], "URL  The server's URL"),
        (["objects", "put"], "FILE  The file; - for standard input."),
        (["objects", "rm"], "ID  Ids, with or without @."),
    ],
)
def test_the_help_describes_arguments(command, described):
    _, found, after = run(*command, "--help").stdout.partition("\nArguments:\n")
    assert found
    assert described in after
    assert command[0] not in {"install", "add"} or "\n  --inline-limit NUMBER  " in after


def test_the_version_is_printed():
    done = run("--version")
    assert done.returncode == 0
    assert re.fullmatch(r"coatcheck \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["servee"], "No such command"),
        (["serve", "--prot", "1"], "Error: No such option: --prot. Did you mean --port?"),
        (["serve", "--port", "x"], "Invalid value for '--port': a whole number is expected."),
        (["serve", "--port", "65536"], "a number of at most 65535 is expected."),
        (["objects", "grep", "x", "obj_1", "-C", "-1"], "a number of at least 0 is expected."),
        (["serve", "--redis-ids", "long"], "'--redis-ids': 'long' is not one of 'uuid', 'short'."),
        (["serve", "--tool-prefix", "two words"], "tool_prefix: at most 40 letters (A to Z), digits, _ and - are"),
        (["serve", "--host-profile", "x"], "host_profile: 'auto', 'claude-code', "),
        (["serve", "--transport", "x"], 'There is no transport "x"'),
        (["serve", "--config", "/nowhere.toml"], "/nowhere.toml does not exist"),
        (["wrap", "--url", "x"], '"x" is not the URL of a server'),
        (["doctor", "--nonsense"], "No such option"),
        (["serve", "--tools", "a", "b"], "Error: b belongs to no option. The values of one are separated by commas"),
        (["wrap"], "Error: Name one thing to wrap"),
    ],
)
def test_wrong_usage_is_reported_on_stderr_with_exit_code_2(arguments, expected):
    done = run(*arguments)
    assert done.returncode == 2
    assert expected in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


SECRET = "hunter2"


@pytest.mark.parametrize(
    "command", [["serve"], ["doctor"], ["wrap", "--", PYTHON, "-c", "import sys; sys.stdin.read()"]]
)
@pytest.mark.parametrize(
    ("flags", "env", "expected"),
    [
        (
            ["--object-store-backend", "memroy"],
            {},
            "object_store_backend: there is no backend",
        ),
        (["--object-store-backend", "redis"], {}, "needs a URL: --redis-url or COATCHECK_REDIS_URL"),
        (
            [],
            {"COATCHECK_OBJECT_STORE_BACKEND": "redis", "COATCHECK_REDIS_URL": f"redis://:{SECRET}@127.0.0.1:1"},
            "127.0.0.1:1",
        ),
        (
            [],
            {"DEEPSET_OBJECT_STORE_BACKEND": "redis", "DEEPSET_REDIS_URL": f"redis://:{SECRET}@127.0.0.1:1"},
            "127.0.0.1:1",
        ),
        (["--object-store-ttl", "soon"], {}, "a number is expected"),
        (
            [],
            {"COATCHECK_OBJECT_STORE_TTL": "soon"},
            "object_store_ttl in COATCHECK_OBJECT_STORE_TTL: a number is expected",
        ),
        (["--config", "/nowhere.toml"], {}, "/nowhere.toml does not exist"),
        (["--config", "/usr"], {}, "The settings file /usr is not a file"),
        (["--object-store-backend", "redis", "--redis-url", f"redis://:{SECRET}@[::1"], {}, "cannot be read"),
        (["--object-store-backend", "redis", "--redis-url", f"mysql://:{SECRET}@h"], {}, "unknown scheme"),
    ],
)
def test_settings_that_do_not_work_are_reported_without_traceback_or_secret(command, flags, env, expected):
    position = command.index("--") if "--" in command else len(command)
    done = run(*command[:position], *flags, *command[position:], env=env)
    assert done.returncode in {1, 2}
    output = " ".join((done.stdout + done.stderr).split())
    assert expected in output.replace("│ ", "")
    assert "Traceback" not in output
    assert SECRET not in output
    if command != ["doctor"]:
        assert done.stdout == ""


def test_a_flag_overrides_a_variable_which_overrides_the_file_and_the_default(tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("object_store_ttl = 11\n")
    with_file = {"COATCHECK_CONFIG": str(file)}
    both = {**with_file, "COATCHECK_OBJECT_STORE_TTL": "22", "DEEPSET_OBJECT_STORE_TTL": "33"}
    assert "kept for 3600 s" in run("doctor").stdout
    assert "kept for 11 s" in run("doctor", env=with_file).stdout
    assert "kept for 11 s" in run("doctor", "--config", str(file)).stdout
    assert "kept for 33 s" in run("doctor", env={**with_file, "DEEPSET_OBJECT_STORE_TTL": "33"}).stdout
    assert "kept for 22 s" in run("doctor", env=both).stdout
    assert "kept for 0.5 s" in run("doctor", "--object-store-ttl", "0.5", env=both).stdout
    file.write_text("object_store_max_idle = 60\n")
    assert "kept for 3600 s, unused ones for 60 s" in run("doctor", env=with_file).stdout


def test_doctor_shows_the_graph_the_backend_and_how_fast_it_answers(redis_server):
    done = run(
        "doctor",
        env={
            "COATCHECK_OBJECT_STORE_BACKEND": "redis",
            "COATCHECK_REDIS_URL": redis_server.url,
            "COATCHECK_REDIS_TIMEOUT": "15",
        },
    )
    assert done.returncode == 0
    assert re.search(r"backend +ok +RedisBackend", done.stdout)
    assert re.search(r"store +ok +redis://\S+ answers in [\d.]+ ms", done.stdout)
    assert re.search(r"sandbox +ok +a worker started", done.stdout)
    assert re.search(
        r"store +Singleton ObjectStore ← codec, namespace, observation, settings, tenancy, \(backend\)", done.stdout
    )


def test_doctor_reports_faults_and_fails():
    done = run("doctor", env={"COATCHECK_OBJECT_STORE_BACKEND": "redis", "COATCHECK_REDIS_URL": "redis://127.0.0.1:1"})
    assert done.returncode == 1
    assert re.search(r"store +failed .*127\.0\.0\.1:1", done.stdout)
    assert re.search(r"sandbox +ok", done.stdout)


@pytest.mark.parametrize(
    ("denied", "says"), [("set", "does not let this user"), ("getrange", "does not let"), ("unlink", "does not let")]
)
def test_doctor_finds_that_a_user_of_redis_lacks_a_right(redis_server, denied, says):
    with redis.Redis.from_url(redis_server.url) as bare:
        bare.acl_setuser(
            "few", enabled=True, reset=True, categories=["+@all"], commands=[f"-{denied}"], keys=["*"], nopass=True
        )
        url = redis_server.url.replace("redis://", "redis://few:any@")
        variables = {"OBJECT_STORE_BACKEND": "redis", "REDIS_URL": url, "REDIS_PREFIX": f"without-{denied}:"}
        done = run("doctor", env={f"COATCHECK_{name}": value for name, value in variables.items()})
        assert len(bare.keys(f"without-{denied}:*")) == (denied == "unlink")
        bare.acl_deluser("few")
    assert done.returncode == 1
    assert re.search(rf"store +failed .*{says}", done.stdout)


def test_doctor_finds_that_nothing_can_be_stored_and_leaves_nothing_behind(tmp_path):
    file = ["--object-store-backend", "sqlite", "--sqlite-path", str(tmp_path / "objects.sqlite")]
    done = run("doctor", *file, "--max-object-bytes", "1")
    assert done.returncode == 1
    assert re.search(r"store +failed .*more than the 1 bytes an object may have", done.stdout)
    assert run("doctor", *file).returncode == 0
    assert "no objects are stored" in run("objects", "ls", "--all-namespaces", *file).stderr


def test_no_color_is_respected_on_a_terminal():
    coatcheck_output, theirs = pty.openpty()
    with os.fdopen(coatcheck_output, "rb", buffering=0) as terminal:
        subprocess.run(
            [*COATCHECK, "doctor"], stdout=theirs, check=True, timeout=60, env={**os.environ, "NO_COLOR": "1"}
        )
        os.close(theirs)
        output = terminal.read(60_000)
    assert b"settings  ok" in output
    assert b"\x1b" not in output


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        (f"redis://:{SECRET}@127.0.0.1:1", True),
        (f"redis://127.0.0.1:1?password={SECRET}", True),
        (f"redis+sentinel://127.0.0.1:1,127.0.0.1:2/x?sentinel_password={SECRET}", True),
        (f"redis+cluster://u:{SECRET}@127.0.0.1:1,127.0.0.1:2", True),
        (f"redis://:{SECRET}@[::1", True),
        ("redis://user@127.0.0.1:1?sentinel_password=", False),
        ("redis://127.0.0.1:1,127.0.0.1:2/0?db=1", False),
        ("redis://[::1", False),
    ],
)
def test_a_password_on_the_command_line_causes_a_warning_that_does_not_repeat_it(url, warned, capsys):
    make_settings(SettingsFlags(None, {"object_store_backend": "redis", "redis_url": url}))
    output = "".join(capsys.readouterr())
    assert ("can be read in the process list; set COATCHECK_REDIS_URL" in output) is warned
    assert SECRET not in output


async def _check_served(client: Client) -> None:
    tools = {tool.name for tool in (await client.list_tools()).tools}
    assert {"object_store_get", "object_store_query", "object_store_put"} <= tools
    stored = await client.call_tool("object_store_put", {"value": {"a": [1, 2, 3]}})
    reference = re.search(r"@obj_[A-Za-z0-9_-]+", stored.content[0].text)
    assert reference
    found = await client.call_tool("object_store_query", {"object_id": reference.group(), "filter": ".a | add"})
    assert found.content[0].text == "6"


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_serve_works_over_stdio_with_both_protocols(mode):
    parameters = StdioServerParameters(command=COATCHECK[0], args=[*COATCHECK[1:], "serve"])
    async with Client(stdio_client(parameters), mode=mode) as client:
        await _check_served(client)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_serve_works_over_http_with_both_protocols(mode):
    port = free_port()
    process = await anyio.open_process(
        [*COATCHECK, "serve", "--transport", "streamable-http", "--port", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        await until(lambda: is_listening(port), "the server listens")
        async with Client(streamable_http_client(f"http://127.0.0.1:{port}/mcp"), mode=mode) as client:
            await _check_served(client)
            # Without authentication the id is the only protection, so there is no listing.
            listed = await client.call_tool("object_store_list", {})
            assert listed.is_error
            assert "without authentication" in listed.content[0].text
    finally:
        process.terminate()
        assert await process.wait() in {0, -15, 143}
        await process.aclose()


def test_an_address_that_is_reachable_from_outside_needs_an_explicit_flag():
    with pytest.raises(SettingsError, match="--unprotected"):
        Listening("streamable-http", "0.0.0.0", 8000)
    Listening("streamable-http", "0.0.0.0", 8000, unprotected=True)
    Listening("streamable-http", "127.0.0.2", 8000)
    Listening("sse", "localhost", 8000)
    with pytest.raises(SettingsError, match="There is no transport"):
        Listening("http", "127.0.0.1", 8000)


@pytest.mark.parametrize(
    ("host", "authenticated", "warned"),
    [("0.0.0.0", True, True), ("127.0.0.1", True, False), ("0.0.0.0", False, False)],
)
def test_tokens_over_plain_http_cause_a_warning(host, authenticated, warned, caplog):
    warn_of_open_tokens(Listening("sse", host, 8000, authenticated=authenticated, unprotected=True))
    assert ("put a TLS proxy in front of 0.0.0.0" in caplog.text) is warned


TOOLSET = '''
from pydantic import BaseModel, Field
from coatcheck.tool_factory import MemoryType, ToolConfig
from coatcheck.toolsets import Toolset

class Options(BaseModel):
    greeting: str = Field(description="What to say first.")
    times: int = 1

def tools(options):
    def greet(name: str) -> str:
        """Greet a person."""
        return (options.greeting + " " + name + "! ") * options.times
    return {"greet": (greet, ToolConfig(memory_type=MemoryType.BOTH))}

toolset = Toolset("greetings", tools, Options)
class Inside:
    toolset = toolset
not_one = 5
bare = Toolset("bare", dict)
'''


@pytest.fixture
def own_module(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "greetings_module.py").write_text(TOOLSET)
    return {"PYTHONPATH": str(tmp_path)}


@pytest.mark.anyio
async def test_a_custom_toolset_is_served_with_its_settings_as_flags(own_module: dict[str, Any]):
    flags = ["--toolset", "greetings_module:toolset", "--greeting", "Hello", "--times=2"]
    parameters = StdioServerParameters(command=COATCHECK[0], args=[*COATCHECK[1:], "serve", *flags], env=own_module)
    async with Client(stdio_client(parameters)) as client:
        answer = await client.call_tool("greet", {"name": "Ann"})
        assert "Hello Ann! Hello Ann! " in answer.content[0].text
        assert "object_store_get" in {tool.name for tool in (await client.list_tools()).tools}


def test_the_help_lists_the_flags_of_preceding_toolsets(own_module: dict[str, Any]):
    asked = ["--toolset", "greetings_module:toolset", "--toolset", "greetings_module:bare"]
    helped = run("serve", *asked, "--help", env=own_module)
    assert helped.returncode == 0
    usual, _, added = helped.stdout.partition("Toolset greetings:")
    assert "--transport" in usual
    assert re.search(r"--greeting VALUE +What to say first\.\n +--times VALUE", added)
    assert re.search(r"Toolset bare:\n +It has no flags of its own\.", added)
    assert run("serve", "--help").stdout == usual.rstrip() + "\n"
    unknown = run("serve", "--toolset", "nowhere", "--help")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "There is no toolset nowhere" in unknown.stderr


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--port", "9000"], "--host, --port and --unprotected require --transport streamable-http."),
        (["--toolset", "nowhere"], "There is no toolset nowhere"),
        (["--toolset", "no_module:x"], "cannot be loaded: ModuleNotFoundError"),
        (["--toolset", "greetings_module:not_one"], "is not a toolset"),
        (["--toolset", "greetings_module:"], "is given as module:attribute"),
        (["--toolset", "two words:x"], "is given as module:attribute"),
        (["--toolset", "greetings_module:Inside.toolset"], "greeting (--greeting): it is missing"),
        (["--toolset", "greetings_module:toolset"], "greeting (--greeting): it is missing"),
        (["--toolset", "greetings_module:toolset", "--greetin", "x"], "Did you mean --greeting?"),
        (["--toolset", "greetings_module:toolset", "--greeting"], "requires a value"),
        (["--toolset", "greetings_module:toolset", "--zzz"], "are: --greeting, --times."),
        (
            ["--toolset", "greetings_module:toolset", "--greeting", "x", "--times", "many"],
            "times: a whole number is expected",
        ),
        (["--tool", "object_store_gte"], "object_store_get"),
    ],
)
def test_an_invalid_toolset_or_tool_is_reported_clearly(own_module, flags, expected):
    done = run("serve", *flags, env=own_module)
    assert done.returncode in {1, 2}
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.anyio
async def test_only_the_selected_tools_are_served():
    parameters = StdioServerParameters(
        command=COATCHECK[0], args=[*COATCHECK[1:], "serve", "--tool", "object_store_get"]
    )
    async with Client(stdio_client(parameters)) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["object_store_get"]


def test_serve_exits_when_its_input_ends():
    assert run("serve").returncode == 0


@pytest.mark.parametrize(
    ("flag", "value", "backend"), [("--redis-url", "redis://127.0.0.1:1", "redis"), ("--sqlite-path", "x.db", "sqlite")]
)
def test_an_option_of_another_backend_is_reported(flag, value, backend):
    done = run("serve", flag, value)
    assert done.returncode == 0
    assert f"{flag} has no effect with the backend memory; add --object-store-backend {backend}." in done.stderr
