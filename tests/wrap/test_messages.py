import subprocess
import sys

from coatcheck.calls.host_profiles import CLIENT_INFO
from coatcheck.cli.app import COMMANDS
from coatcheck.proxy.front.http_requests import application_of
from coatcheck.proxy.jsonrpc import parse


def test_integers_of_any_size_and_lone_surrogates_are_preserved():
    line = b'{"a":123456789012345678901234567890,"b":"\\ud800"}'
    assert parse(line) == {"a": 123456789012345678901234567890, "b": "\ud800"}
    assert parse(b"{nonsense") is None


def test_the_server_starts_before_anything_slow_is_imported():
    slow = {"mcp", "typer", "pydantic", "jsonschema", "asyncio", "orjson", "dependency_injector", "logging"}
    code = f"import sys, coatcheck.proxy.upstreams.process; print(sorted({slow} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
    # Nor before the client's handshake is forwarded and answered.
    slow -= {"typer", "asyncio", "orjson", "logging"}
    code = (
        "import sys, coatcheck.cli.wrap_runner as runner; from coatcheck.cli.app import app; "
        f"runner.run_wrap = lambda *_, **__: print(sorted({slow} & sys.modules.keys())); "
        "app(['wrap', '--verbose', '--redis-url', 'redis://localhost', '--', 'server', '--flag'])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_the_command_line_loads_no_event_loop_and_of_the_commands_only_the_one_that_is_used():
    modules = [f"coatcheck.cli.{module}" for module, _ in COMMANDS.values()]
    code = f"import sys, {', '.join(modules)}; print(sorted({{'asyncio', 'anyio', 'ssl'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
    for arguments, loaded in (["--help"], []), (["logout", "--help"], ["coatcheck.cli.login"]):
        code = (
            "import atexit, sys; from coatcheck.cli.app import app; "
            f"atexit.register(lambda: print(sorted({set(modules)} & sys.modules.keys()))); app({arguments})"
        )
        output = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
        assert output.splitlines()[-1] == str(loaded)


def test_fastapi_is_imported_when_code_of_the_user_does_it_and_injects_as_always():
    code = """
import sys
from coatcheck.cli.late_fastapi import LateFastAPI
if "late" in sys.argv:
    sys.meta_path.insert(0, LateFastAPI())
from coatcheck.containers import Container
print("fastapi" in sys.modules)
from dependency_injector.wiring import Provide, inject
from fastapi import Depends
@inject
def location(settings = Depends(Provide["settings"])):
    return settings.object_store_backend
Container().wire(modules=[__name__])
print(location())
"""
    for late in ([], ["late"]):
        output = subprocess.run([sys.executable, "-c", code, *late], capture_output=True, check=True, text=True).stdout
        assert output.split() == [str(not late), "memory"]


def test_the_remembered_client_information_is_bounded():
    def application_call(info):
        return application_of({"method": "tools/call", "params": {"_meta": {CLIENT_INFO: info}}})

    assert application_call({"name": "desk", "version": "2"}) == ("desk", "2")
    assert application_call({"name": "desk", "version": "2"}) != application_call({"name": "desk", "version": "3"})
    assert sum(map(len, application_call({"name": "x" * 1_000_000, "version": "y" * 1_000_000}))) <= 200
    assert application_call({"name": 10**5_000, "version": {"a": 1}}) == (
        "",
        "",
    )  # Python refuses to convert such a number
    assert application_call("desk") == ()
