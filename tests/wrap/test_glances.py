"""What is told from the ends of a long line is what its parser would have told."""

import json
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from coatcheck.proxy.glances import glance_at_call, glance_at_id, is_surely_no_response, may_refer, with_other_id
from coatcheck.proxy.messages import id_of, is_response
from coatcheck.proxy.request_headers import RequestHeaders

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


ORDERS_OF_CALLS = [["jsonrpc", "id", "method", "params"], ["method", "params", "jsonrpc", "id"]]
META = st.dictionaries(
    st.text(max_size=9),
    st.one_of(st.integers(), st.text(max_size=20), st.just({"a": "}"}), st.just({"_meta": {"a": {"b": {}}}})),
    max_size=3,
)


@given(
    st.permutations(["jsonrpc", "id", "method", "params"]),
    st.sampled_from(
        [*permutations(["_meta", "name", "arguments"]), *permutations(["name", "arguments"]), ("_meta", "name")]
    ),
    IDS,
    st.text(max_size=30),
    META,
    st.one_of(
        JSON.map(lambda value: {"value": value, "name": "not this", "id": 7}),
        META.map(lambda meta: {"value": 1, "_meta": meta}),
    ),
    st.booleans(),
)
def test_a_glance_at_a_call_finds_its_id_and_tool_or_nothing(order, inner, request_id, tool, meta, arguments, spaced):
    params = {key: {"_meta": meta, "name": tool, "arguments": arguments}[key] for key in inner}
    message = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
    separators = None if spaced else (",", ":")
    line = json.dumps({key: message[key] for key in order}, separators=separators).encode() + b"\n"
    seen = glance_at_call(line)
    usual = inner in (("name", "arguments"), ("name", "arguments", "_meta"))
    if order in ORDERS_OF_CALLS and usual and "_meta" not in arguments:
        assert seen is not None
    if seen is not None:
        del params["arguments"]
        assert seen == message
        assert id_of(seen) == id_of(message)


@given(st.sampled_from(["tools/list", "notifications/cancelled", "resources/read"]), IDS)
def test_nothing_but_a_call_is_taken_for_one(method, request_id):
    params = {"name": "tools/call", "arguments": {"method": "tools/call"}}
    for message in (
        {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params},
        {"jsonrpc": "2.0", "method": "tools/call", "params": params},
        {"jsonrpc": "2.0", "id": request_id, "result": {"method": "tools/call", "params": params}},
        [{"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}],
    ):
        assert glance_at_call(json.dumps(message).encode()) is None


def test_a_reference_in_a_line_is_noticed_however_it_is_written():
    assert may_refer(b'{"value":"@obj_1"}')
    assert may_refer(b'{"value":"@@obj_1"}')
    assert may_refer(rb'{"value":"\u0040obj_1"}')
    assert not may_refer(b'{"value":"somebody@example.org"}')


def test_a_call_is_wanted_whole_where_headers_repeat_its_arguments():
    headers = RequestHeaders()
    marked = {"name": "marked", "inputSchema": {"properties": {"city": {"type": "string", "x-mcp-header": "City"}}}}
    plain = {"name": "plain", "inputSchema": {"properties": {"city": {"type": "string"}}}}
    headers.learn({"method": "tools/list"}, json.dumps({"result": {"tools": [marked, plain]}}).encode())
    for tool in ("marked", "plain"):
        params = {"name": tool, "arguments": {"city": "Bern"}}
        whole = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        seen = glance_at_call(json.dumps(whole).encode())
        assert headers.want_arguments(seen) == (tool == "marked")
        assert not headers.want_arguments(whole)
    assert headers.of(whole | {"params": {**params, "name": "marked"}})["mcp-param-City"] == "Bern"
