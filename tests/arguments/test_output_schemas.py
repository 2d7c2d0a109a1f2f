import copy

import jsonschema
import pytest
from hypothesis import given

from coatcheck.arguments.output_schemas import allow_stored
from tests.arguments.schema_strategies import JSON, SCHEMAS

STORED = {"$stored": {"reference": "@obj_1", "preview": "…"}}
TREE = {"type": "object", "properties": {"child": {"$ref": "#"}, "n": {"type": "integer"}}, "required": ["n"]}


@given(SCHEMAS, JSON)
def test_a_widened_output_schema_accepts_original_and_stored_results(schema, value):
    before = copy.deepcopy(schema)
    widened = allow_stored(schema)
    assert schema == before
    assert allow_stored(widened) == widened
    assert widened["type"] == "object"
    jsonschema.validate(STORED, widened)
    if not (isinstance(value, dict) and "$stored" in value):
        assert jsonschema.Draft202012Validator(schema).is_valid(value) == jsonschema.Draft202012Validator(
            widened
        ).is_valid(value)


N = {"type": "integer"}
ROOTS = {
    "properties": ({"type": "object", "properties": {"n": N}}, {"n": 1}, {"n": "x"}),
    "required": ({"type": "object", "properties": {"n": N}, "required": ["n"]}, {"n": 1}, {}),
    "closed": (
        {"type": "object", "properties": {"n": N}, "required": ["n"], "additionalProperties": False},
        {"n": 1},
        {"n": 1, "m": 2},
    ),
    "typed rest": (
        {"type": "object", "properties": {"n": N}, "additionalProperties": {"type": "string"}},
        {"n": 1, "m": "x"},
        {"n": 1, "m": 2},
    ),
    "nothing required": ({"type": "object", "properties": {"n": N}, "required": []}, {}, {"n": "x"}),
    "definitions": (
        {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}, "required": ["n"], "$defs": {"N": N}},
        {"n": 1},
        {"n": "x"},
    ),
    "recursive": (TREE, {"n": 1, "child": {"n": 2}}, {"n": 1, "child": {"n": "x"}}),
    "any object": ({"type": "object"}, {"a": 1}, []),
    "open mapping": ({"type": "object", "additionalProperties": True}, {"a": 1}, []),
    "typed mapping": ({"type": "object", "additionalProperties": N}, {"a": 1}, {"a": "x"}),
    "empty object": ({"type": "object", "additionalProperties": False}, {}, {"a": 1}),
    "pointed mapping": (
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/N"}, "$defs": {"N": N}},
        {"a": 1},
        {"a": "x"},
    ),
    "recursive mapping": ({"type": "object", "additionalProperties": {"$ref": "#"}}, {"a": {"b": {}}}, {"a": 1}),
    "reference": ({"$ref": "#/$defs/O", "$defs": {"O": {"type": "object", "required": ["n"]}}}, {"n": 1}, {}),
    "union": (
        {
            "anyOf": [
                {"type": "object", "properties": {"n": N}, "required": ["n"]},
                {"type": "object", "required": ["m"]},
            ]
        },
        {"m": 1},
        {},
    ),
    "all of": ({"type": "object", "allOf": [{"required": ["n"]}], "properties": {"n": N}}, {"n": 1}, {}),
    "condition": (
        {"type": "object", "properties": {"n": N}, "if": {"required": ["n"]}, "then": {"required": ["m"]}},
        {"n": 1, "m": 1},
        {"n": 1},
    ),
    "at least": ({"type": "object", "properties": {"n": N}, "minProperties": 2}, {"n": 1, "m": 1}, {"n": 1}),
    "patterns": ({"type": "object", "patternProperties": {"^n": N}}, {"n": 1}, {"n": "x"}),
    "names": ({"type": "object", "propertyNames": {"maxLength": 1}}, {"n": 1}, {"nn": 1}),
    "unevaluated": (
        {"type": "object", "properties": {"n": N}, "unevaluatedProperties": False},
        {"n": 1},
        {"m": 1},
    ),
    "dependent": (
        {"type": "object", "properties": {"n": N}, "dependentRequired": {"n": ["m"]}},
        {"n": 1, "m": 1},
        {"n": 1},
    ),
    "required alone": ({"type": "object", "required": ["n"]}, {"n": 1}, {}),
    "array": ({"type": "array", "items": N}, [1], ["x"]),
}


@pytest.mark.parametrize("name", ROOTS)
def test_every_kind_of_root_accepts_a_stored_result_and_validates_others_as_before(name):
    schema, good, bad = ROOTS[name]
    widened = allow_stored(schema)
    check = jsonschema.Draft202012Validator(widened)
    jsonschema.Draft202012Validator.check_schema(widened)
    assert check.is_valid(STORED)
    assert check.is_valid(good)
    assert not check.is_valid(bad)
    assert allow_stored(widened) == widened


def test_an_object_with_properties_gets_one_more_property():
    schema = {"type": "object", "title": "Page", "properties": {"n": N}, "required": ["n"], "x-vendor": 1}
    assert allow_stored(schema) == {
        "type": "object",
        "title": "Page",
        "properties": {"n": N, "$stored": {}},
        "anyOf": [{"required": ["n"]}, {"required": ["$stored"]}],
        "x-vendor": 1,
    }
    assert "anyOf" not in allow_stored({"type": "object", "properties": {"n": N}})


def test_a_schema_that_allows_any_member_is_unchanged():
    for schema in ({"type": "object"}, {"type": "object", "additionalProperties": True, "title": "T"}):
        assert allow_stored(schema) is schema


def test_a_result_that_fastmcp_wrapped_may_be_missing():
    schema = {"type": "object", "properties": {"result": N}, "required": ["result"], "x-fastmcp-wrap-result": True}
    assert allow_stored(schema)["properties"]["result"] == {"anyOf": [N, {"type": "null"}]}


def test_a_schema_that_is_too_deep_to_rewrite_promises_an_object():
    deep = {"type": "integer"}
    for _ in range(3_000):
        deep = {"anyOf": [deep]}
    assert allow_stored(deep) == {"type": "object"}
    deep = {"type": "object", "properties": {"a": deep}}
    assert allow_stored(deep)["properties"]["a"] is deep["properties"]["a"]


def test_data_that_looks_like_a_pointer_is_unchanged_and_properties_of_any_name_are_followed():
    data = {"$ref": "#/properties/tree"}
    schema = {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "tree": {"type": "integer", "default": data, "examples": [data]},
            "fixed": {"const": data},
            "one_of": {"enum": [data, 1]},
            "const": {"$ref": "#/properties/tree"},
            "enum": {"$ref": "#/properties/tree"},
        },
    }
    widened = allow_stored(schema)
    moved = widened["$defs"]["Original"]["properties"]
    for name in ("tree", "fixed", "one_of"):
        assert moved[name] == schema["properties"][name]
    checker = jsonschema.Draft202012Validator(widened)
    assert checker.is_valid({"fixed": data, "one_of": data, "const": 1, "enum": 2})
    assert not checker.is_valid({"const": "text"})
    assert not checker.is_valid({"enum": "text"})
