"""Suggested filters and pages of data with dense or nested fields: still short, and with the telling fields."""

import hashlib
import json
from typing import Any

import pytest

from coatcheck.explorer.sandbox import Sandbox
from tests.texts.test_suggestions import make_suggested_calls


def hashed(number: int) -> str:
    return hashlib.md5(str(number).encode()).hexdigest()


SHOES = "".join(f'  - heading "Shoe {n}" [level=3] [ref=e{2 * n}]\n  - text: costs {n}\n' for n in range(120))
CASES: dict[str, tuple[Any, str]] = {
    "ids and dates": (
        [
            {"id": hashed(n), "made": f"2025-06-01T{n:02}:14:{n:02}Z", "edited": f"2025-07-01T{n:02}:14Z"}
            for n in range(60)
        ],
        "map({id, made, edited}) | .[:1",
    ),
    "another script": (
        [
            {"id": n, "标题": f"登录页面在点击按钮{n}后没有响应需要修复" * 2, "说明": f"由于订单{n}延迟了两周" * 4}
            for n in range(90)
        ],
        'map({id, "标题", "说明"}) | .[:1',
    ),
    "different texts": (
        [f"https://example.com/pages/{n}/about-the-weather-of-{n * 7}.html" for n in range(300)],
        'filter="{count: length, different: (unique | length)}"',
    ),
    "different texts and nulls": (
        [f"a text of medium length, number {n}" if n % 4 else None for n in range(400)],
        'filter="{count: length, different: (unique | length)}"',
    ),
    "columns of the same name": (
        {"columns": ["id", "name", "id"], "rows": [[n, f"n{n}", n + 1] for n in range(900)]},
        'filter=".rows | sort_by(-.[0]) | .[:20]"',
    ),
    "repeated texts": (["red", "green", "blue"] * 900, 'filter="unique | .[:20]"'),
    "columns in another object": (
        {"meta": {"rowType": [{"name": "ID"}, {"name": "STATUS"}]}, "data": [[n, "ab"[n % 2]] for n in range(900)]},
        "[.meta.rowType[].name] as $c | .data | map([$c, .] | transpose | map({(.[0]): .[1]}) | add) | map(select(",
    ),
    "columns beside the object of the rows": (
        {"manifest": {"schema": {"columns": ["id", "n"]}}, "result": {"data_array": [[str(n), n] for n in range(900)]}},
        ".manifest.schema.columns as $c | .result.data_array | map(",
    ),
    "members that name their type": (
        {
            "results": [
                {
                    "object": "page",
                    "id": hashed(n),
                    "created_time": f"2024-01-01T10:{n % 60:02}Z",
                    "properties": {
                        "Due": {"id": "d", "type": "date", "date": {"start": f"2024-01-{n + 1:02}"} if n % 3 else None},
                        "Points": {"id": "p", "type": "number", "number": n},
                        "Tags": {"id": "t", "type": "multi_select", "multi_select": []},
                        "Name": {"id": "n", "type": "title", "title": [{"type": "text", "plain_text": f"Task {n}"}]},
                    },
                }
                for n in range(30)
            ]
        },
        "Points: .properties.Points.number, Name: .properties.Name.title[0].plain_text[:60], Due: .properties.Due.date",
    ),
    "cells of a notebook": (
        {"cells": [{"cell_type": ("markdown", "code")[n % 2], "source": [f"# {n}\n", "a\n" * 90]} for n in range(60)]},
        '.cells | map(select(.cell_type == "markdown") | {cell_type, source: .source[0]}) | .[:20]',
    ),
    "one page": (
        {
            "id": hashed(1),
            "properties": {
                "Due": {"type": "date", "date": {"start": "2024-01-01", "end": None}},
                "Name": {"type": "title", "title": [{"type": "text", "plain_text": "Task"}]},
                "Notes": {"type": "rich_text", "rich_text": [{"type": "text", "plain_text": "words " * 900}]},
                "Owner": {"type": "people", "people": [{"object": "user", "id": "u", "name": "Ann"}]},
            },
        },
        'filter="{Name: .properties.Name.title[0].plain_text[:60], Due: .properties.Due.date.start, ',
    ),
    "blocks of a page": (
        {
            "results": [
                {
                    "id": hashed(n),
                    "type": kind,
                    kind: {"rich_text": [{"type": "text", "plain_text": f"T {n}"}], "color": "a"},
                }
                for n, kind in enumerate(["paragraph", "heading_1"] * 30)
            ]
        },
        "map({id, paragraph: .paragraph.rich_text[0].plain_text[:60], heading_1: .heading_1.rich_text[0].plain_text",
    ),
    "tagged resources": (
        {"list": [{"arn": f"arn:{n}", "Tags": [{"Key": "env", "Value": "x" * 90}] * 3} for n in range(60)]},
        ".list | map(.arn) | .[:20]",
    ),
    "trace of Java": (
        'Exception in thread "main" a.B: no\n'
        + "\tat a.b.C.run(C.java:7)\n" * 300
        + "Caused by: a.D: no\n\tat a.b\n" * 2,
        'pattern="^caused by: |^exception"',
    ),
    "map of hashes": (
        {hashed(n): {"a": hashed(n + 900), "b": hashed(n + 1800)} for n in range(300)},
        "to_entries | .[:1",
    ),
    "inner records": (
        {"data": [{"spans": [{"id": hashed(n), "of": hashed(n + 1), "at": hashed(n + 2)} for n in range(90)]}] * 2},
        ".data | map(.spans[]? | {id, of, at}) | .[:1",
    ),
    "named cells": (
        {
            "results": [
                [{"field": "@at", "value": str(n)}, {"field": "@text", "value": f"line {n}"}] for n in range(300)
            ]
        },
        ".results | map(map({(.field): .value}) | add) | .[:20]",
    ),
    "long named cells": (
        [[{"field": "at", "value": str(n)}, {"field": "ptr", "value": hashed(n) * 2}] for n in range(300)],
        "map(map({(.field): .value}) | add) | .[:1",
    ),
    "cells by type": (
        {"records": [[{"longValue": n}, {"stringValue": f"n{n}"}, {"isNull": True}] for n in range(300)]},
        ".records | map(map(.[])) | .[:20]",
    ),
    "long cells by type": (
        [[{"stringValue": hashed(90 * n + cell)} for cell in range(6)] for n in range(90)],
        "map(map(.[])) | .[:6]",
    ),
    "a table in lists of one": (
        {"results": [{"id": 0, "series": [{"columns": ["at", "use"], "values": [[n, n / 7] for n in range(300)]}]}]},
        ".results[0].series[0].columns as $c | .results[0].series[0].values | map(",
    ),
    "cases in lists of one": (
        {
            "nodes": [
                {
                    "name": "all",
                    "children": [{"name": f"t{n}", "result": "ok" if n % 5 else "Failed"} for n in range(300)],
                }
            ]
        },
        "filter='.nodes[0].children | map(select(.result == \"Failed\") | {name, result}) | .[:20]'",
    ),
    "columns as meta": (
        {
            "meta": [{"name": "day", "type": "Date"}, {"name": "n", "type": "UInt64"}],
            "data": [["d", n] for n in range(900)],
        },
        "[.meta[].name] as $c | .data | map(",
    ),
    "JSON texts": (
        {"bodies": [json.dumps({"id": n, "event": f"e{n}", "at": n}) for n in range(300)]},
        ".bodies | map(fromjson | {id, event, at}) | .[:20]",
    ),
    "errors with places": (
        {"errors": [{"message": f"bad {n}", "locations": [{"line": n, "column": 3}]} for n in range(300)]},
        ".errors | map(.message) | .[:20]",
    ),
    "ages in words": (
        [{"ID": hashed(n), "CREATED": f"{n % 3} days ago", "STATUS": f"Up {n} hours"} for n in range(90)],
        "map({ID, STATUS, CREATED}) | .[:",
    ),
    "long text of a record": (
        {"spec": "  size: 1\n" * 60, "events": "\n  Type  Reason  Age\n" + "  Warning  BackOff  1m\n" * 400},
        'path=".events.lines[0:',
    ),
    "large members without texts": (
        {"result": [{"metric": {"job": f"j{n}"}, "values": [[t, str(t)] for t in range(300)]} for n in range(20)]},
        'path=".result[1].values", start=0, end=',
    ),
    "lists of the same length": (
        {
            "tags": [{"key": f"k{n}", "value": "v"} for n in range(3)],
            "entries": [{"kind": f"k{n}", "data": {f"d{n}": list(range(2_000))}} for n in range(3)],
        },
        ".entries | map(",
    ),
    "snapshot of a regular page": (
        f'- heading "Shoes" [ref=e1]\n{SHOES}- contentinfo [ref=e900]\n  - text: imprint\n  - text: more\n  - text: end\n',
        'path=".lines[0:15]"',
    ),
}


@pytest.mark.parametrize(("value", "expected"), CASES.values(), ids=CASES)
def test_the_suggested_calls_are_short_and_show_the_telling_fields(value: Any, expected: str, sandbox: Sandbox) -> None:
    assert expected in make_suggested_calls(value, sandbox)


def test_a_field_that_the_filter_returns_is_not_suggested_again(sandbox: Sandbox) -> None:
    nodes = [{"id": n, "tree": {"a": {f"k{k}": "x" * 90 for k in range(90)}}} for n in range(9)]
    assert "object_store_get" not in make_suggested_calls({"nodes": nodes}, sandbox)
