"""Paths, filters, ranges and references work on the data in a text; the text itself stays unchanged."""

import json
import re
from collections.abc import Iterator

import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.codec import ToolResult
from coatcheck.explorer import Explorer
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.object_store import ObjectStore

CSV = "n,tag,price\n" + "".join(f"{number},t{number % 7},{number / 4}\n" for number in range(900))
LINES = "".join(json.dumps({"n": number, "tag": f"t{number % 7}"}) + "\n" for number in range(900))
PYTHON = repr([{"n": number, "tag": f"t{number % 7}", "pair": (number, None)} for number in range(900)])
YAML = "".join(f"- n: {number}\n  tag: t{number % 7}\n" for number in range(900))
LARGE = LINES * 9
PROSE = (
    "Here:\n\n```json\n" + json.dumps([{"n": number, "tag": f"t{number % 7}"} for number in range(900)]) + "\n```\nBye"
)
TEXTS = {"CSV": CSV, "JSON Lines": LINES, "Python repr": PYTHON, "YAML": YAML, "JSON (line 3)": PROSE}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = Sandbox()
    yield opened
    opened.close()


@pytest.fixture
def explorer(sandbox: Sandbox) -> Explorer:
    return Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox)


def kept(explorer: Explorer, text: str) -> tuple[str, str]:
    made = explorer.keep(ToolResult({"content": [{"type": "text", "text": text}]}), "read")
    assert made.reference is not None
    return made.reference, made.preview


@pytest.mark.parametrize(("name", "text"), TEXTS.items(), ids=TEXTS.keys())
def test_a_text_is_previewed_and_processed_as_its_data(explorer: Explorer, name: str, text: str) -> None:
    reference, preview = kept(explorer, text)
    assert f"array of 900 items, {len(text):,} characters" in preview.splitlines()[0]
    assert f"Text in {name}; paths and filters work on it" in preview.splitlines()[0]
    assert "n: integer" in preview
    assert explorer.resolve(reference) == text
    assert explorer.resolve(f"{reference}[7].tag") == "t0"
    assert explorer.explore(reference, "[-1].n") == "899"
    assert explorer.query(reference, 'map(select(.tag == "t3")) | length') == "129"
    assert "\n[5] " in explorer.slice(reference, 5, 7)
    assert explorer.slice(reference, 5, 7).startswith("Items 5 to 6 of 900")
    found = explorer.search(reference, "^450$")
    assert found.startswith("1 row and 0 keys of")
    assert '\n[450].n: {"n": 450, "tag": "t2"' in found


def test_a_large_text_is_processed_in_the_sandbox(explorer: Explorer) -> None:
    reference, preview = kept(explorer, LARGE)
    assert "array of 8,100 items" in preview
    assert explorer.query(reference, "length") == "8100"
    assert explorer.resolve(f"{reference}[8099].n") == 899


def test_lines_of_any_text_are_read_by_path(explorer: Explorer) -> None:
    reference, _ = kept(explorer, CSV)
    assert explorer.explore(reference, "lines[0:3]") == " n,tag,price\n 0,t0,0.0\n 1,t1,0.25"
    assert explorer.resolve(f"{reference}.lines[-1]") == "899,t3,224.75"
    assert explorer.query(reference, "length", "lines") == "901"


def test_a_pattern_that_only_matches_lines_is_searched_in_them(explorer: Explorer) -> None:
    reference, _ = kept(explorer, CSV)
    assert "\n8: 7,t0,1.75" in explorer.search(reference, "^7,t0")


def test_matches_are_counted_first_and_twenty_are_shown(explorer: Explorer) -> None:
    reference, _ = kept(explorer, LINES)
    answer = explorer.search(reference, "t3")
    assert answer.startswith("129 rows and 0 keys of")
    assert len(re.findall(r"^\[\d+\]", answer, re.MULTILINE)) == 20
    assert answer.endswith("… 109 more: narrow the pattern or the path, or continue with start=20.")
    more = explorer.search(reference, "t3", limit=2, start=127)
    assert len(re.findall(r"^\[\d+\]", more, re.MULTILINE)) == 2
    assert "more:" not in more


def test_lines_around_a_match_are_shown_once_each(explorer: Explorer) -> None:
    text = "\n".join(f"line {number}" for number in range(50))
    reference, _ = kept(explorer, text)
    answer = explorer.search(reference, "line 1[02]$", context=2)
    assert answer.splitlines()[1:] == [
        "8- line 8",
        "9- line 9",
        "10: line 10",
        "11- line 11",
        "12: line 12",
        "13- line 13",
        "14- line 14",
    ]


def test_a_match_of_several_lines_is_shown_whole(explorer: Explorer) -> None:
    reference, _ = kept(explorer, "start\n".join(f"a {number}\nb {number}\n" for number in range(9)))
    answer = explorer.search(reference, r"a 3\nb 3")
    assert answer.splitlines()[1:] == ["9: a 3", "10: b 3"]


def test_a_yaml_text_that_takes_too_long_is_shown_as_text(explorer: Explorer) -> None:
    slow = Explorer(explorer.store, sandbox=Sandbox(timeout=0.05))
    text = "".join(f"- n: {number}\n  words: [a, b, c, {{d: e}}]\n" for number in range(9_000))
    reference, preview = kept(slow, text)
    assert "text of 18,000 lines" in preview
    assert "Shown as plain text: " in preview
    assert slow.resolve(reference) == text


def test_the_list_describes_objects_like_their_previews(explorer: Explorer) -> None:
    for value in ([1, 2], {"a": 1}, "text", True):
        explorer.keep(value, "tool")
    listed = explorer.list()
    for described in ("array of 2 items, ", "object with 1 key {a}, ", "text of 4 characters, ", "boolean, "):
        assert f": {described}" in listed


def test_a_small_document_inside_an_object_is_parsed_in_the_sandbox_for_paths_and_previews_too(explorer: Explorer):
    config = "".join(f"part_{n}:\n  port: {n}\n" for n in range(200))
    kept = explorer.keep({"ok": True, "config": config}, "tool", limit=2000)
    assert "Text in YAML" in kept.preview
    assert explorer.explore(f"{kept.reference}.config.part_7") == '{"port":7}'
    assert explorer.slice(f"{kept.reference}.config", 1, 2).endswith('.part_1 {"port": 1}')


BROKEN = LINES.replace('{"n": 70, ', 'Traceback t3\n{"n": 70, ')


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BROKEN, ".lines[70]: Traceback t3"),
        (LINES + '{"tag": "t3', '.lines[900]: {"tag": "t3'),
        (PROSE.replace("Here:", "The tags, t3 too:"), ".lines[0]: The tags, t3 too:"),
        ("Tags such as t3\n\n" + CSV, ".lines[0]: Tags such as t3"),
        (CSV + "7,t3", ".lines[901]: 7,t3"),
        ("".join(f"src/a.py:{n}: t{n % 7} = 1\n" for n in range(900)) + "src/t3", ".lines[900]: src/t3"),
    ],
    ids=["broken line", "cut line", "prose", "title", "cut row", "cut record"],
)
def test_a_search_in_data_includes_the_lines_outside_it(explorer: Explorer, text: str, line: str):
    answer = explorer.search(explorer.store.put(text), r"t3\b")
    assert re.search(r"^\d+ rows and 0 keys of @obj_\w+ match, and 1 line outside the data:$", answer, re.MULTILINE)
    assert answer.splitlines()[1] == line
