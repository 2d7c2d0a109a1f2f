import pytest

from coatcheck.arguments.resolver import resolve_arguments
from coatcheck.errors import ArgumentRejected, ObjectNotFound, PathNotFound

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "string"}, {"type": "array"}]},
        "count": {"type": "integer"},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
        "files": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "$defs": {"Row": {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}}},
}


@pytest.fixture
def stored(explorer):
    explorer.store.put({"rows": [{"id": 1}], "count": 7, "bad": [{"id": "x"}], "at": "@obj_001"})
    return explorer


@pytest.mark.anyio
async def test_arguments_without_references_come_back_as_the_same_object(stored):
    arguments = {"text": "user@obj_001.com", "rows": [{"id": 1}], "count": "[1, 2]"}
    assert await resolve_arguments(arguments, SCHEMA, stored) is arguments
    arguments = {"text": "@alice"}
    assert await resolve_arguments(arguments, SCHEMA, stored) is arguments


@pytest.mark.anyio
async def test_strings_get_text_and_all_else_gets_values_at_any_depth(stored):
    arguments = {
        "text": "@obj_001.rows",
        "maybe": "@obj_001.count",
        "either": "@obj_001.rows",
        "rows": [{"id": "@obj_001.count", "note": "@obj_001.count"}],
        "files": {"a": "@obj_001.count"},
        "undeclared": ["@obj_001.count"],
    }
    resolved = await resolve_arguments(arguments, SCHEMA, stored)
    assert resolved == {
        "text": '[{"id":1}]',
        "maybe": "7",
        "either": [{"id": 1}],
        "rows": [{"id": 7, "note": "7"}],
        "files": {"a": "7"},
        "undeclared": [7],
    }


@pytest.mark.anyio
@pytest.mark.parametrize("as_json", [False, True])
async def test_what_takes_a_string_or_null_gets_a_stored_null(explorer, as_json):
    explorer.store.put(None)
    explorer.store.put({"empty": None, "said": "null"})
    for reference in ("@obj_001", "@obj_002.empty"):
        given = {"maybe": reference, "text": reference}
        resolved = await resolve_arguments(given, SCHEMA, explorer, as_json=as_json)
        assert resolved == {"maybe": None, "text": "null"}
    given = {"maybe": "@obj_002.said"}
    assert await resolve_arguments(given, SCHEMA, explorer, as_json=as_json) == {"maybe": "null"}


@pytest.mark.anyio
async def test_text_goes_into_a_string_parameter_exactly(explorer):
    text = ' {"b":1.0,  "a":[1e3]}\r\n\ttab é \U0001f600\n'
    explorer.store.put(text)
    assert await resolve_arguments({"text": "@obj_001"}, SCHEMA, explorer) == {"text": text}


@pytest.mark.anyio
async def test_resolved_values_are_not_scanned_again_and_escapes_are_undone(stored):
    resolved = await resolve_arguments({"text": "@obj_001.at", "maybe": "@@obj_001"}, SCHEMA, stored)
    assert resolved == {"text": "@obj_001", "maybe": "@obj_001"}


@pytest.mark.anyio
async def test_what_leads_nowhere_is_refused(stored):
    with pytest.raises(ObjectNotFound):
        await resolve_arguments({"text": "@obj_404"}, SCHEMA, stored)
    with pytest.raises(PathNotFound):
        await resolve_arguments({"text": "@obj_001.none"}, SCHEMA, stored)


@pytest.mark.anyio
async def test_a_value_that_does_not_fit_is_refused_with_what_was_expected(stored):
    with pytest.raises(ArgumentRejected, match=r'"rows".*@obj_001\.bad.*\[0\]\.id.*integer') as refused:
        await resolve_arguments({"rows": "@obj_001.bad"}, SCHEMA, stored)
    assert len(str(refused.value)) < 600
    with pytest.raises(ArgumentRejected, match=r'"count".*integer.*array'):
        await resolve_arguments({"count": "@obj_001.rows"}, SCHEMA, stored)


@pytest.mark.anyio
async def test_faults_in_other_arguments_are_left_to_the_server(stored):
    resolved = await resolve_arguments({"text": "@obj_001.count", "count": "5"}, SCHEMA, stored)
    assert resolved == {"text": "7", "count": "5"}


@pytest.mark.anyio
async def test_a_schema_that_points_elsewhere_fetches_nothing_and_refuses_nothing(stored):
    schema = {"type": "object", "properties": {"count": {"$ref": "https://example.invalid/schema.json"}}}
    assert await resolve_arguments({"count": "@obj_001.count"}, schema, stored) == {"count": 7}
