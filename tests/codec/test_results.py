import json
from typing import Any

import pytest

from coatcheck.codec import Metadata, ToolResult, decode, decode_result, encode, result_text, result_value


def text(*texts: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": part} for part in texts], **more}


IMAGE = {"type": "image", "data": "AAAA", "mimeType": "image/png"}


@pytest.mark.parametrize(
    ("result", "value", "original"),
    [
        (text("hello"), "hello", "hello"),
        (text('{"a": [1]}'), {"a": [1]}, '{"a": [1]}'),
        (text("42"), "42", "42"),
        (text('{"a":1}', structuredContent={"a": 1}), {"a": 1}, '{"a":1}'),
        (text("hello", structuredContent={"result": "hello"}), "hello", "hello"),
        (text("hello", structuredContent={"content": "hello"}), "hello", "hello"),
        (text('{"a":1}', '{"a":2}', structuredContent={"result": [{"a": 1}, {"a": 2}]}), [{"a": 1}, {"a": 2}], None),
        (text("x", "y", structuredContent={"result": ["x", "y"]}), ["x", "y"], None),
        (text("5", structuredContent={"result": 5}), 5, "5"),
        ({"content": [], "structuredContent": {"a": 1}}, {"a": 1}, None),
        ({"content": []}, {"content": []}, None),
    ],
)
def test_the_value_is_the_smallest_lossless_json(result, value, original):
    assert result_value(result) == value
    assert result_text(result) == original


@pytest.mark.parametrize(
    "result",
    [
        text("summary", structuredContent={"rows": [1, 2]}),
        text("one", "two", structuredContent={"rows": [1, 2]}),
        {"content": [{"type": "text", "text": "x"}, IMAGE]},
        {"content": [{"type": "text", "text": "x"}, IMAGE], "structuredContent": {"rows": [1, 2]}},
    ],
)
def test_a_result_of_several_parts_keeps_all_of_them(result):
    value = result_value(result)
    assert value["content"] == result["content"]
    assert value.get("structured") == result.get("structuredContent")


def test_several_texts_become_a_list_of_their_values():
    assert result_value(text("one", '{"a": 1}', "[2]")) == ["one", {"a": 1}, [2]]


def test_links_next_to_the_only_text_do_not_hide_its_value():
    hinted = {"type": "text", "text": '{"a": 1}', "annotations": {"audience": ["user"]}, "_meta": {"k": 1}}
    assert result_value({"content": [hinted]}) == {"a": 1}
    assert result_text({"content": [hinted]}) == '{"a": 1}'


@pytest.mark.parametrize(
    "result",
    [
        text("x" * 300_000, _meta={"k": 1}, isError=True),
        text(json.dumps([{"n": n} for n in range(9_000)])),
        {"content": [IMAGE], "structuredContent": {"a": None, "big": 2**70}, "resultType": "complete", "vendor": [1]},
    ],
)
def test_the_exact_result_can_be_rebuilt(result):
    encoded = encode(ToolResult(result))
    metadata = Metadata(encoded.kind, len(encoded.payload), encoded.type, encoded.length, careful=encoded.careful)
    assert decode_result(metadata, encoded.payload) == result
    assert decode(metadata, encoded.payload) == result_value(result)
