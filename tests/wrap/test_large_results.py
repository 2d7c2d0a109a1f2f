"""Large results, and references in arguments."""

import hashlib
import json
import re

import jsonschema
import pytest


def tools_of(client) -> dict:
    pages = [client.ask("tools/list")["result"]]
    while cursor := pages[-1].get("nextCursor"):
        pages.append(client.ask("tools/list", {"cursor": cursor})["result"])
    return {tool["name"]: tool for page in pages for tool in page["tools"]}


def texts(answer: dict) -> str:
    return "\n".join(block["text"] for block in answer["result"]["content"] if block["type"] == "text")


def test_a_large_structured_result_is_replaced_in_both_places_and_fits_the_widened_schema(connect):
    client = connect()
    schema = tools_of(client)["rows"]["outputSchema"]
    result = client.call("rows", count=2_000)["result"]
    jsonschema.validate(result["structuredContent"], schema)
    assert result["structuredContent"]["$stored"]["reference"] == "@obj_001"
    assert "id" in result["structuredContent"]["$stored"]["preview"]
    assert len(result["content"]) == 1
    assert len(result["content"][0]["text"]) <= 4_000
    assert result["_meta"].items() >= {"a": 1}.items()
    assert result["_meta"]["coatcheck/omitted"]["reference"] == "@obj_001"
    jsonschema.validate(client.call("rows", count=3)["result"]["structuredContent"], schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"result": [{"id": "seven"}]}, schema)


def test_small_blocks_and_images_stay_and_blobs_and_links_become_lines(connect):
    answer = connect().call("mixed")
    content = answer["result"]["content"]
    assert content[0] == {"type": "text", "text": "small"}
    assert content[1] == {"type": "image", "data": "AAAA", "mimeType": "image/png"}
    shown = texts(answer)
    assert "application/pdf, 9,000 bytes, sha256 " in shown
    assert "Kept: @obj_001.content[3].resource.blob in base64: to view it, give that to a tool" in shown
    assert re.search(
        r"300 resource links, file:///0 to file:///299, each with [\w, ]*uri[\w, ]*\. Kept: @obj_001\.", shown
    )
    assert len(shown) <= 4_000


def test_a_large_image_becomes_a_line_with_media_type_size_and_hash(connect):
    answer = connect().call("picture", size=2_000_000)
    shown = texts(answer)
    assert answer["result"]["content"][0]["text"] == "a picture"
    assert "image, image/png, 2,000,000 bytes" in shown
    assert (
        "Kept: @obj_001.content[1].data in base64: to view it, give that to a tool that shows or saves files." in shown
    )
    assert f"sha256 {hashlib.sha256(bytes(2_000_000)).hexdigest()}" in shown
    assert len(shown) < 500


def test_the_text_of_an_error_keeps_both_ends_and_the_whole_is_kept(connect):
    client = connect()
    answer = client.call("fails")
    shown = texts(answer)
    assert answer["result"]["isError"] is True
    assert shown.startswith(" BEGIN")
    assert shown.endswith("END")
    assert len(shown) <= 2_400
    assert "@obj_001" in shown
    assert texts(client.call("measure", text="@obj_001")) == '{"text": ["str", 50008]}'


def test_the_large_result_of_a_task_is_kept_too(connect):
    client = connect()
    client.ask("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}})
    (block,) = client.ask("tasks/result", {"taskId": "t"})["result"]["content"]
    assert block["text"].startswith("@obj_")
    assert len(block["text"]) <= 4_000


def test_a_string_parameter_receives_the_text_and_a_list_parameter_the_items(connect):
    client = connect()
    client.call("text", size=13_000)
    client.call("object_store_put", value=list(range(5_000)))
    answer = client.call("measure", text="@obj_001", numbers="@obj_002[10:20]")
    assert json.loads(texts(answer)) == {"text": ["str", 13_000], "numbers": ["list", 10]}


def test_a_reference_before_any_tools_list_is_checked_against_the_schema(connect):
    client = connect()
    client.call("object_store_put", value=["one", "two"])
    answer = client.call("measure", numbers="@obj_001")
    assert answer["result"]["isError"] is True
    assert '"numbers"' in texts(answer)
    assert "integer" in texts(answer)


def test_a_reference_to_nothing_is_an_error_for_the_model_and_an_escaped_one_is_text(connect):
    client = connect()
    missing = client.call("measure", text="@obj_404")
    assert missing["result"]["isError"] is True
    assert "@obj_404" in texts(missing)
    assert json.loads(texts(client.call("echo", a="@@obj_404", b="@alice"))) == {"a": "@obj_404", "b": "@alice"}


def test_input_schemas_advertise_references_and_our_tools_are_on_the_last_page(connect):
    client = connect()
    first = client.ask("tools/list")["result"]
    assert not any(tool["name"].startswith("object_store") for tool in first["tools"])
    tools = tools_of(client)
    numbers = tools["measure"]["inputSchema"]["properties"]["numbers"]
    jsonschema.validate("@obj_001.items", numbers)
    jsonschema.validate([1], numbers)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(7, numbers)
    assert tools["measure"]["inputSchema"]["properties"]["text"] == {"type": "string"}
    assert tools["echo"]["annotations"] == {"readOnlyHint": True}
    assert {"object_store_get", "object_store_query"} <= tools.keys()


def test_a_tool_of_the_server_keeps_its_name_and_ours_gets_another(connect):
    client = connect()
    # Also before the first list.
    assert texts(client.call("object_store_list")) == "the server's own"
    tools = tools_of(client)
    assert tools["object_store_list"]["description"] == "Not coatcheck's"
    client.call("text", size=13_000)
    assert "@obj_001" in texts(client.call("coatcheck_object_store_list"))


def test_our_tools_answer_without_the_server_and_report_errors(connect):
    client = connect()
    client.call("text", size=13_000)
    assert "line of text" in texts(client.call("object_store_slice", object_id="@obj_001", start=0, end=2))
    refused = client.call("object_store_get", path=".a")
    assert refused["result"]["isError"] is True
    assert "object_id" in texts(refused)


def test_instructions_mention_references_except_for_a_server_without_tools(connect):
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    with_tools = connect().ask("initialize", hello)["result"]
    assert with_tools["instructions"].startswith("Be kind.\n\n")
    assert "@obj_001" in with_tools["instructions"]
    client = connect("no-tools")
    assert client.ask("initialize", hello)["result"]["instructions"] == "Be kind."
    assert "object_store_get" not in tools_of(client)


def test_our_tools_answer_a_stateless_request_completely(connect):
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    params = {"name": "object_store_put", "arguments": {"value": 1}, "_meta": meta}
    assert connect().ask("tools/call", params)["result"]["resultType"] == "complete"
