import asyncio
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.backends import InMemoryBackend
from coatcheck.calls.host_profiles import CLIENT_INFO
from coatcheck.calls.interceptor import Interceptor
from coatcheck.cli.app import COMMANDS
from coatcheck.codec import replace_escaped_surrogates
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.front.http_requests import application_of
from coatcheck.proxy.front.repaired_requests import readable_request
from coatcheck.proxy.jsonrpc import parse
from coatcheck.proxy.request_lines import repaired
from tests.waiting import until


def test_integers_of_any_size_and_lone_surrogates_are_preserved():
    line = b'{"a":123456789012345678901234567890,"b":"\\ud800"}'
    assert parse(line) == {"a": 123456789012345678901234567890, "b": "\ud800"}
    assert parse(b"{nonsense") is None


@given(st.lists(st.sampled_from(["a", "é", "\\\\", "\\n", "\\ud83d", "\\uDE00", "\\u00e9", "ud83d"]), max_size=12))
def test_a_long_line_is_repaired_like_a_short_one(parts):
    line = f'{{"a":"{"".join(parts)}"}}'
    assert asyncio.run(repaired(line.encode())).decode() == replace_escaped_surrogates(line)


def sent_by(lines: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """Return what the client and the server receive if the client sends these lines."""

    async def scenario() -> tuple[list[bytes], list[bytes]]:
        to_client: list[bytes] = []
        to_server: list[bytes] = []
        ready = asyncio.get_running_loop().create_future()
        ready.set_result(Interceptor(Explorer(ObjectStore(InMemoryBackend()))))
        sent = Conversation(
            to_client.append, lambda line, _: to_server.append(line), ready, on_stray_output=to_client.append
        )
        for number, line in enumerate(lines, 1):
            sent.from_client(line)
            await until(lambda number=number: len(to_client + to_server) == number, "the line has passed")
        return to_client, to_server

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_id", "line", "seen"),
    [
        (
            0,
            b'{"jsonrpc":"2.0","id":"0","result":{"content":[]}}\n',
            b'{"jsonrpc":"2.0","id":0,"result":{"content":[]}}\n',
        ),
        (7, b'{"jsonrpc":"2.0","id":"7","error":{"code":1,"message":"no"}}', None),
        (7, b'[{"jsonrpc":"2.0","id":"7","result":{"content":[]}}]\n', None),
        (7, b'{"jsonrpc":"2.0","id":"7x","result":{"content":[]}}\n', b""),
        (0, b'{"jsonrpc":"2.0","id":"","result":{"content":[]}}\n', b""),
        ("7", b'{"jsonrpc":"2.0","id":7,"result":{"content":[]}}\n', b""),
        (
            7,
            b'{"jsonrpc":"2.0","id":7,"result":{"content":[],"structuredContent":{"a":[NaN,-Infinity]}}}\n',
            b'{"jsonrpc":"2.0","id":7,"result":{"content":[],"structuredContent":{"a":[null,null]}}}\n',
        ),
        (
            7,
            b'{"jsonrpc":"2.0","id":7, "result":{"content":[],"structuredContent":{"a":"NaN","b":1.50}}}\n',
            b'{"jsonrpc":"2.0","id":7, "result":{"content":[],"structuredContent":{"a":"NaN","b":1.50}}}\n',
        ),
    ],
)
def test_a_response_that_only_some_clients_accept_is_repaired(request_id, line, seen):
    """JavaScript clients read no NaN; the official clients accept the id of a request as a string."""

    async def scenario() -> list[bytes]:
        to_client: list[bytes] = []
        ready = asyncio.get_running_loop().create_future()
        ready.set_result(Interceptor(Explorer(ObjectStore(InMemoryBackend()))))
        sent = Conversation(to_client.append, lambda *_: None, ready, on_stray_output=to_client.append)
        call = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": {"name": "f", "arguments": {}}}
        sent.from_client(json.dumps(call).encode())
        sent.from_server(line)
        await sent.finish_work()
        return to_client

    passed = asyncio.run(scenario())
    if seen is None:
        assert [json.loads(each)["id"] for each in passed] == [request_id]
    else:
        assert passed == ([seen] if seen else [])


LONG = b"a" * 1_100_000
CALL = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"f","arguments":{"value":%b}}}\n'
ID_LAST = b'{"method":"tools/call","params":{"name":"f","arguments":{"value":%b}},"jsonrpc":"2.0","id":7}\n'


@pytest.mark.parametrize("call", [CALL, ID_LAST], ids=["id first", "id last"])
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (b"[" * 3_000 + b'"@obj_001"' + b"]" * 3_000, "nested too deeply"),
        (b"[" * 3_000 + b'"%b"' % LONG + b"]" * 3_000, "nested too deeply"),
        (b'"a\0b"', "not valid JSON"),
        (b"[1,", "not valid JSON"),
        (b'"%b' % LONG, "not valid JSON"),
    ],
    ids=["deep", "long and deep", "null byte", "cut off", "long and cut off"],
)
def test_a_request_that_cannot_be_read_gets_an_error(call, value, fault):
    """Official servers drop its line, and answer never."""
    (answered,), passed = sent_by([call % value])
    assert passed == []
    assert json.loads(answered)["id"] == 7
    assert fault in json.loads(answered)["error"]["message"]


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b'{"jsonrpc":"2.0","method":"notifications/x","params":{"x":}}\n',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9"id":9}}\n',
        b'{"jsonrpc":"2.0","id":7,"result":{"x":}}\n',
        CALL % b"[1,",
    ],
    ids=["not JSON", "notification", "notification with an id inside", "response", "of a pending id"],
)
def test_another_line_that_cannot_be_read_passes_unchanged(line):
    pending = CALL % b'"x"'
    assert sent_by([pending, line]) == ([], [pending, line])


@pytest.mark.parametrize("size", [10, len(LONG)])
def test_lone_surrogates_and_a_byte_order_mark_are_repaired_in_lines_of_any_length(size):
    value = b'"%b\\ud800"' % LONG[:size]
    assert sent_by([b"\xef\xbb\xbf" + CALL % value]) == ([], [CALL % value.replace(b"d800", b"fffd")])


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


@pytest.mark.parametrize("size", [10, len(LONG)])
def test_a_server_of_our_own_reads_requests_of_any_length_without_lone_surrogates(size):
    line = CALL % (b'"%b\\ud800"' % LONG[:size])
    assert json.loads(readable_request(line))["params"]["arguments"]["value"] == LONG[:size].decode() + "\ufffd"
