"""Results of prepared calls: notes, filters, and facts about omitted parts for programs."""

import json

import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.backends.wrapper import BackendWrapper
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.limits import CallBudget, Limits
from coatcheck.codec import decode_result
from coatcheck.errors import ArgumentRejected, FilterError
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore

pytestmark = pytest.mark.anyio

ROWS = [{"id": number, "name": f"user {number}"} for number in range(500)]


def text_result(text):
    return {"content": [{"type": "text", "text": text}]}


def texts(result):
    return [block["text"] for block in result["content"] if block["type"] == "text"]


@pytest.fixture
def explorer(store, sandbox):
    return Explorer(store, sandbox=sandbox)


@pytest.fixture
def interceptor(explorer):
    return Interceptor(explorer)


async def test_an_existing_reference_inside_a_longer_text_adds_a_note_to_the_result(explorer, interceptor):
    explorer.store.put("x")
    given = {"body": "see @obj_001.a and @obj_404, not a@obj_001", "more": ["and @obj_001"]}
    call = await interceptor.prepare("send", given)
    assert call.arguments is given
    small = text_result("sent")
    answer = await interceptor.result("send", small, call=call)
    assert texts(answer)[0] == "sent"
    assert len(texts(answer)) == 3
    assert '@obj_001.a in the argument "body" was passed as text' in texts(answer)[1]
    assert "{{@obj_001.a}}" in texts(answer)[1]
    assert "obj_404" not in "".join(texts(answer))
    quiet = await interceptor.prepare("send", {"body": "nothing here"})
    assert await interceptor.result("send", small, call=quiet) is small


async def test_capacity_is_reserved_for_the_bytes_of_each_object_before_it_is_inserted(explorer, interceptor):
    reserved = []

    async def reserve(size: int) -> None:
        reserved.append(size)

    explorer.store.put("text")
    explorer.store.put([1] * 100)
    await interceptor.prepare("send", {"a": "none", "_filter": "length"}, reserve=reserve)
    assert reserved == []
    await interceptor.prepare("send", {"a": "@obj_001", "b": ["@obj_002[0]"]}, reserve=reserve)
    assert list(filter(None, reserved)) == [4, 201]
    assert reserved[0] == 0  # before anything is read


@pytest.mark.parametrize(
    ("written", "reads"),
    [("@obj_001", 1), ("@obj_001[3]", 1), ("{{@obj_001[3]}}", 2), ("@obj_002", 2)],
    ids=["small", "a path into a small one", "inside a text, which looks whether it exists", "large"],
)
async def test_a_small_object_is_read_together_with_its_size(sandbox, written, reads):
    calls = []

    class Counted(BackendWrapper):
        async def apeek(self, key, size):
            calls.append(key)
            return await super().apeek(key, size)

        async def aget(self, key):
            calls.append(key)
            return await super().aget(key)

    async def reserve(_size: int) -> None:
        pass

    store = ObjectStore(Counted(InMemoryBackend()))
    for count in (10, 50_000):
        store.put([1] * count)
    interceptor = Interceptor(Explorer(store, sandbox=sandbox))
    await interceptor.prepare("send", {"a": written}, as_json=True, reserve=reserve)
    assert len(calls) == reads


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("look at @obj_001.items[3].name, please", "@obj_001.items[3].name"),
        ("in (@obj_001.rows[-1]).", "@obj_001.rows[-1]"),
        ("it is in @obj_001. Then go on", "@obj_001"),
        ("all of @obj_001.a... and", "@obj_001.a"),
        ('say "@obj_001[bad].x"', "@obj_001"),
    ],
)
async def test_a_note_suggests_braces_with_the_path_that_was_written(explorer, interceptor, text, written):
    explorer.store.put("x")
    call = await interceptor.prepare("send", {"body": text})
    answer = await interceptor.result("send", text_result("sent"), call=call)
    assert f"write {{{{{written}}}}};" in texts(answer)[1]


async def test_a_filter_is_removed_from_the_call_and_its_output_replaces_the_result(explorer, interceptor):
    call = await interceptor.prepare("list", {"limit": 500, "_filter": "length"})
    assert call.arguments == {"limit": 500}
    result = {**text_result("500 rows"), "structuredContent": {"rows": ROWS}}
    call.filter = ".rows | length"
    answer = await interceptor.result("list", result, call=call)
    assert texts(answer)[0] == "500"
    assert "@obj_001" in texts(answer)[1]
    assert answer["structuredContent"]["$stored"] == {"reference": "@obj_001", "preview": "500"}
    stored = explorer.store.read("obj_001")
    assert decode_result(stored.metadata, stored.payload) == result


async def test_a_filter_applies_to_structured_content_that_the_text_repeats(interceptor):
    structure = {"rows": ROWS[:3]}
    call = await interceptor.prepare("list", {"_filter": "[.rows[].id]"})
    result = {**text_result(json.dumps(structure)), "structuredContent": structure}
    assert texts(await interceptor.result("list", result, call=call))[0] == "[0,1,2]"


async def test_a_filter_applies_to_small_results_and_to_results_that_are_never_kept(explorer):
    interceptor = Interceptor(explorer, limits=Limits(never=("*",)))
    call = await interceptor.prepare("list", {"_filter": ".[0].id"})
    answer = await interceptor.result("list", text_result('[{"id": 7}]'), call=call)
    assert texts(answer)[0] == "7"


async def test_a_filter_that_fails_leaves_the_normal_result_with_a_note(explorer, interceptor):
    call = await interceptor.prepare("list", {"_filter": ".a.b.c"})
    small = await interceptor.result("list", text_result("[1]"), call=call)
    assert texts(small)[0] == "[1]"
    assert "_filter was not applied" in texts(small)[1]
    call = await interceptor.prepare("list", {"_filter": ".a.b.c"})
    large = await interceptor.result("list", text_result("[" + "1, " * 9_000 + "1]"), call=call)
    assert texts(large)[0].startswith("@obj_002")
    assert "_filter was not applied" in texts(large)[-1]
    assert len(explorer.store.list()) == 2


async def test_an_invalid_filter_is_refused_before_the_server_is_called(interceptor):
    with pytest.raises(FilterError):
        await interceptor.prepare("list", {"_filter": ".["})
    with pytest.raises(ArgumentRejected, match="jq filter"):
        await interceptor.prepare("list", {"_filter": 5})


async def test_errors_are_not_filtered_and_null_means_no_filter(interceptor):
    call = await interceptor.prepare("list", {"_filter": "length"})
    failed = {**text_result("no such table"), "isError": True}
    assert await interceptor.result("list", failed, call=call) is failed
    assert (await interceptor.prepare("list", {"_filter": None})).filter is None


OWN_FILTER = {"properties": {"_filter": {"type": "string", "maxLength": 9}}}


@pytest.mark.parametrize(
    "schema",
    [
        OWN_FILTER,
        {"$ref": "#/$defs/Request", "$defs": {"Request": OWN_FILTER}},
        {"allOf": [{"properties": {"n": {}}}, OWN_FILTER]},
        {"oneOf": [{"required": ["n"]}, {"$ref": "#/$defs/Request"}], "$defs": {"Request": OWN_FILTER}},
        {**OWN_FILTER, "anyOf": [{"required": [f"n{number}"]} for number in range(1_000)]},
    ],
    ids=["properties", "reference", "all of", "one of", "many branches"],
)
async def test_a_tool_with_a_parameter_of_that_name_keeps_it(explorer, schema):
    interceptor = Interceptor(explorer, filter_argument="advertised")
    tool = {"name": "list", "inputSchema": {"type": "object", **schema}}
    listed = (await interceptor.tools_list({"tools": [tool]}))["tools"][0]["inputSchema"]
    assert "jq" not in json.dumps(listed)
    given = {"_filter": ".["}
    assert (await interceptor.prepare("list", given)).arguments is given


@pytest.mark.parametrize("mode", ["off", "accepted", "advertised"])
async def test_the_argument_can_be_switched_off_or_advertised(explorer, mode):
    interceptor = Interceptor(explorer, filter_argument=mode)
    tool = {"name": "list", "inputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    listed = (await interceptor.tools_list({"tools": [tool]}))["tools"][0]["inputSchema"]["properties"]
    assert ("_filter" in listed) == (mode == "advertised")
    prepared = await interceptor.prepare("list", {"_filter": None})
    assert ("_filter" in prepared.arguments) == (mode == "off")


async def test_programs_can_read_which_parts_were_omitted(explorer, interceptor):
    result = {**text_result("line of text\n" * 1_000), "_meta": {"vendor": 1}}
    short = await interceptor.result("log", result)
    omitted = short["_meta"]["coatcheck/omitted"]
    assert short["_meta"]["vendor"] == 1
    assert omitted["reference"] == "@obj_001"
    assert omitted["size"] == 13_000
    assert omitted["shown"] == len(texts(short)[0])
    created = explorer.store.metadata("obj_001").created
    assert omitted["expires"] == pytest.approx(created + explorer.store.ttl)


async def test_a_result_is_kept_only_if_its_notice_is_at_most_half_as_long(explorer):
    interceptor = Interceptor(explorer, inline_limit=100)
    small = text_result("word " * 110)
    assert await interceptor.result("t", small) is small
    for size in (700, 2_000, 9_000, 50_000):
        result = text_result("word " * (size // 5))
        short = await interceptor.result("t", result)
        assert "@obj" in texts(short)[0]
        assert len(texts(short)[0]) <= min(size // 2, 4_000)
    always = Interceptor(explorer, limits=Limits(100, always=("*",)))
    assert "Kept: @obj" in texts(await always.result("t", small))[1]


async def test_a_result_without_content_is_measured_by_its_structured_content(explorer, interceptor):
    short = await interceptor.result("t", {"structuredContent": {"rows": ROWS}})
    assert "@obj_001" in texts(short)[0]
    assert short["structuredContent"]["$stored"]["reference"] == "@obj_001"


async def test_concurrent_calls_share_a_budget(explorer):
    interceptor = Interceptor(explorer, limits=Limits(2_000, for_concurrent_calls=5_000))
    budget = CallBudget()
    kept = []
    for _ in range(4):
        budget.call_started()
        answer = await interceptor.result("t", text_result("word " * 380), budget=budget)
        kept.append("@obj" in texts(answer)[0])
    assert kept == [False, False, True, True]
    budget.call_ended()
