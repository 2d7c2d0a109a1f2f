"""Messages that pass through the proxy unchanged."""

import json

REQUESTS = [
    ("vendor/anything", {"deep": [1, {"a": None}]}),
    ("resources/read", {"uri": "file:///x"}),
    ("tools/call", {"name": "echo", "arguments": {"a": "@alice", "n": 10**30, "f": 2.50, "s": "ü\u2028"}}),
    ("tools/call", {"name": "rows", "arguments": {"count": 20}}),
    ("tools/call", {"name": "picture", "arguments": {"size": 300_000}}),
    ("tools/call", {"name": "unknown tool", "arguments": {}}),
]


def test_small_results_errors_images_and_unknown_methods_pass_byte_for_byte(connect):
    direct, wrapped = connect(wrapped=False), connect()
    for number, (method, params) in enumerate(REQUESTS):
        request = {"jsonrpc": "2.0", "id": f"n{number}", "method": method, "params": params}
        for client in (direct, wrapped):
            client.send(request)
    ids = [f"n{number}" for number in range(len(REQUESTS))]
    assert wrapped.answers(ids) == direct.answers(ids)


def test_a_result_of_exactly_the_limit_passes_and_one_character_more_does_not(connect):
    client = connect()
    # The echo adds {"s": "…"} around the characters.
    at_limit = client.call("echo", s="x" * (8_000 - 9))["result"]
    assert len(at_limit["content"][0]["text"]) == 8_000
    over = client.call("echo", s="x" * (8_000 - 8))["result"]
    assert "@obj_001" in over["content"][0]["text"]


def test_string_and_integer_ids_are_distinguished(connect):
    client = connect()
    client.send({"jsonrpc": "2.0", "id": "1", "method": "vendor/x"})
    client.send(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "text", "arguments": {"size": 9_000}}}
    )
    assert json.loads(client.answer("1"))["result"]["method"] == "vendor/x"
    assert "@obj_001" in json.loads(client.answer(1))["result"]["content"][0]["text"]


def test_notifications_and_requests_of_the_server_pass_in_both_directions(connect):
    client = connect()
    client.send({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"})
    assert json.loads(client.line())["method"] == "notifications/seen"
    client.send({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "asks", "arguments": {}}})
    asked = json.loads(client.line())
    assert (asked["method"], asked["id"]) == ("sampling/createMessage", 5)
    # The client's response has the same id as a pending request of the client.
    client.send({"jsonrpc": "2.0", "id": 5, "result": {"role": "assistant"}})
    assert json.loads(client.line())["params"]["message"]["result"] == {"role": "assistant"}


def test_unparsed_messages_keep_their_order(connect):
    client = connect()
    client.call("echo", request_id=0)
    for number in range(1, 200):
        client.send(
            {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
        )
    lines = [json.loads(client.line()) for _ in range(2 * 199)]
    assert [message["id"] for message in lines if "id" in message] == list(range(1, 200))


def test_progress_arrives_before_its_result(connect):
    client = connect()
    client.send(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "rows", "arguments": {"count": 900}}}
    )
    assert json.loads(client.line())["method"] == "notifications/progress"
    assert json.loads(client.line())["id"] == 1


def test_a_slow_call_blocks_no_other(connect):
    client = connect()
    client.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "waits", "arguments": {}}})
    assert client.call("echo", request_id=2, a=1)["result"]["content"][0]["text"] == '{"a": 1}'


def test_a_cancelled_call_is_cancelled_at_the_server_and_removed(connect):
    client = connect()
    client.call("echo", request_id=0)
    client.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "waits", "arguments": {}}})
    client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    seen = json.loads(client.line())
    assert seen["params"]["message"]["params"] == {"requestId": 1}
    assert client.close() == 0  # No request is pending.


def test_a_batch_is_answered(connect):
    client = connect()
    client.send(
        [
            {"jsonrpc": "2.0", "id": 1, "method": "vendor/x"},
            {
                "jsonrpc": "2.0",
                "id": 2,
                "method": "tools/call",
                "params": {"name": "text", "arguments": {"size": 9_000}},
            },
        ]
    )
    assert json.loads(client.answer(1))["result"]["method"] == "vendor/x"
    assert "@obj_001" in json.loads(client.answer(2))["result"]["content"][0]["text"]


def test_other_output_of_a_server_never_reaches_stdout(connect):
    client = connect("noisy", verbose=True)
    assert client.call("echo", a=1)["result"]["content"][0]["text"] == '{"a": 1}'
    client.close()
    assert "[INFO] ready" in client.stderr
    assert "Starting up" in client.stderr


def test_messages_of_20_mb_pass_in_both_directions(connect):
    client = connect()
    sent = "y" * 20_000_000
    answered = client.ask("vendor/large", {"data": sent})
    assert answered["result"]["params"]["data"] == sent


def test_a_result_of_20_mb_is_replaced_by_a_preview(connect):
    client = connect()
    answer = client.call("text", size=20_000_000)["result"]
    assert len(answer["content"][0]["text"]) <= 4_000
    assert "@obj_001" in answer["content"][0]["text"]


def test_requests_in_the_input_before_its_end_are_still_answered(connect):
    client = connect()
    client.send(
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "text", "arguments": {"size": 9_000}}}
    )
    client.process.stdin.close()
    assert "@obj_001" in json.loads(client.answer(1))["result"]["content"][0]["text"]
    assert client.ended() == 0
