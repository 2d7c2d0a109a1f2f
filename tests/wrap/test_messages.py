import json
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from coatcheck.listening.requests import application_of
from coatcheck.proxy.messages import (
    CLIENT_INFO,
    glance_at_id,
    id_of,
    is_response,
    is_surely_no_response,
    parse,
    with_other_id,
)

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


@given(
    st.sampled_from(["id first", "id last"]), st.integers(0, 10**9), st.one_of(st.integers(), st.text()), st.booleans()
)
def test_a_long_answer_gets_another_id_and_nothing_else_changes(order, old, new, spaced):
    result = {"id": 5, "text": f'"id":{old},"jsonrpc":"2.0"' + "x" * 2_000, "jsonrpc": "2.0"}
    head = {"jsonrpc": "2.0", "id": old}
    message = {**head, "result": result} if order == "id first" else {"result": result, **head}
    line = json.dumps(message, separators=None if spaced else (",", ":")).encode() + b"\n"
    changed = with_other_id(line, new)
    assert changed is not None
    assert changed.count(b"\n") == 1
    assert json.loads(changed) == {**message, "id": new}


def test_an_answer_whose_id_does_not_show_or_that_is_no_single_line_is_left_to_the_parser():
    assert with_other_id(b'{"result":{},"more":"' + b"x" * 2_000 + b'","id":1}\n', 2) is None
    assert with_other_id(b'{"jsonrpc":"2.0","id":1,"result":\r{}}\n', 2) is None


def test_what_is_remembered_of_an_application_is_bounded():
    def said(info):
        return application_of({"method": "tools/call", "params": {"_meta": {CLIENT_INFO: info}}})

    assert said({"name": "desk", "version": "2"}) == ("desk", "2")
    assert said({"name": "desk", "version": "2"}) != said({"name": "desk", "version": "3"})
    assert sum(map(len, said({"name": "x" * 1_000_000, "version": "y" * 1_000_000}))) <= 200
    assert said({"name": 10**5_000, "version": {"a": 1}}) == ("", "")  # Python refuses to write out such a number
    assert said("desk") == ()
