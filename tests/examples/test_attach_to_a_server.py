import json
from pathlib import Path

import jsonschema
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from coatcheck.containers import Container
from coatcheck.settings import Settings
from tests.preloaded_python import PYTHON

SCRIPT = Path(__file__).parents[2] / "examples" / "attach_to_a_server.py"
MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])
pytestmark = pytest.mark.anyio


@pytest.fixture
def container():
    made = Container(settings=Settings())
    yield made
    made.sandbox().close()


@pytest.fixture
def attached(example, container):
    return example("attach_to_a_server").make_attached_server(container)


@pytest.fixture
def plain_server(example):
    return example("attach_to_a_server").make_server()


def wire_form(result) -> dict:
    return result.model_dump(by_alias=True, mode="json", exclude_none=True)


@MODES
async def test_a_large_result_arrives_as_a_preview_that_matches_its_schema(attached, mode):
    async with Client(attached, mode=mode) as client:
        schemas = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
        result = await client.call_tool("list_parcels", {})
    jsonschema.validate(result.structured_content, schemas["list_parcels"])
    shown = "".join(block.text for block in result.content)
    assert "2,000" in shown
    assert len(shown) <= 4000
    reference = result.structured_content["$stored"]["reference"]
    assert reference in shown
    assert len(json.dumps(result.structured_content)) <= 8000


@MODES
async def test_a_reference_with_a_path_is_accepted_for_another_tool_s_list(attached, plain_server, mode):
    async with Client(attached, mode=mode) as client:
        listed = await client.call_tool("list_parcels", {})
        reference = listed.structured_content["$stored"]["reference"]
        by_reference = await client.call_tool("postage", {"parcels": f"{reference}[100:103]"})
    async with Client(plain_server, mode=mode) as client:
        parcels = (await client.call_tool("list_parcels", {})).structured_content["result"][100:103]
        by_value = await client.call_tool("postage", {"parcels": parcels})
    assert by_reference.structured_content == by_value.structured_content == {"parcels": 3, "cents": 2200}


@MODES
async def test_a_small_result_is_unchanged(attached, plain_server, mode):
    results = []
    for server in (plain_server, attached):
        async with Client(server, mode=mode) as client:
            results.append(wire_form(await client.call_tool("list_parcels", {"count": 3})))
    assert results[0] == results[1]
    assert results[0]["structuredContent"]["result"][2] == {"number": 2, "city": "Cork", "grams": 324}


@MODES
async def test_a_part_of_another_type_is_refused_with_a_reason(attached, mode):
    async with Client(attached, mode=mode) as client:
        listed = await client.call_tool("list_parcels", {})
        reference = listed.structured_content["$stored"]["reference"]
        refused = await client.call_tool("postage", {"parcels": f"{reference}[0].city"})
    assert refused.is_error
    assert "parcels" in refused.content[0].text


async def test_the_script_serves_over_stdio():
    command = StdioServerParameters(command=PYTHON, args=[str(SCRIPT)])
    async with Client(stdio_client(command)) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("list_parcels", {})
    assert {"list_parcels", "postage", "object_store_get"} <= names
    assert result.structured_content["$stored"]["reference"].startswith("@obj_")
