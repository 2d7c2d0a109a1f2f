"""A value that is hardly more than one long part is previewed by that part, with what stands beside it."""

import json
from typing import Any

import pytest

from coatcheck.explorer.previews import Subject, render

ROWS = [{"id": number, "name": f"name {number}"} for number in range(300)]
MARKDOWN = "".join(f"# Part {number}\n\nSome text.\n\n" for number in range(90))


def preview(value: Any, limit: int = 4000) -> str:
    return render(value, Subject("@obj_1", 9_999, None, "tool"), limit)


def test_the_text_of_an_embedded_resource_is_shown_and_not_its_envelope() -> None:
    resource = {"uri": "file:///a.md", "mimeType": "text/markdown", "text": MARKDOWN}
    text = preview({"content": [{"type": "text", "text": "The file."}, {"type": "resource", "resource": resource}]})
    assert text.startswith("@obj_1: object with 1 key, 9,999 characters")
    assert '"text":"The file."' in text
    assert '"uri":"file:///a.md","mimeType":"text/markdown"}' in text
    assert f"\n@obj_1.content[1].resource.text: text of 360 lines, {len(MARKDOWN):,} characters" in text
    assert "\n0| # Part 0\n" in text
    assert 'object_store_get(object_id="@obj_1", path=".content[1].resource.text.lines[' in text


def test_rows_beside_a_sentence_are_shown_as_rows() -> None:
    text = preview(["Found 300.", ROWS])
    assert '\nBeside [1]: ["Found 300."]\n' in text
    size = len(json.dumps(ROWS, separators=(",", ":")))
    assert f"\n@obj_1[1]: array of 300 items, {size:,} characters" in text
    assert "{id: integer, name: string}" in text
    assert 'path="[1]", filter="map({id, name}) | .[:20]"' in text


def test_a_table_in_an_object_is_shown_as_a_table() -> None:
    table = "id,name\n" + "".join(f"{number},x{number}\n" for number in range(300))
    text = preview({"exit": 0, "stdout": table, "stderr": ""})
    assert '\nBeside .stdout: {"exit":0,"stderr":""}\n' in text
    assert "\n@obj_1.stdout: array of 300 items, " in text
    assert "Text in CSV; paths and filters work on it" in text


@pytest.mark.parametrize(
    "value",
    [
        {"a": MARKDOWN, "b": MARKDOWN},
        {"a": "short"},
        {"items": ROWS, "total": 300},
        [MARKDOWN, ROWS],
        {f"field {number}": number for number in range(8)} | {"text": MARKDOWN},
    ],
)
def test_other_values_are_shown_by_their_own_shape(value: Any) -> None:
    assert "Beside" not in preview(value)


@pytest.mark.parametrize("limit", range(0, 1500, 50))
def test_it_keeps_to_its_limit(limit: int) -> None:
    text = preview({"exit": 0, "stdout": MARKDOWN}, limit)
    assert len(text) <= limit
    assert text == "" or text.startswith("@obj_1")
