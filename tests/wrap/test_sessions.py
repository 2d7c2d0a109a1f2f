"""The limit of sessions of the 2025 revisions per caller over HTTP."""

import hashlib

import anyio
import httpx2
import pytest
from mcp import Client

from coatcheck.proxy.front import http_sessions as sessions
from tests.preloaded_python import PYTHON
from tests.wrap.running import FEATURES, HERE, appears, wrapped_over_http

pytestmark = pytest.mark.anyio
COMMAND = ["--", PYTHON, str(HERE / "scripted_server.py")]
HELLO = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}},
}
HEADERS = {"Accept": "application/json, text/event-stream"}


class Callers:
    """Opens sessions at one server."""

    def __init__(self, url: str, http: httpx2.AsyncClient) -> None:
        self._url = url
        self._http = http

    async def open(self, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._http.post(self._url, json=HELLO, headers={**HEADERS, **named})

    async def end(self, opened: httpx2.Response, **headers: str) -> None:
        session = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
        assert (await self._http.delete(self._url, headers={**HEADERS, **headers, **session})).is_success


async def test_one_address_cannot_use_up_all_sessions():
    with wrapped_over_http(*COMMAND, COATCHECK_MAX_CALLER_SESSIONS="2") as (_, url, _log):
        async with httpx2.AsyncClient(timeout=30) as http:
            callers = Callers(url, http)
            opened = [await callers.open() for _ in range(2)]
            assert [answer.status_code for answer in opened] == [200, 200]
            refused = await callers.open()
            assert refused.status_code == 429
            assert refused.json()["error"]["message"] == (
                "You have 2 sessions open, as many as one caller may have. "
                "End one, or try again later: an idle session ends after 30 minutes."
            )
            # A proxy on the same machine states the client's address; an IPv6 network counts as one client.
            for others in (("203.0.113.7", "203.0.113.7"), ("2001:db8::1", "2001:db8::2")):
                answers = [await callers.open(X_Forwarded_For=other) for other in (*others, others[0])]
                assert [answer.status_code for answer in answers] == [200, 200, 429]
            await callers.end(opened[0])
            assert (await callers.open()).status_code == 200


async def test_with_authentication_sessions_are_counted_per_user(tmp_path):
    tokens = {"anns": "token-of-ann-Qm7t9", "bobs": "token-of-bob-Qm7t9"}
    lines = [f"{name} {hashlib.sha256(token.encode()).hexdigest()}" for name, token in tokens.items()]
    listed = tmp_path / "tokens"
    listed.write_text("\n".join(lines))
    flags = ["--auth-tokens", str(listed), *COMMAND]
    with wrapped_over_http(*flags, COATCHECK_MAX_CALLER_SESSIONS="1") as (_, url, _log):
        async with httpx2.AsyncClient(timeout=30) as http:
            callers = Callers(url, http)
            anns, bobs = ({"Authorization": f"Bearer {token}"} for token in tokens.values())
            assert (await callers.open(**anns)).status_code == 200
            assert (await callers.open(**anns, X_Forwarded_For="203.0.113.7")).status_code == 429
            assert (await callers.open(**bobs)).status_code == 200


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("2001:db8::1", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
    ],
)
def test_callers_are_distinguished_by_address(one, other, same):
    assert (sessions._client_network({"client": (one, 1)}) == sessions._client_network({"client": (other, 2)})) == same


async def test_a_client_that_cancels_a_call_and_disconnects_causes_no_error_in_the_log(tmp_path):
    with wrapped_over_http("--", *FEATURES, "stdio") as (_, url, text), anyio.fail_after(120):
        for number in range(6):
            began = tmp_path / str(number)
            async with Client(url, mode="legacy") as client, anyio.create_task_group() as calling:
                calling.start_soon(client.call_tool, "waits", {"began": str(began)})
                await appears(began)
                calling.cancel_scope.cancel()
    assert "Traceback" not in "".join(text)


EXITS = """
import json, os, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked["method"] == "tools/call":
        os._exit(3)
    if "id" in asked:
        who = {"name": "exits", "version": "1"}
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": who, "tools": []}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


async def test_requests_after_the_exit_of_a_server_are_answered_until_the_session_is_over():
    with wrapped_over_http("--", PYTHON, "-c", EXITS) as (_, url, log):
        async with httpx2.AsyncClient(timeout=30) as http:
            opened = await Callers(url, http).open()
            session = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}

            async def answer(number: int) -> httpx2.Response:
                call = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": {"name": "any"}}
                return await http.post(url, json=call, headers={**HEADERS, **session})

            with anyio.fail_after(60):
                number = 1
                while (answered := await answer(number)).status_code != 404:
                    assert f'"id":{number},' in answered.text
                    assert "ended with exit code 3" in answered.text
                    number += 1
            assert number > 2
            assert (await Callers(url, http).open()).status_code == 200
    assert "Traceback" not in "".join(log)
