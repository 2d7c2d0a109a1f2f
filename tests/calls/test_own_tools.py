from typing import Annotated

import pytest
from pydantic import Field

from coatcheck.calls.built_in_tools import normalized_arguments, own_tool
from coatcheck.codec.tool_results import text_result
from coatcheck.errors import ArgumentRejected, ObjectNotFound


async def look(object_id: Annotated[str, Field(description="Which.")], start: int = 0, *, raw: bool = False) -> str:
    """Look at an object.

    Closely.
    """
    if object_id == "gone":
        raise ObjectNotFound("obj_1")
    if object_id == "secret":
        raise RuntimeError("password: swordfish")
    return f"{object_id} {start} {raw}"


def plainly(text: str) -> str:
    return text.upper()


def test_signature_and_docstring_become_the_tools_list_entry():
    tool = own_tool(look, annotations={"readOnlyHint": True}, title="Look")
    entry = tool.advertise("other_name")
    assert entry == {
        "name": "other_name",
        "title": "Look",
        "description": "Look at an object.\n\nClosely.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "object_id": {"type": "string", "description": "Which."},
                "start": {"type": "integer", "default": 0},
                "raw": {"type": "boolean", "default": False},
            },
            "required": ["object_id"],
        },
        "annotations": {"readOnlyHint": True},
    }
    assert tool.advertise("third")["inputSchema"] is entry["inputSchema"]  # not generated for each list


@pytest.mark.anyio
async def test_a_call_is_answered_with_text():
    answer = await own_tool(look).call({"object_id": "a", "start": 2})
    assert answer == {"content": [{"type": "text", "text": "a 2 False"}], "isError": False}
    assert (await own_tool(plainly).call({"text": "a"}))["content"][0]["text"] == "A"


@pytest.mark.anyio
async def test_expected_errors_keep_their_text_and_others_reveal_nothing():
    gone = await own_tool(look).call({"object_id": "gone"})
    assert gone["isError"] is True
    assert "@obj_1" in gone["content"][0]["text"]
    secret = await own_tool(look).call({"object_id": "secret"})
    assert secret["isError"] is True
    assert "swordfish" not in secret["content"][0]["text"]


@pytest.mark.anyio
async def test_invalid_arguments_are_named():
    refused = await own_tool(look).call({"object_id": 1, "start": "many"})
    assert refused["isError"] is True
    assert '"object_id"' in refused["content"][0]["text"]
    assert '"start"' in refused["content"][0]["text"]


@pytest.mark.anyio
async def test_an_unknown_argument_is_refused_with_the_known_ones():
    refused = await own_tool(look).call({"object_id": "a", "strat": 2})
    assert refused == text_result(
        is_error=True,
        text='There is no argument "strat". Did you mean start? This tool takes object_id, start (optional), raw (optional).',
    )


@pytest.mark.anyio
async def test_a_missing_argument_is_named_with_the_known_ones():
    refused = await own_tool(look).call({"start": 2})
    assert refused == text_result(
        is_error=True,
        text='The argument "object_id" is missing. This tool takes object_id, start (optional), raw (optional).',
    )


@pytest.mark.anyio
async def test_null_means_the_default_of_an_optional_argument_only():
    assert await own_tool(look).call({"object_id": "a", "start": None}) == await own_tool(look).call({"object_id": "a"})
    assert (await own_tool(look).call({"object_id": None}))["isError"] is True


@pytest.mark.anyio
async def test_all_arguments_may_be_one_json_text():
    tool = own_tool(look)
    assert await tool.call('{"object_id": "a", "start": 2}') == await tool.call({"object_id": "a", "start": 2})
    assert await tool.call("object_id=a") == text_result(
        is_error=True,
        text="The arguments must be an object. This tool takes object_id, start (optional), raw (optional).",
    )


@pytest.mark.anyio
async def test_an_object_may_be_given_as_json_text_and_text_parameters_stay_text():
    async def bind(text: str, more: dict[str, str] | None = None) -> str:
        return f"{text} {more}"

    called = await own_tool(bind).call({"text": '{"a": 1}', "more": '{"b": "@obj_2"}'})
    assert called["content"][0]["text"] == """{"a": 1} {'b': '@obj_2'}"""
    refused = await own_tool(bind).call({"text": "", "more": "no object"})
    assert refused["isError"]


async def bind(names: dict[str, str] | None = None) -> str:
    return repr(names)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("given", "read"),
    [("{}", "{}"), ('{"a": "b"}', "{'a': 'b'}"), ({}, "{}"), (None, "None")],
)
async def test_an_object_even_an_empty_one_may_be_given_as_json_text(given, read):
    answer = await own_tool(bind).call({"names": given})
    assert answer["content"][0]["text"] == read


@pytest.mark.anyio
@pytest.mark.parametrize("given", ["[]", "no object", "{"])
async def test_a_text_that_is_not_an_object_is_refused_for_an_object_parameter(given):
    assert "names" in (await own_tool(bind).call({"names": given}))["content"][0]["text"]


@pytest.mark.parametrize(
    ("names", "given", "meant"),
    [
        (("object_id", "path"), "reference", "object_id"),
        (("object_id", "filter"), "jq", "filter"),
        (("object_id", "filter"), "query", "filter"),
        (("object_id", "pattern"), "query", "pattern"),
        (("object_id", "pattern", "limit", "start"), "max_results", "limit"),
        (("object_id", "pattern", "limit", "start"), "offset", "start"),
        (("object_id", "start", "end"), "limit", "end"),
        (("object_id", "path"), "key", "path"),
        (("object_id", "pattern", "case_sensitive"), "-i", "case_sensitive"),
        (("object_id", "pattern", "context"), "after", "context"),
    ],
)
def test_an_argument_with_another_tool_s_name_for_it_is_accepted(
    names: tuple[str, ...], given: str, meant: str
) -> None:
    with pytest.raises(
        ArgumentRejected, match=rf'There is no argument "{given}"\. Did you mean {meant}\? This tool takes'
    ):
        normalized_arguments({"object_id": "obj_1", given: 1}, names, names[:1])
