import pytest

from coatcheck.arguments.resolver import MAX_NOTES
from coatcheck.backends import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.errors import ArgumentRejected, ObjectNotFound, PathNotFound, ReferenceSyntaxError
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from tests.arguments.argument_resolution import resolve_arguments

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
    explorer.store.put({"rows": [{"id": 1}], "count": 7, "bad": [{"id": "x"}], "names": ["a"], "at": "@obj_001"})
    return explorer


@pytest.mark.anyio
async def test_arguments_without_references_are_returned_as_the_same_object(stored):
    arguments = {"text": "user@obj_001.com", "rows": [{"id": 1}], "count": "[1, 2]"}
    assert await resolve_arguments(arguments, SCHEMA, stored) is arguments
    arguments = {"text": "@alice"}
    assert await resolve_arguments(arguments, SCHEMA, stored) is arguments


@pytest.mark.anyio
async def test_string_parameters_receive_text_and_others_values_at_any_depth(stored):
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
async def test_a_nullable_string_parameter_receives_a_stored_null(explorer, as_json):
    explorer.store.put(None)
    explorer.store.put({"empty": None, "said": "null"})
    for reference in ("@obj_001", "@obj_002.empty"):
        given = {"maybe": reference, "text": reference}
        resolved = await resolve_arguments(given, SCHEMA, explorer, as_json=as_json)
        assert resolved == {"maybe": None, "text": "null"}
    given = {"maybe": "@obj_002.said"}
    assert await resolve_arguments(given, SCHEMA, explorer, as_json=as_json) == {"maybe": "null"}


@pytest.mark.anyio
async def test_a_string_parameter_receives_the_exact_text(explorer):
    text = ' {"b":1.0,  "a":[1e3]}\r\n\ttab é \U0001f600\n'
    explorer.store.put(text)
    assert await resolve_arguments({"text": "@obj_001"}, SCHEMA, explorer) == {"text": text}


@pytest.mark.anyio
@pytest.mark.parametrize("length", [3, 3_000_000])
async def test_a_string_parameter_receives_bytes_as_base64(explorer, length):
    explorer.store.put({"file": b"\xff" * length})
    explorer.store.put(b"\xff" * length)
    given = {"text": "@obj_001.file", "maybe": "@obj_002", "either": "data:x;base64,{{@obj_002}}"}
    resolved = await resolve_arguments(given, SCHEMA, explorer)
    encoded = "////" * (length // 3)
    assert resolved == {"text": encoded, "maybe": encoded, "either": f"data:x;base64,{encoded}"}
    assert await resolve_arguments({"other": "@obj_001.file.bytes"}, SCHEMA, explorer) == {"other": length}


@pytest.mark.anyio
async def test_resolved_values_are_not_scanned_again_and_escapes_are_undone(stored):
    resolved = await resolve_arguments({"text": "@obj_001.at", "maybe": "@@obj_001"}, SCHEMA, stored)
    assert resolved == {"text": "@obj_001", "maybe": "@obj_001"}


@pytest.mark.anyio
async def test_a_reference_to_nothing_is_refused(stored):
    with pytest.raises(ObjectNotFound):
        await resolve_arguments({"text": "@obj_404"}, SCHEMA, stored)
    with pytest.raises(PathNotFound):
        await resolve_arguments({"text": "@obj_001.none"}, SCHEMA, stored)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": "@obj_001.rows"}, r'"count" takes integer, but @obj_001\.rows leads to an array with 1 item'),
        ({"rows": "@obj_001.count"}, r'"rows" takes array, but @obj_001\.count leads to an integer, 7'),
        (
            {"rows": "@obj_001.names"},
            r'"rows" takes an array of object, but at \[0\] in @obj_001\.names there is a string',
        ),
        ({"rows": [{"id": "@obj_001.at"}]}, r'"rows\[0\]\.id" takes integer, but @obj_001\.at leads to a string'),
    ],
)
async def test_a_value_of_another_type_is_refused_with_the_expected_type(stored, arguments, message):
    with pytest.raises(ArgumentRejected, match=message) as refused:
        await resolve_arguments(arguments, SCHEMA, stored)
    assert len(str(refused.value)) < 400


@pytest.mark.anyio
async def test_deeper_values_are_validated_by_the_server(stored):
    passed = await resolve_arguments({"rows": "@obj_001.bad"}, SCHEMA, stored)
    assert passed == {"rows": [{"id": "x"}]}


@pytest.mark.anyio
async def test_faults_in_other_arguments_are_left_to_the_server(stored):
    resolved = await resolve_arguments({"text": "@obj_001.count", "count": "5"}, SCHEMA, stored)
    assert resolved == {"text": "7", "count": "5"}


@pytest.mark.anyio
async def test_a_schema_with_an_external_pointer_fetches_nothing_and_refuses_nothing(stored):
    schema = {"type": "object", "properties": {"count": {"$ref": "https://example.invalid/schema.json"}}}
    assert await resolve_arguments({"count": "@obj_001.count"}, schema, stored) == {"count": 7}


FORMS = {
    "type": "object",
    "properties": {
        "list": {"type": "array", "items": {"type": "string"}},
        "number": {"type": "number"},
        "number_or_text": {"type": ["number", "string"]},
        "object": {"type": "object", "additionalProperties": {"type": "string"}},
        "text": {"type": "string"},
        "flag": {"type": "boolean"},
    },
}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "given", "received"),
    [
        ("list", "@obj_001.json", ["a", "b"]),
        ("list", '["@obj_001.n", "x"]', ["5", "x"]),
        ("list", ' ["@obj_001.n"]\n', ["5"]),
        ("list", '"@obj_001.json"', ["a", "b"]),
        ("list", '["a"]', '["a"]'),
        ("list", '{"a": "@obj_001.n"}', '{"a": "@obj_001.n"}'),
        ("number", "@obj_001.n", 5),
        ("number", "@obj_001.digits", 123456789012345678901234567890),
        ("number_or_text", "@obj_001.digits", "123456789012345678901234567890"),
        ("number_or_text", "@obj_001.list", "[1,2]"),
        ("object", '{"a": "@obj_001.list", "b": "{{@obj_001.n}} €"}', {"a": "[1,2]", "b": "5 €"}),
        ("text", '["@obj_001.n"]', '["@obj_001.n"]'),
        ("flag", "@obj_001.yes", True),
    ],
)
async def test_a_parameter_receives_the_form_that_it_accepts(explorer, name, given, received):
    explorer.store.put({
        "json": '["a", "b"]', "n": 5, "digits": "123456789012345678901234567890", "list": [1, 2], "yes": "true",
    })  # fmt: skip
    for as_json in (False, True):
        passed = await resolve_arguments({name: given}, FORMS, explorer, as_json=as_json)
        assert passed == {name: received}
        assert type(passed[name]) is type(received)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "received"),
    [
        ("Dear {{@obj_001.name}}, you owe {{@obj_001.sum}}.", "Dear Eve, you owe 12.50."),
        ("{{@obj_001.name}}", "Eve"),
        ("{{@@obj_001.name}}", "{{@obj_001.name}}"),
        ("{{name}} {% if x %} ${HOME} { {@obj_001.name} }", "{{name}} {% if x %} ${HOME} { {@obj_001.name} }"),
        ("{{@obj_404.name}}", "{{@obj_404.name}}"),
        ("{{@obj_001.quote}} {{@obj_001.quote}}", "say {{@obj_001.name}} say {{@obj_001.name}}"),
    ],
)
async def test_braces_inside_a_longer_text_are_replaced_by_the_text_of_an_object(explorer, given, received):
    explorer.store.put({"name": "Eve", "sum": "12.50", "quote": "say {{@obj_001.name}}"})
    assert await resolve_arguments({"text": given}, FORMS, explorer) == {"text": received}


@pytest.mark.anyio
async def test_a_missing_path_in_braces_is_an_error(stored):
    with pytest.raises(PathNotFound):
        await resolve_arguments({"text": "a {{@obj_001.none}}"}, SCHEMA, stored)
    with pytest.raises(ReferenceSyntaxError):
        await resolve_arguments({"text": "a {{@obj_001.rows[*]}}"}, SCHEMA, stored)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ("@OBJ_001", "Did you mean @obj_001?"),
        ("@Obj_001.rows", r"Did you mean @obj_001\.rows\?"),
        ("@obj-001", "Did you mean @obj_001?"),
        ("`@obj_001.rows`", "without quotes, backticks, spaces or punctuation"),
        (" @obj_001 ", "without quotes, backticks, spaces or punctuation"),
        ("@obj_001.rows[*].id", "no wildcard"),
        ("@obj_001.", "Write @obj_001 alone"),
        ("(@obj_001.rows),", r"Write @obj_001\.rows alone"),
        ("@obj_001..rows", "malformed"),
    ],
)
async def test_a_near_miss_of_an_existing_reference_is_an_error(stored, given, advice):
    for arguments in ({"text": given}, {"undeclared": [{"deep": given}]}):
        with pytest.raises(ArgumentRejected, match=advice):
            await resolve_arguments(arguments, SCHEMA, stored)
    literal = f"@{given}"
    if given.startswith("@"):
        assert await resolve_arguments({"text": literal}, SCHEMA, stored) == {"text": given}


@pytest.mark.anyio
@pytest.mark.parametrize(
    "text", ["@object", "@obelix", "@OBJ_777", "@obj_x[*]", "@obj_001 is nice", "`@obj_9x`", "@ob"]
)
async def test_text_that_only_resembles_a_reference_passes(stored, text):
    given = {"text": text, "undeclared": [text]}
    assert await resolve_arguments(given, SCHEMA, stored) is given


@pytest.mark.anyio
async def test_near_misses_are_not_searched_if_objects_cannot_be_listed():
    store = ObjectStore(InMemoryBackend(), may_list=lambda: False)
    explorer = Explorer(store)
    object_id = store.put({"rows": [1]})
    given = {"text": f"@{object_id.upper()}"}
    assert await resolve_arguments(given, SCHEMA, explorer) is given
    with pytest.raises(ObjectNotFound) as raised:
        await resolve_arguments({"text": f"@{object_id}x"}, SCHEMA, explorer)
    assert "Did you mean" not in str(raised.value)


@pytest.mark.anyio
async def test_a_reference_to_nothing_suggests_a_similar_one(stored):
    with pytest.raises(ObjectNotFound, match=r"Did you mean @obj_001\.rows\?"):
        await resolve_arguments({"text": "@obj_0O1.rows"}, SCHEMA, stored)


@pytest.mark.anyio
async def test_an_existing_id_without_its_sign_passes_with_a_note(stored):
    given = {"text": "obj_001.rows", "either": ["obj_none", "object", "obj_001"]}
    call = await Interceptor(stored).prepare("tool", given, SCHEMA)
    assert call.arguments == given
    assert len(call.notes) == 2
    assert call.notes[0].endswith("To pass the value of the stored object, write @obj_001.rows.")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("see @obj_001.rows.", "@obj_001.rows"),
        ("Dear {{obj_001.rows}},", "obj_001.rows"),
        ("Dear {{ obj_001.rows }},", "obj_001.rows"),
        ("Dear {{ @obj_001.rows }},", "@obj_001.rows"),
        ("Dear {obj_001.rows},", "obj_001.rows"),
        ("Dear {@obj_001.rows},", "@obj_001.rows"),
        ("Dear @{obj_001.rows},", "obj_001.rows"),
        ("Dear ${obj_001.rows},", "obj_001.rows"),
        ("@{obj_001.rows}", "obj_001.rows"),
    ],
)
async def test_an_existing_reference_in_a_longer_text_passes_with_a_note(stored, text: str, written: str):
    call = await Interceptor(stored).prepare("tool", {"text": text}, SCHEMA)
    assert call.arguments == {"text": text}
    (note,) = call.notes
    assert note.startswith(f"{written} in the argument ")
    assert "write {{@obj_001.rows}}; to pass its value" in note


@pytest.mark.anyio
@pytest.mark.parametrize("text", ["a {{obj_404}} b", "a {{obj_404.x}} {{name}}", "a@{obj_001} b", "a {{my_obj_001}} b"])
async def test_other_templates_pass_without_a_note(stored, text: str):
    call = await Interceptor(stored).prepare("tool", {"text": text}, SCHEMA)
    assert (call.arguments, call.notes) == ({"text": text}, [])


@pytest.mark.anyio
async def test_the_notes_about_one_call_are_bounded(stored):
    given = {"text": "".join(f"{{{{@obj_{number}}}}} " for number in range(500))}
    call = await Interceptor(stored).prepare("tool", given, SCHEMA)
    assert call.arguments == given
    assert len(call.notes) == MAX_NOTES
