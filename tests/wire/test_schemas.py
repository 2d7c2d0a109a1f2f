import copy

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.arguments.schemas import reference_schema, welcome_references, widen_output

TYPES = st.sampled_from(["string", "integer", "boolean", "array", "object", "null"])
LEAVES = st.one_of(
    TYPES.map(lambda kind: {"type": kind}),
    st.just({}),
    st.just({"enum": ["a", "b"]}),
    st.just({"type": "string", "format": "uri", "title": "T", "default": "x"}),
    st.just({"$ref": "#/$defs/Node"}),
    st.just({"type": ["string", "null"]}),
)


def _nested(inner):
    return st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda p: {"type": "object", "properties": p}),
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.map(lambda values: {"type": "object", "additionalProperties": values}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
    )


SCHEMAS = st.dictionaries(st.sampled_from("pqrs"), st.recursive(LEAVES, _nested, max_leaves=8)).map(
    lambda properties: {
        "type": "object",
        "properties": properties,
        "$defs": {
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "n": {"type": "number"}}}
        },
    }
)


@given(SCHEMAS)
def test_every_parameter_welcomes_a_reference_and_twice_is_once(schema):
    before = copy.deepcopy(schema)
    welcomed = welcome_references(schema)
    assert schema == before
    assert welcome_references(welcomed) == welcomed
    jsonschema.Draft202012Validator.check_schema(welcomed)
    jsonschema.validate(dict.fromkeys(schema["properties"], "@obj_001.items[3]"), welcomed)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6,
)


@given(SCHEMAS, st.dictionaries(st.sampled_from("pqrs"), JSON))
def test_whatever_fitted_still_fits(schema, arguments):
    if jsonschema.Draft202012Validator(schema).is_valid(arguments):
        jsonschema.validate(arguments, welcome_references(schema))


def test_titles_descriptions_and_defaults_stay_outside():
    schema = {
        "properties": {"n": {"type": "integer", "title": "N", "description": "How many", "default": 3, "minimum": 1}}
    }
    assert welcome_references(schema)["properties"]["n"] == {
        "title": "N",
        "description": "How many",
        "default": 3,
        "anyOf": [{"type": "integer", "minimum": 1}, reference_schema()],
    }


def test_plain_strings_stay_and_narrow_strings_are_widened():
    properties = {
        "plain": {"type": "string"},
        "anything": {},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "short": {"type": "string", "maxLength": 3},
        "chosen": {"type": "string", "enum": ["a"]},
    }
    welcomed = welcome_references({"type": "object", "properties": properties})["properties"]
    assert {name for name in properties if welcomed[name] == properties[name]} == {"plain", "anything", "maybe"}


def test_pointers_into_properties_still_lead_to_the_same_place():
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "object", "properties": {"x": {"type": "integer"}}},
            "b": {"$ref": "#/properties/a/properties/x"},
        },
    }
    welcomed = welcome_references(schema)
    jsonschema.validate({"a": {"x": 1}, "b": 2}, welcomed)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"b": "two"}, welcomed)


@given(SCHEMAS, JSON)
def test_a_widened_output_takes_what_the_original_took_and_stored_results(schema, value):
    widened = widen_output(schema)
    assert widen_output(widened) == widened
    assert widened["type"] == "object"
    jsonschema.validate({"$stored": {"reference": "@obj_1"}}, widened)
    if not (isinstance(value, dict) and "$stored" in value):
        assert jsonschema.Draft202012Validator(schema).is_valid(value) == jsonschema.Draft202012Validator(
            widened
        ).is_valid(value)


def test_an_output_schema_that_refers_to_its_own_root_stays_true():
    tree = {"type": "object", "properties": {"child": {"$ref": "#"}, "n": {"type": "integer"}}, "required": ["n"]}
    widened = widen_output(tree)
    jsonschema.validate({"n": 1, "child": {"n": 2}}, widened)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"n": 1, "child": {"$stored": {}}}, widened)


def test_a_parameter_that_travels_in_a_header_stays_as_strict_clients_want_it():
    from mcp.shared.inbound import find_invalid_x_mcp_header

    schema = {
        "type": "object",
        "properties": {"count": {"type": "integer", "x-mcp-header": "Count"}, "other": {"type": "integer"}},
    }
    welcomed = welcome_references(schema)
    assert find_invalid_x_mcp_header(welcomed) is None
    assert welcomed["properties"]["count"] == schema["properties"]["count"]
    assert welcomed["properties"]["other"] != schema["properties"]["other"]


def test_data_that_looks_like_a_pointer_stays_and_properties_of_any_name_are_followed():
    data = {"$ref": "#/properties/tree"}
    schema = {
        "type": "object",
        "properties": {
            "tree": {"type": "integer", "default": data, "examples": [data]},
            "fixed": {"const": data},
            "one_of": {"enum": [data, 1]},
            "const": {"$ref": "#/properties/tree"},
            "enum": {"$ref": "#/properties/tree"},
        },
    }
    widened = widen_output(schema)
    moved = widened["$defs"]["Original"]["properties"]
    for name in ("tree", "fixed", "one_of"):
        assert moved[name] == schema["properties"][name]
    checker = jsonschema.Draft202012Validator(widened)
    assert checker.is_valid({"fixed": data, "one_of": data, "const": 1, "enum": 2})
    assert not checker.is_valid({"const": "text"})
    assert not checker.is_valid({"enum": "text"})
