"""A server that has a tool of one of our names: suggestions lead to ours, never to the server's."""

import re

import pytest

from coatcheck.containers import Container
from coatcheck.settings import Settings

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
