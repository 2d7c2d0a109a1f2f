"""Schemas of hostile or faulty servers: tools can be listed and called, and the work on schemas is bounded."""

import json

import pytest

from coatcheck.arguments.declared_types import ANY, DeclaredTypes
from coatcheck.calls.interceptor import Interceptor
from coatcheck.codec import CLIENT_LEVELS, is_deeper
from coatcheck.errors import ArgumentRejected

pytestmark = pytest.mark.anyio


def ref_chain(levels: int, ways: int) -> dict:
    definitions: dict = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * ways} for n in range(levels)}
    return {"$ref": "#/$defs/a0", "$defs": definitions | {f"a{levels}": {"type": "integer"}}}


def nested_schema(levels: int) -> dict:
    schema: dict = {"type": "object"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"value": schema}}
    return schema


def value(schema: object, **more: object) -> dict:
    return {"type": "object", "properties": {"value": schema}, **more}


BOMB = ref_chain(40, 2)
SCHEMAS = {
    "a pattern that backtracks": value({"type": "string", "pattern": "^(a+)+$"}),
    "a pattern of names": {"type": "object", "patternProperties": {"^(v|a|l|u|e|x*)*$": {"type": "string"}}},
    "references that double": value({"$ref": BOMB["$ref"]}, **{"$defs": BOMB["$defs"]}),
    "a reference to itself": value({"$ref": "#/properties/value"}),
    "a dynamic reference": value({"$dynamicRef": "#n"}, **{"$dynamicAnchor": "n"}),
    "a remote reference": value({"$ref": "http://127.0.0.1:9/x.json"}),
    "a file": value({"$ref": "file:///etc/passwd"}, **{"$schema": "http://127.0.0.1:9/meta"}),
    "unique items": value({"type": "array", "uniqueItems": True}),
    "a tiny step": value({"type": "number", "multipleOf": 1e-320}),
    "a hundred thousand parameters": value({}, properties={f"p{n}": {"type": "integer"} for n in range(100_000)}),
    "a hundred thousand branches": value({"anyOf": [{"type": "integer"}] * 100_000}),
    "a hundred thousand options": value({"enum": list(range(100_000))}),
    "large options": value({"enum": [list(range(200))] * 3_000}),
    "very deep": nested_schema(400),
    "properties as a list": {"type": "object", "properties": [1, 2, 3]},
    "invalid types": value({"anyOf": 5, "properties": 7, "type": {"a": 1}}),
    "combinations of nothing": {
        "type": "object",
        "allOf": "x",
        "anyOf": None,
        "properties": {"value": {"type": [5, {}]}},
    },
    "false": value(False),
    "contradictions": value({"type": "string", "allOf": [{"type": "integer"}]}),
    "dangling pointers": value({"$ref": "#/$defs/99999999999999999999/x"}, **{"$defs": [1]}),
    "a reference of another type": value({"$ref": {"a": []}}),
}


@pytest.mark.parametrize("name", SCHEMAS)
async def test_the_tool_is_listed_and_called(explorer, name):
    explorer.store.put({"text": "a" * 40 + "!", "n": 5, "rows": [{"x": n} for n in range(3_000)]})
    schema = SCHEMAS[name]
    before = json.dumps(schema)
    interceptor = Interceptor(explorer)
    listed = await interceptor.tools_list({"tools": [{"name": "t", "inputSchema": schema, "outputSchema": schema}]})
    assert not is_deeper(listed, CLIENT_LEVELS - 2)
    assert listed["tools"][0]["inputSchema"]["type"] == "object" or name == "references that double"
    for part in ("text", "n", "rows"):
        try:
            passed = await interceptor.prepare("t", {"value": f"@obj_001.{part}", "p1": f"@obj_001.{part}"})
        except ArgumentRejected as error:
            assert "takes" in str(error)
        else:
            assert "@obj_001" not in str(passed.arguments)
    assert json.dumps(schema) == before


class CountingSchema(dict):
    """A schema that counts how often it is read."""

    reads = 0

    def get(self, key, default=None):
        CountingSchema.reads += 1
        return super().get(key, default)

    def __contains__(self, key):
        CountingSchema.reads += 1
        return super().__contains__(key)


@pytest.mark.parametrize("name", SCHEMAS)
def test_reading_the_types_at_a_path_is_bounded_and_cached(name):
    schema = json.loads(json.dumps(SCHEMAS[name]), object_hook=CountingSchema)
    types = DeclaredTypes(schema)
    CountingSchema.reads = 0
    places = [("value",), ("value", 3), ("value", "x", "x", 0, "x"), ("p1",), ("value", 0, "value")]
    first = [types.at(place) for place in places]
    assert CountingSchema.reads < 50_000
    CountingSchema.reads = 0
    assert [types.at(place) for place in places] == first
    assert [types.at(("value", position)) for position in range(1_000)] == [first[1]] * 1_000
    assert CountingSchema.reads == 0


@pytest.mark.parametrize(
    ("schema", "types"),
    [
        ({"type": "number"}, {"integer", "number"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"type": "string", "nullable": True}, {"string", "null"}),
        ({"enum": ["a", 1]}, {"string", "integer"}),
        ({"type": "string", "enum": ["a", 1]}, {"string"}),
        ({"const": 2.5}, {"number"}),
        ({"allOf": [{"type": ["string", "integer"]}, {"type": ["string", "array"]}]}, {"string"}),
        ({"anyOf": [{"type": "string"}, {"type": "array"}], "type": ["array", "object"]}, {"array"}),
        (
            {"oneOf": [{"$ref": "#/$defs/N"}, {"type": "null"}], "$defs": {"N": {"type": "integer"}}},
            {"integer", "null"},
        ),
        ({"$ref": "#/$defs/N", "type": "array", "$defs": {"N": {"type": ["array", "object"]}}}, {"array"}),
        ({"pattern": "x", "minItems": 3}, ANY),
        ({"type": "string", "anyOf": [{"pattern": "x"}, {"type": "integer"}]}, {"string"}),
        ({"$ref": "elsewhere.json", "type": "array"}, {"array"}),
        (True, ANY),
    ],
)
def test_types_intersect_unite_and_ignore_the_rest(schema, types):
    assert DeclaredTypes(schema).at() == types


def test_types_at_a_nested_path_unite_all_branches():
    schema = {
        "anyOf": [
            {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "string"}},
            {"type": "object", "properties": {"a": {"type": "boolean"}}, "additionalProperties": {"type": "null"}},
            {"type": "array", "items": {"type": "array"}},
        ]
    }
    types = DeclaredTypes(schema)
    assert types.at((0,)) == {"integer", "array"}
    assert types.at((7,)) == {"string", "array"}
    assert types.at(("a",)) == {"boolean"}
    assert types.at(("b",)) == {"null"}
    assert types.at(("a", 0, "x")) == ANY
