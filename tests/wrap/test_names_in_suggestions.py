"""A server that has a tool of one of our names: suggestions lead to ours, never to the server's."""

import re

import pytest

from coatcheck.containers import Container
from coatcheck.settings import Settings
from tests.preloaded_python import PYTHON
from tests.wrap.running import WRAP

pytestmark = pytest.mark.anyio
TOOLS = [
    {"name": name, "inputSchema": {"type": "object"}} for name in ("object_store_get", "object_store_slice", "big")
]
ROWS = "[" + ",".join(f'{{"a":{number}}}' for number in range(3000)) + "]"


async def test_previews_and_our_tools_name_the_tool_as_it_is_listed():
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


SERVER = f"""
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") == "initialize":
        info = {{"name": "clashing", "version": "1"}}
        result = {{"protocolVersion": "2025-11-25", "capabilities": {{"tools": {{}}}}, "serverInfo": info}}
    elif message.get("method") == "tools/list":
        result = {{"tools": {TOOLS!r}}}
    else:
        result = {{"content": [{{"type": "text", "text": {ROWS!r}}}]}}
    if "id" in message:
        print(json.dumps({{"jsonrpc": "2.0", "id": message["id"], "result": result}}), flush=True)
"""


def test_they_do_so_for_a_client_that_has_not_listed_the_tools(connect):
    client = connect(wrapped=False, command=[*WRAP, "--", PYTHON, "-c", SERVER])
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    client.ask("initialize", hello)
    client.ask("resources/read", {"uri": "coatcheck://objects/obj_none"}, request_id=3)  # all is imported then
    preview = client.call("big", request_id=2)["result"]["content"][0]["text"]
    assert "coatcheck_object_store_slice(object_id=" in preview
    assert not re.search(r"(?<!coatcheck_)object_store_(get|slice)\(", preview)
