import json
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from coatcheck.proxy.messages import glance_at_id, id_of, is_response, is_surely_no_response, parse

JSON = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=9), st.just('"},"jsonrpc":"2.0","id":9}')),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["id", "jsonrpc", "a"]), inner)
    ),
)
IDS = st.one_of(st.integers(-(10**17), 10**17), st.text(max_size=20))


@given(JSON, IDS, st.permutations(["jsonrpc", "id", "result"]), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_a_glance_finds_the_right_id_or_none(result, request_id, order, separators):
    message = {"jsonrpc": "2.0", "id": request_id, "result": result}
    line = json.dumps({key: message[key] for key in order}, separators=separators).encode() + b"\n"
    assert glance_at_id(line) in {None, id_of(message)}
    if order in (["jsonrpc", "id", "result"], ["result", "jsonrpc", "id"]):
        assert glance_at_id(line) == id_of(message)
    assert not is_surely_no_response(line)


@given(JSON, IDS)
def test_a_request_is_seen_to_be_none_but_never_taken_for_a_response(params, request_id):
    message = {"jsonrpc": "2.0", "id": request_id, "method": "x", "params": {"a": params}}
    line = json.dumps(message, separators=(",", ":")).encode()
    assert is_surely_no_response(line)
    assert glance_at_id(line) is None
    assert not is_response(message)


def test_integers_of_any_size_and_lone_surrogates_survive():
    line = b'{"a":123456789012345678901234567890,"b":"\\ud800"}'
    assert parse(line) == {"a": 123456789012345678901234567890, "b": "\ud800"}
    assert parse(b"{nonsense") is None


def test_the_server_starts_before_anything_slow_is_imported():
    slow = {"mcp", "typer", "pydantic", "jsonschema", "asyncio", "orjson", "dependency_injector"}
    code = f"import sys, coatcheck.proxy.upstream; print(sorted({slow} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
    code = "import sys, coatcheck.proxy.stdio; print(sorted({'mcp', 'typer', 'jsonschema'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
