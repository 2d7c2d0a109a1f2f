"""References to large objects in arguments: forwarded without decoding, type-checked by a sample, bounded."""

import json

import pytest

from coatcheck import codec
from coatcheck.backends.memory import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.codec import Metadata, Spliced, dump_json, pack
from coatcheck.codec.chunked import yield_budget
from coatcheck.decorators import referenceable
from coatcheck.errors import ArgumentRejected
from coatcheck.explorer import Explorer, reference_values
from coatcheck.object_store import ObjectStore
from tests.arguments.argument_resolution import resolve_arguments

pytestmark = pytest.mark.anyio

ROWS = [{"id": n, "name": f"user {n}", "note": "x" * 40} for n in range(20_000)]
ROW = {"type": "object", "properties": {"id": {"type": "integer"}}}


def schema(value):
    return {"type": "object", "properties": {"value": value}}


@pytest.fixture
async def large(explorer):
    name = await explorer.store.aput(ROWS)
    yield f"@{name}", explorer
    if explorer._sandbox is not None:
        explorer._sandbox.close()


@pytest.mark.parametrize("path", ["", "[1:]", "[0:3]"])
async def test_a_forwarded_value_is_its_json(large, path):
    reference, explorer = large
    arguments = {"value": reference + path, "more": [reference + path, 5]}
    passed = await resolve_arguments(arguments, None, explorer, as_json=True)
    expected = {"": ROWS, "[1:]": ROWS[1:], "[0:3]": ROWS[0:3]}[path]
    assert isinstance(passed["value"], list if path == "[0:3]" else Spliced)
    assert json.loads(dump_json(passed)) == {"value": expected, "more": [expected, 5]}
    # Also next to a number that only the careful encoder accepts.
    assert json.loads(dump_json({**passed, "n": 10**30}))["value"] == expected


@pytest.mark.parametrize("value", ['ä\\"\n' * 400_000, [10**30, "x" * 1_200_000]], ids=["text", "careful"])
async def test_texts_and_numbers_of_any_size_are_forwarded_unchanged(explorer, value):
    name = await explorer.store.aput(value)
    passed = await resolve_arguments({"value": f"@{name}"}, None, explorer, as_json=True)
    assert json.loads(dump_json(passed)) == {"value": value}


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        ({"type": "array", "items": ROW, "minItems": 15_000}, ""),
        ({"anyOf": [{"type": "array", "items": ROW, "minItems": 15_000}, {"type": "null"}]}, ""),
        ({"type": "array", "uniqueItems": True}, ""),
        ({}, ""),
        ({"type": "object"}, "takes object, but"),
        ({"type": "array", "items": {"type": "string"}}, "takes an array of string, but at [0]"),
    ],
)
async def test_the_types_of_the_first_items_of_a_large_value_are_checked(large, wanted, fault, as_json):
    reference, explorer = large
    work = resolve_arguments({"value": reference}, schema(wanted), explorer, as_json=as_json)
    if not fault:
        assert json.loads(dump_json(await work)) == {"value": ROWS}
        return
    with pytest.raises(ArgumentRejected) as raised:
        await work
    assert fault in str(raised.value)


async def test_references_to_too_many_bytes_in_total_are_refused(large, monkeypatch):
    reference, explorer = large
    size = (await explorer.store.ametadata(reference[1:])).size
    monkeypatch.setattr(reference_values.Allowance.__init__, "__defaults__", (3 * size,))
    many = {"value": [reference] * 4}
    for as_json in (True, False):
        with pytest.raises(ArgumentRejected, match="more than .* bytes together"):
            await resolve_arguments(many, None, explorer, as_json=as_json)

    async def take(value: list) -> int:
        return len(value)

    tool = referenceable(object_store=explorer.store, explorer=explorer)(take)
    assert await tool(value=[reference] * 3) == 3
    with pytest.raises(ArgumentRejected, match="more than .* bytes together"):
        await tool(value=[reference] * 4)


@pytest.mark.parametrize(
    "payload",
    [
        b'[1],"name":"other","x":[' + b"2," * 600_000 + b"2]",
        b"[" + b"1," * 600_000 + b'1]\n{"jsonrpc":"2.0","method":"tools/call"}',
        b"[" + b"1,\n" * 600_000 + b"1]",
    ],
    ids=["another member", "another line", "a newline"],
)
async def test_payloads_written_by_another_program_cannot_break_the_message(payload):
    backend = InMemoryBackend()
    explorer = Explorer(ObjectStore(backend))
    backend.set("obj_planted", pack(Metadata(kind="json", size=len(payload), type="array", length=9), payload), None)
    try:
        passed = await resolve_arguments({"value": "@obj_planted"}, None, explorer, as_json=True)
    except ValueError:
        return
    line = dump_json({"name": "tool", "arguments": passed})
    assert b"\n" not in line
    assert json.loads(line)["name"] == "tool"
    assert len(json.loads(line)["arguments"]["value"]) == 600_001


async def test_a_tool_receives_a_large_value_unchanged(large):
    reference, explorer = large
    assert await explorer.aresolve(reference) == ROWS
    assert explorer.resolve(reference) == ROWS
    assert await explorer.aresolve(reference, as_text=True) == codec.dump_json(ROWS).decode()


async def test_references_next_to_large_arguments_are_resolved(explorer, monkeypatch):
    monkeypatch.setattr(yield_budget, "PAUSE_AFTER", 0.0)
    explorer.store.put([1, 2, 3])
    rows = [{"id": number, "tags": ["@", "a@b"]} for number in range(20_000)]
    given = {"rows": [*rows, {"id": "@obj_001[1]"}, ["@@obj_001", "@alice"]], "whole": "@obj_001", "same": rows}
    passed = await resolve_arguments(given, {"type": "object", "properties": {"whole": {"type": "string"}}}, explorer)
    assert passed == {"rows": [*rows, {"id": 2}, ["@obj_001", "@alice"]], "whole": "[1,2,3]", "same": rows}
    assert passed["same"] is rows
    assert passed["rows"][0] is rows[0]
    assert given["rows"][-2:] == [{"id": "@obj_001[1]"}, ["@@obj_001", "@alice"]]


async def test_a_reference_beyond_the_depth_limit_is_an_error(explorer):
    explorer.store.put(7)

    def nested(levels, inside):
        for _ in range(levels):
            inside = [inside]
        return {"value": inside}

    assert await resolve_arguments(nested(100, "@obj_001"), None, explorer) == nested(100, 7)
    with pytest.raises(ArgumentRejected, match="100 levels"):
        await resolve_arguments(nested(101, "@obj_001"), None, explorer)
    deep = nested(500, "@alice")
    assert await resolve_arguments(deep, None, explorer) is deep


@pytest.mark.parametrize(("pad", "levels", "above"), [(10, 300, 0), (10, 150, 80), (2_000_000, 300, 0)])
async def test_values_that_make_a_call_deeper_than_servers_read_are_refused(explorer, pad, levels, above):
    value: object = []
    for _ in range(levels):
        value = [value]
    explorer.store.put({"pad": "x" * pad, "deep": value, "flat": [1]})
    place: object = "@obj_001"
    for _ in range(above):
        place = [place]
    interceptor = Interceptor(explorer)
    with pytest.raises(ArgumentRejected, match="deeper than 190 levels"):
        await interceptor.prepare("f", {"value": place}, {}, as_json=True)
    assert (await interceptor.prepare("f", {"value": "@obj_001.flat"}, {}, as_json=True)).arguments == {"value": [1]}
    if explorer._sandbox is not None:
        explorer._sandbox.close()
