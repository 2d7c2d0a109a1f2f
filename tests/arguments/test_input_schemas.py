import copy

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coatcheck.arguments.input_schemas import REFERENCE, advertise_references
from tests.arguments.schema_strategies import JSON, SCHEMAS


@given(SCHEMAS)
def test_the_original_is_unchanged_and_rewriting_is_idempotent(schema):
    before = copy.deepcopy(schema)
    advertised = advertise_references(schema)
    assert schema == before
    assert advertise_references(advertised) == advertised
    jsonschema.Draft202012Validator.check_schema(advertised)


@given(SCHEMAS, st.dictionaries(st.sampled_from("pqrs"), JSON))
def test_valid_arguments_stay_valid(schema, arguments):
    if jsonschema.Draft202012Validator(schema).is_valid(arguments):
        jsonschema.validate(arguments, advertise_references(schema))


def test_titles_descriptions_and_defaults_stay_outside_the_branches():
    schema = {"type": "object", "properties": {"rows": {
        "type": "array", "title": "Rows", "description": "All of them", "default": [], "minItems": 1,
    }}}  # fmt: skip
    assert advertise_references(schema)["properties"]["rows"] == {
        "title": "Rows",
        "description": "All of them",
        "default": [],
        "anyOf": [{"type": "array", "minItems": 1}, REFERENCE],
    }


ADVERTISED = {
    "array": {"type": "array", "items": {"type": "integer"}},
    "object": {"type": "object", "properties": {"depth": {"type": "integer"}, "inner": {"type": "array"}}},
    "array_or_null": {"anyOf": [{"type": "array"}, {"type": "null"}], "default": None},
    "integer_or_array": {"type": ["integer", "array"]},
    "pointed": {"$ref": "#/$defs/Row"},
    "untyped": {},
    "described": {"description": "Anything."},
}
PLAIN = {
    "integer": {"type": "integer"},
    "number": {"type": "number", "description": "How many."},
    "flag": {"type": "boolean"},
    "mode": {"type": "string", "enum": ["fast", "slow"]},
    "untyped_mode": {"enum": ["fast", ["slow"]]},
    "fixed": {"const": {"a": 1}},
    "text": {"type": "string", "maxLength": 3},
    "text_or_null": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "text_or_array": {"type": ["string", "array"]},
    "long_mode": {"type": "string", "enum": [f"option {n}" for n in range(500)]},
    "nothing": {"type": "null"},
}


def test_references_are_advertised_on_top_level_arrays_objects_and_untyped_parameters_only():
    schema = {"type": "object", "properties": ADVERTISED | PLAIN, "$defs": {"Row": {"type": "object"}}}
    shown = advertise_references(schema)["properties"]
    assert {name: shown[name] for name in PLAIN} == PLAIN
    for name in ADVERTISED:
        assert shown[name]["anyOf"][-1] == REFERENCE, name
    assert shown["object"]["anyOf"][0] == ADVERTISED["object"]
    assert shown["array_or_null"] == {"default": None, "anyOf": [{"type": "array"}, {"type": "null"}, REFERENCE]}


def test_the_reference_branch_has_no_pattern_because_some_model_servers_refuse_patterns():
    assert REFERENCE == {"type": "string", "description": "@obj_1"}


def test_a_schema_without_such_parameters_is_the_same_object():
    schema = {"type": "object", "properties": PLAIN}
    assert advertise_references(schema) is schema


DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#"}


def test_draft_7_is_not_repeated_in_each_tool_where_the_schema_means_the_same_without_it():
    schema = {"type": "object", "properties": PLAIN, "additionalProperties": False}
    assert advertise_references(DRAFT_7 | schema) == schema
    rows = {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "string"}}}}
    assert advertise_references(DRAFT_7 | rows) == advertise_references(rows) != rows


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
        {"$schema": "http://json-schema.org/draft-04/schema#", "type": "object"},
        {"$schema": 7, "type": "object"},
        {**DRAFT_7, "properties": {"pair": {"type": "string", "items": [{"type": "integer"}, {"type": "string"}]}}},
        {**DRAFT_7, "properties": {"a": {"$ref": "#/definitions/Row", "type": "string"}}, "definitions": {"Row": {}}},
        {**DRAFT_7, "anyOf": [{"dependencies": {"a": ["b"]}}]},
        {**DRAFT_7, "unevaluatedProperties": False},
        {**DRAFT_7, "enum": [{"a": n} for n in range(20_001)]},
    ],
)
def test_a_schema_that_may_mean_something_else_without_its_draft_keeps_it(schema):
    assert advertise_references(schema)["$schema"] == schema["$schema"]


def test_pointers_into_properties_still_have_the_same_target():
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "object", "properties": {"x": {"type": "array"}}},
            "b": {"$ref": "#/properties/a/properties/x"},
        },
    }
    advertised = advertise_references(schema)
    jsonschema.validate({"a": {"x": []}, "b": []}, advertised)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"b": 2}, advertised)


def test_a_parameter_that_is_sent_in_a_header_is_unchanged():
    schema = {
        "type": "object",
        "properties": {"count": {"type": "array", "x-mcp-header": "Count"}, "other": {"type": "array"}},
    }
    advertised = advertise_references(schema)
    assert advertised["properties"]["count"] == schema["properties"]["count"]
    assert advertised["properties"]["other"] != schema["properties"]["other"]


@pytest.mark.parametrize("header", ["integer", "string", "boolean"])
def test_header_parameters_stay_valid_for_strict_clients(header):
    from mcp.shared.inbound import find_invalid_x_mcp_header

    schema = {"type": "object", "properties": {"count": {"type": header, "x-mcp-header": "Count"}, "rows": {}}}
    assert find_invalid_x_mcp_header(advertise_references(schema)) is None
