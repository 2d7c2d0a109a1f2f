"""A server with a tool of one of coatcheck's names: suggestions name coatcheck's tool, never the server's."""

import re
from pathlib import Path

import anyio
import pytest
from mcp import Client

from coatcheck.containers import Container
from coatcheck.proxy import list_prefetch
from coatcheck.proxy.list_prefetch import LIST, ToolListPrefetch
from coatcheck.proxy.own_requests import OwnRequests
from coatcheck.proxy.pending_requests import PendingRequests
from coatcheck.settings import Settings
from tests.preloaded_python import PYTHON
from tests.results import text_of
from tests.wrap.running import WRAP, wrapped

pytestmark = pytest.mark.anyio
TOOLS = [
    {"name": name, "inputSchema": {"type": "object"}} for name in ("object_store_get", "object_store_slice", "big")
]
ROWS = "[" + ",".join(f'{{"a":{number}}}' for number in range(3000)) + "]"


async def test_previews_and_our_tools_use_the_listed_tool_name():
    interceptor = Container(settings=Settings()).proxy_interceptor()
    listed = await interceptor.tools_list({"tools": TOOLS})
    names = [tool["name"] for tool in listed["tools"]]
    assert "coatcheck_object_store_get" in names
    result = await interceptor.result("big", {"content": [{"type": "text", "text": ROWS}]})
    preview = result["content"][0]["text"]
    assert "coatcheck_object_store_slice(object_id=" in preview
    assert not re.search(r"(?<!coatcheck_)object_store_(get|slice)\(", preview)
    reference = preview.split(":")[0]
    page = await interceptor.own_tool_call("coatcheck_object_store_get", {"object_id": reference, "raw": True})
    assert f'next: coatcheck_object_store_get(object_id="{reference}", raw=true' in page["content"][0]["text"]


SERVER = [PYTHON, str(Path(__file__).with_name("clashing_server.py"))]


OURS = {
    "coatcheck_object_store_get",
    "coatcheck_object_store_slice",
    "coatcheck_object_store_query",
    "object_store_grep",
}


def tools_called_in(preview: str) -> set[str]:
    return set(re.findall(r"(\w*object_store_\w+)\(", preview))


def test_the_listed_name_is_used_before_the_client_lists_the_tools(connect):
    client = connect(wrapped=False, command=[*WRAP, "--", *SERVER])

    def call(tool: str) -> str:
        return client.call(tool)["result"]["content"][0]["text"]

    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    client.ask("initialize", hello)
    client.ask("resources/read", {"uri": "coatcheck://objects/obj_none"})  # everything is imported by then
    assert call("small") == "small"
    assert call("listed") == "0"
    for _ in range(2):
        assert tools_called_in(call("big"))
        assert tools_called_in(call("big")) <= OURS
    assert call("listed") == "2"  # its two pages, once


@pytest.mark.parametrize("way", ["stdio", "http", "stateless http"])
async def test_the_listed_name_is_used_after_the_client_lists_the_first_page(way):
    with anyio.fail_after(60), wrapped(way, "--", *SERVER) as connect:
        async with Client(connect(), mode="legacy") as client:
            await client.list_tools()
            for _ in range(2):
                called = tools_called_in(text_of(await client.call_tool("big", {})))
                assert called
                assert called <= OURS
            assert (
                text_of(await client.call_tool("listed", {})) == "3"
            )  # one page for the client, both pages once for coatcheck


async def test_only_one_result_waits_for_a_server_that_does_not_list_its_tools(monkeypatch):
    monkeypatch.setattr(list_prefetch, "RESULT_TIMEOUT", 0.01)
    asked: list[str] = []
    prefetch = ToolListPrefetch(OwnRequests(lambda _line, message: asked.append(message["method"]), PendingRequests()))
    call = PendingRequests().add({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "big"}}, None)
    interceptor = Container(settings=Settings()).proxy_interceptor()
    for _ in range(3):
        await prefetch.learn_names(interceptor, call)
    assert asked == [LIST]
    prefetch.cancel()
