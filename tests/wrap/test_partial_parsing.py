"""Reading only the ends of a long line gives the same result as parsing it."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coatcheck.proxy import partial_parsing
from coatcheck.proxy.jsonrpc import id_of, is_response
from coatcheck.proxy.partial_parsing import (
    PartialCall,
    encode_message,
    find_response_id,
    is_certainly_request,
    may_contain_references,
    parse_call_partially,
    replace_response_id,
    with_members,
)
from coatcheck.proxy.request_headers import RequestHeaders

JSON = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=9), st.just('"},"jsonrpc":"2.0","id":9}')),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["id", "jsonrpc", "a"]), inner)
    ),
)
IDS = st.one_of(st.integers(-(10**17), 10**17), st.text(max_size=20))


@given(JSON, IDS, st.permutations(["jsonrpc", "id", "result"]), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_partial_parsing_finds_the_right_id_or_none(result, request_id, order, separators):
    message = {"jsonrpc": "2.0", "id": request_id, "result": result}
    line = json.dumps({key: message[key] for key in order}, separators=separators).encode() + b"\n"
    assert find_response_id(line) in {None, id_of(message)}
    if order in (["jsonrpc", "id", "result"], ["result", "jsonrpc", "id"]):
        assert find_response_id(line) == id_of(message)
    assert not is_certainly_request(line)


@given(JSON, IDS)
def test_a_request_is_never_mistaken_for_a_response(params, request_id):
    message = {"jsonrpc": "2.0", "id": request_id, "method": "x", "params": {"a": params}}
    line = json.dumps(message, separators=(",", ":")).encode()
    assert is_certainly_request(line)
    assert find_response_id(line) is None
    assert not is_response(message)


@given(
    st.sampled_from(["id first", "id last"]), st.integers(0, 10**9), st.one_of(st.integers(), st.text()), st.booleans()
)
def test_replacing_the_id_of_a_long_response_changes_nothing_else(order, old, new, spaced):
    result = {"id": 5, "text": f'"id":{old},"jsonrpc":"2.0"' + "x" * 2_000, "jsonrpc": "2.0"}
    head = {"jsonrpc": "2.0", "id": old}
    message = {**head, "result": result} if order == "id first" else {"result": result, **head}
    line = json.dumps(message, separators=None if spaced else (",", ":")).encode() + b"\n"
    changed = replace_response_id(line, new)
    assert changed is not None
    assert changed.count(b"\n") == 1
    assert json.loads(changed) == {**message, "id": new}


def test_a_response_without_a_visible_id_or_not_on_a_single_line_is_parsed():
    assert replace_response_id(b'{"result":{},"more":"' + b"x" * 2_000 + b'","id":1}\n', 2) is None
    assert replace_response_id(b'{"jsonrpc":"2.0","id":1,"result":\r{}}\n', 2) is None


TEXTS = st.text(alphabet='x"\\\n{}[]:,é\x00', max_size=60)
VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.permutations(["jsonrpc", "id", "method", "params"]),
    st.permutations(["_meta", "name", "arguments"]),
    st.dictionaries(TEXTS, VALUES, max_size=3),
    IDS,
    st.booleans(),
)
def test_partial_parsing_returns_a_call_without_its_long_texts(
    monkeypatch, order, inner, arguments, request_id, spaced
):
    monkeypatch.setattr(partial_parsing, "_LONG_TEXT", 50)
    params = {"_meta": {"a": {"b": {"c": ["x", {}]}}}, "name": "tool", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call"}
    message["params"] = {key: params[key] for key in inner}
    separators = None if spaced else (",", ":")
    line = json.dumps({key: message[key] for key in order}, separators=separators).encode() + b"\n"
    seen = parse_call_partially(line)
    if seen is None:
        return
    assert id_of(seen) == id_of(message)
    without = {"params": {**params, "arguments": None}}
    assert {**seen, "params": {**seen["params"], "arguments": None}} == {**message, **without}
    again = encode_message(with_members(seen, id="other"))
    assert again.count(b"\n") == 1
    assert json.loads(again) == {**message, "id": "other"}


def call_with(inside, before="", behind=""):
    text = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call",{before}"params":{{"name":"safe","arguments":{inside}}}{behind}}}'
    return text.encode()


LONG = "x" * 100_000
FALSE = r"\u0000 \u0074he long text 0 "


def test_a_long_call_is_parsed_without_its_long_texts():
    seen = parse_call_partially(call_with(f'{{"a":"{LONG}","b":["{LONG}","short"]}}'))
    assert isinstance(seen, PartialCall)
    assert seen["params"]["name"] == "safe"
    assert seen["params"]["arguments"]["b"][1] == "short"
    assert len(json.dumps(seen)) < 1_000


@pytest.mark.parametrize(
    "line",
    [
        call_with(f'{{"a":"{LONG}"}}', behind=',"method":"notifications/cancelled"'),
        call_with(f'{{"a":"{LONG}"}}', behind=',"params":[]'),
        call_with(f'"{LONG}"', behind=f',"id":"{LONG}"'),
        call_with(f'"{LONG}"', before=f'"params":{{"name":"{LONG}"}},', behind=f',"params":{{"name":"{LONG}"}}'),
        call_with(f"[{'1,' * 50_000}1]"),
        call_with(f'["{LONG}"{" " * 50_000}]'),
        call_with("[" + '"a",' * 50_000 + "1]"),
        call_with(f'{{"a":"{LONG}" {LONG}}}'),
        call_with(f'{{"a":"{LONG}'),
        call_with(f'"{"_" * 9}{chr(92) * 50_000}"'),
        call_with(f'{{"a":"{LONG}","b":"{FALSE}"}}'),
        call_with(f'{{"a":"{LONG}","b":"{LONG}","b":"{FALSE}"}}'),
    ],
)
def test_lines_that_partial_parsing_cannot_handle_are_parsed(line):
    assert parse_call_partially(line) is None


@pytest.mark.parametrize("key", ["name", "na\\u006de"])
def test_of_two_members_with_the_same_name_the_one_of_the_parser_counts(key):
    line = call_with(f'{{"a":"{LONG}"}},"{key}":"danger"')
    assert parse_call_partially(line)["params"]["name"] == "danger" == json.loads(line)["params"]["name"]
    assert parse_call_partially(call_with(f'"{LONG}"', behind=',"id":2'))["id"] == 2


@given(st.sampled_from(["tools/list", "notifications/cancelled", "resources/read"]), IDS)
def test_only_a_call_is_recognised_as_one(method, request_id):
    params = {"name": "tools/call", "arguments": {"method": "tools/call"}}
    for message in (
        {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params},
        {"jsonrpc": "2.0", "method": "tools/call", "params": params},
        {"jsonrpc": "2.0", "id": request_id, "result": {"method": "tools/call", "params": params}},
        [{"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}],
    ):
        assert parse_call_partially(json.dumps(message).encode()) is None


def test_a_reference_in_a_line_is_found_in_every_notation():
    assert may_contain_references(b'{"value":"@obj_1"}')
    assert may_contain_references(b'{"value":"@@obj_1"}')
    assert may_contain_references(rb'{"value":"\u0040obj_1"}')
    assert may_contain_references(rb'{"value":"@\u006fbj_1"}')
    assert may_contain_references(b'{"value":"Dear {{@obj_1.name}}"}')
    assert may_contain_references(b'{"value":"[\\"@obj_1\\"]"}')
    assert may_contain_references(b'{"value":"@Obj_1"}')
    assert may_contain_references(b'{"value":"Dear {{obj_1.name}}"}')
    assert may_contain_references(b'{"value":"Dear @{obj_1}"}')
    assert not may_contain_references(b'{"value":"somebody@example.org"}')


def test_a_call_is_parsed_completely_if_headers_repeat_its_arguments():
    headers = RequestHeaders()
    marked = {"name": "marked", "inputSchema": {"properties": {"city": {"type": "string", "x-mcp-header": "City"}}}}
    plain = {"name": "plain", "inputSchema": {"properties": {"city": {"type": "string"}}}}
    headers.learn({"method": "tools/list"}, json.dumps({"result": {"tools": [marked, plain]}}).encode())
    for tool in ("marked", "plain"):
        params = {"name": tool, "arguments": {"city": "Bern"}}
        whole = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        seen = parse_call_partially(json.dumps(whole).encode())
        assert headers.needs_full_parsing(seen) == (tool == "marked")
        assert not headers.needs_full_parsing(whole)
    assert headers.of(whole | {"params": {**params, "name": "marked"}})["mcp-param-City"] == "Bern"
