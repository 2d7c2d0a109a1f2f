"""The objects of a call are freed when it ends, and not only at the next call."""

import gc
import sys

import httpx2
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCRequest

from coatcheck.backends.memory import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.limits import Limits
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.proxy.front.http_application import Application
from coatcheck.proxy.upstreams.process_connection import ProcessConnection
from coatcheck.store.tenancy import Tenancy
from tests.wrap.running import minimal_server

pytestmark = pytest.mark.anyio
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
ECHOES = minimal_server('"x" * asked["params"]["arguments"]["size"]')


async def test_an_idle_session_holds_neither_its_last_request_nor_its_last_response():
    interceptor = Interceptor(Explorer(ObjectStore(InMemoryBackend())), limits=Limits(never=("f",)))
    application = Application(
        lambda: ProcessConnection([sys.executable, "-c", ECHOES]), interceptor, Tenancy("test"), loopback=True
    )
    headers = {"accept": "application/json, text/event-stream"}
    transport = httpx2.ASGITransport(app=application)
    async with (
        application.running(),
        httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as http,
    ):

        async def ask(method: str, params: dict, request_id: int) -> httpx2.Response:
            message = {"jsonrpc": "2.0", "method": method, "params": params, "id": request_id}
            return await http.post("http://localhost:1/mcp", json=message)

        opened = await ask("initialize", HELLO, 1)
        http.headers["mcp-session-id"] = opened.headers["mcp-session-id"]
        answered = await ask("tools/call", {"name": "f", "arguments": {"size": 2 << 20}}, 2)
        assert "x" * 100 in answered.text
        gc.collect()
        held = [each.message for each in gc.get_objects() if isinstance(each, SessionMessage)]
        assert not [each for each in held if isinstance(each, JSONRPCRequest)]
        (routed,) = held  # by the SDK
        assert "was sent" in routed.model_dump_json()
