"""Hostile bytes for everything that parses external input; the same targets as ``make fuzz``."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coatcheck.backends import InMemoryBackend
from coatcheck.object_store import ObjectStore
from tests.preloaded_python import PYTHON

FUZZ = Path(__file__).parents[2] / "fuzz"
sys.path.insert(0, str(FUZZ))

from targets import TARGETS  # noqa: E402

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("@obj_001.items[0]"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
blocks = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "resource", "resource_link", "other"]) | json_values},
    optional={"text": st.text() | json_values, "data": st.text() | json_values, "resource": json_values},
)
results = st.fixed_dictionaries(
    {"content": st.lists(blocks | json_values, max_size=6) | json_values},
    optional={
        "structuredContent": json_values,
        "isError": json_values,
        "_meta": json_values,
        "resultType": json_values,
    },
)
sound_facts = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["json", "text", "result"]),
        "size": st.integers(0, 10),
        "type": st.sampled_from(["object", "array", "string", "null"]),
        "version": st.just(1),
    },
    optional={"careful": st.booleans(), "tool": st.text(max_size=300), "media_type": st.text(max_size=300)},
)
envelopes = st.builds(
    lambda facts, payload: json.dumps(facts).encode() + b"\n" + payload,
    sound_facts
    | st.fixed_dictionaries(
        {"kind": st.sampled_from(["json", "text", "result"]) | json_values, "version": st.just(1) | json_values},
        optional=dict.fromkeys(
            ("size", "type", "length", "created", "tool", "media_type", "careful", "unknown"), json_values
        )
        | {"careful": st.booleans()},
    ),
    st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()),
)
messages: dict[str, Any] = {
    "id": st.integers(0, 3) | json_values,
    "method": st.sampled_from(
        ["tools/call", "tools/list", "initialize", "resources/read", "resources/list", "notifications/cancelled"]
    )
    | json_values,
    "params": st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(["tool", "object_store_get", "object_store_put"]) | json_values,
            "arguments": json_values,
            "uri": st.just("coatcheck://objects/obj_001") | json_values,
            "requestId": st.integers(0, 3) | json_values,
            "_meta": json_values,
        },
    )
    | json_values,
    "result": results | json_values,
    "error": json_values,
}
schema_parts = st.recursive(
    st.booleans() | st.sampled_from([{}, {"$ref": "#/$defs/a"}, {"$ref": "#"}, {"type": "array"}]) | json_values,
    lambda inner: st.dictionaries(
        st.sampled_from(
            [
                "type",
                "anyOf",
                "allOf",
                "oneOf",
                "enum",
                "const",
                "properties",
                "items",
                "prefixItems",
                "additionalProperties",
                "$defs",
                "a",
                "value",
                "required",
                "nullable",
                "pattern",
                "$ref",
                "x-fastmcp-wrap-result",
            ]
        ),
        inner | st.lists(inner, max_size=3) | st.sampled_from(["object", "array", "string", "#/$defs/a"]),
        max_size=4,
    ),
    max_leaves=20,
)
paths = st.text("@obj_1.items[]\"'\\:-0123 näme$", max_size=40).map(str.encode)
LIKELY: dict[str, Any] = {
    "grammar": paths,
    "walking": paths,
    "envelope": envelopes,
    "codec": json_values.map(lambda value: json.dumps(value).encode()),
    "arguments": json_values.map(lambda value: json.dumps(value).encode()),
    "schemas": schema_parts.map(lambda value: json.dumps(value).encode()),
    "results": results.map(lambda value: json.dumps(value).encode()),
    "windows": st.builds(
        lambda sizes, value, indent: sizes + json.dumps(value, indent=indent).encode(),
        st.binary(min_size=2, max_size=2),
        json_values,
        st.none() | st.just(1),
    ),
    "filters": st.text(".itemsnv[]\"'\\\\:-01 |$(){}=#,@\n", max_size=40).map(str.encode),
    "samples": json_values.map(lambda value: json.dumps(value).encode()),
    "texts": st.text(alphabet="[]{}(),:;'\"\n\t\\ aN1.-|#`<>=/+@", max_size=300).map(str.encode),
    "wire": st.lists(
        st.builds(
            lambda side, message: side + json.dumps(message).encode(),
            st.sampled_from([b"c", b"s"]),
            st.fixed_dictionaries({"jsonrpc": st.just("2.0")}, optional=messages),
        ),
        max_size=6,
    ).map(b"\n".join),
}
KEPT = [(name, path) for name in TARGETS for path in sorted((FUZZ / "corpus" / name).iterdir())]


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_bytes_are_refused_or_read_and_never_crash(name):
    many = 12 if name == "wire" else 50  # a whole session each time

    @settings(max_examples=many, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=300) | LIKELY[name])
    def check(data: bytes) -> None:
        TARGETS[name](data)

    check()


@pytest.mark.parametrize(("name", "path"), KEPT, ids=lambda part: part if isinstance(part, str) else part.name)
def test_every_input_of_the_corpus_passes(name, path):
    TARGETS[name](path.read_bytes())


GREETING = {
    "jsonrpc": "2.0",
    "id": "hello",
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
LAST = {"jsonrpc": "2.0", "id": "last", "method": "tools/list"}


def call(name: Any, arguments: Any, number: Any = 5) -> bytes:
    params = {"name": name, "arguments": arguments}
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode()


MALFORMED = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"5",
    b'"text"',
    b"\x00\xff\xfe",
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":'
    + b"[" * 5000
    + b"]" * 5000
    + b"}}",
    b'{"jsonrpc":"1.0","id":1,"method":"x"}',
    b'{"jsonrpc":"2.0"}',
    b'{"jsonrpc":"2.0","id":{},"method":"tools/list"}',
    b'{"jsonrpc":"2.0","id":null,"method":"tools/list"}',
    b'{"jsonrpc":"2.0","id":1e999,"method":"tools/list"}',
    b'{"jsonrpc":"2.0","id":1,"method":5}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":{},"arguments":[]}}',
    b'{"jsonrpc":"2.0","id":7,"result":{}}',
    b'{"jsonrpc":"2.0","id":8,"error":{"code":"x"}}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"nobody"}}',
    b'{"jsonrpc":"2.0","method":"notifications/progress","params":null}',
    b'{"jsonrpc":"2.0","id":9,"method":"resources/read","params":{"uri":"coatcheck://objects/../x"}}',
    b'{"jsonrpc":"2.0","id":10,"method":"resources/read","params":{"uri":5}}',
    b'{"jsonrpc":"2.0","id":11,"method":"\xed\xa0\x80"}',
    b'{"jsonrpc":"2.0","id":"\\ud800","method":"tools/list"}',
    call("object_store_get", {"object_id": "@obj_1" + "[0]" * 2000}),
    call("object_store_get", {"object_id": 5, "path": {}}),
    call("object_store_get", {"object_id": "\ud800"}),
    call("object_store_put", {"value": {"x": ["@obj_missing"] * 1000}}),
    call("object_store_grep", {"object_id": "@obj_x", "pattern": "(" * 10_000}),
    call("\x00" * 1000, {}),
    b'{"jsonrpc":"2.0","id":12,"method":"tools/list","params":{"cursor":' + b"9" * 5000 + b"}}",
    b"x" * 3_000_000,
]
QUIET_SERVER = """
import json, sys
for line in sys.stdin.buffer:
    try:
        message = json.loads(line)
        method, number = message["method"], message["id"]
    except Exception:
        continue
    if method == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "q", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}
    else:
        result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)
"""
SERVERS = {"serve": ["serve"], "wrap": ["wrap", "--", PYTHON, "-c", QUIET_SERVER]}


def output_of(arguments: list[str], lines: list[bytes]) -> subprocess.CompletedProcess[bytes]:
    """Return the output of a server for some lines; it must not exit before it has answered the last one."""
    opening = [json.dumps(GREETING).encode(), b'{"jsonrpc":"2.0","method":"notifications/initialized"}']
    command = [PYTHON, "-m", "coatcheck", *arguments]
    pipe = subprocess.PIPE
    environment = {**os.environ, "NO_COLOR": "1"}
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment) as server:
        too_long = threading.Timer(120, server.kill)
        too_long.start()
        everything = b"\n".join([*opening, *lines, json.dumps(LAST).encode(), b""])
        writing = threading.Thread(target=lambda: (server.stdin.write(everything), server.stdin.flush()))
        writing.start()
        heard = []
        for line in server.stdout:
            heard.append(line)
            if b'"last"' in line:
                writing.join()
                server.stdin.close()
        server.wait()
        too_long.cancel()
    return subprocess.CompletedProcess(command, server.returncode, b"".join(heard))


def check_answers(done: subprocess.CompletedProcess[bytes]) -> None:
    answers = [json.loads(line) for line in done.stdout.splitlines()]  # nothing but JSON on stdout
    assert "last" in [answer.get("id") for answer in answers if isinstance(answer, dict)]
    assert done.returncode == 0
    assert b"Traceback" not in done.stdout


@pytest.mark.parametrize("server", SERVERS)
def test_malformed_lines_neither_stop_nor_hang_a_server(server):
    check_answers(output_of(SERVERS[server], MALFORMED))


@pytest.mark.parametrize("server", SERVERS)
def test_lines_that_the_sdk_cannot_parse_are_answered(server):
    put = (
        b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"object_store_put","arguments":{"value":%b}}}'
    )
    values = [b'"cut \\ud83d"', b'{"\\uDC00": "\\udc00"}', b"[" * 300 + b"]" * 300, b'"caf\xe9"', b"[NaN, 1e999]"]
    done = output_of(SERVERS[server], [put % each for each in enumerate(values)])
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    for number in range(len(values)):
        assert "Stored as" in answers[number]["result"]["content"][0]["text"]


@pytest.mark.parametrize("server", SERVERS)
def test_random_lines_neither_stop_nor_hang_a_server(server):
    messages = st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.just("2.0") | json_values,
            "id": st.integers() | st.text(max_size=5) | json_values,
            "method": st.sampled_from(["tools/call", "tools/list", "ping", "resources/read"]) | json_values,
            "params": st.fixed_dictionaries({}, optional={"name": json_values, "arguments": json_values}) | json_values,
            "result": json_values,
            "error": json_values,
        },
    )
    lines = st.binary(max_size=100).map(lambda data: data.replace(b"\n", b""))

    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(lines | messages.map(lambda message: json.dumps(message).encode()), min_size=20, max_size=60))
    def check(lines: list[bytes]) -> None:
        check_answers(output_of(SERVERS[server], lines))

    check()


@given(st.text(min_size=1, max_size=3), st.text(min_size=1, max_size=3))
@settings(deadline=None)
def test_an_object_is_read_with_any_name_of_its_tool_and_media_type(tool, media_type):
    store = ObjectStore(InMemoryBackend())
    for name, kind in ((tool, media_type), (tool * 2000, media_type * 2000), ("\U0001f600" * 500, "\ud800" * 500)):
        object_id = store.put({"a": 1}, tool=name, media_type=kind)
        assert store.fetch(object_id) == {"a": 1}
        assert store.metadata(object_id).size == len(b'{"a":1}')
