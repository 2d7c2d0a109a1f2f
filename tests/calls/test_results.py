import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coatcheck.backends.memory import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.result_plan import build, build_error, plan
from coatcheck.codec import decode_result
from coatcheck.codec.tool_results import measure_result
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore

BLOCKS = st.one_of(
    st.builds(lambda n, c: {"type": "text", "text": c * n}, st.integers(0, 9_000), st.sampled_from("aé\n")),
    st.builds(
        lambda n: {"type": "image", "data": "A" * n, "mimeType": "image/png"}, st.sampled_from([4, 999_996, 1_200_000])
    ),
    st.builds(lambda n: {"type": "resource", "resource": {"uri": "x:y", "blob": "A" * n}}, st.integers(0, 9_000)),
    st.builds(lambda n: {"type": "resource", "resource": {"uri": "x:y", "text": "t" * n}}, st.integers(0, 9_000)),
    st.builds(lambda n: {"type": "resource_link", "uri": "x:" + "l" * n, "name": "n"}, st.integers(0, 900)),
    st.builds(lambda n: {"type": "vendor", "payload": ["p"] * n}, st.integers(0, 3_000)),
)
RESULTS = st.builds(
    lambda blocks, structured, error: (
        {"content": blocks, "_meta": {"a": 1}, "vendor": [2]}
        | ({"structuredContent": {"result": "s" * structured}} if structured is not None else {})
        | ({"isError": True} if error else {})
    ),
    st.lists(BLOCKS, max_size=9),
    st.none() | st.integers(0, 9_000),
    st.booleans(),
)


@settings(max_examples=50, deadline=None)
@given(RESULTS, st.integers(0, 5_000), st.integers(0, 5_000), st.booleans())
def test_a_notice_is_within_its_limit_and_other_keys_are_unchanged(result, inline, limit, promised):
    size = measure_result(result, 10**9)
    if size.larger <= inline:
        return
    made = plan(result, size, limit, has_output_schema=promised)
    if made is None:
        return
    preview = "@obj_1".ljust(made.remaining, "p")[: made.remaining]
    short = build_error(made, "@obj_1", preview) if result.get("isError") else build(made, "@obj_1", preview)
    texts = [block["text"] for block in short["content"] if block["type"] == "text"]
    assert sum(map(len, texts)) <= max(made.limit, 100)
    assert (short["_meta"], short["vendor"]) == ({"a": 1}, [2])
    assert short.get("isError") == result.get("isError")


@pytest.mark.anyio
async def test_a_short_result_is_returned_as_the_same_object(explorer):
    result = {"content": [{"type": "text", "text": "x" * 8_000}]}
    assert await Interceptor(explorer).result("t", result) is result


@pytest.mark.anyio
async def test_a_large_result_never_grows_and_can_be_rebuilt_exactly(explorer):
    result = {"content": [{"type": "text", "text": "x" * 8_001}], "structuredContent": {"a": 1.5}, "_meta": {"é": None}}
    short = await Interceptor(explorer).result("t", result)
    assert measure_result(short, 10**9).larger <= measure_result(result, 10**9).larger // 2
    stored = explorer.store.read("obj_001")
    assert decode_result(stored.metadata, stored.payload) == result


@pytest.mark.anyio
async def test_requests_for_input_and_tasks_pass(explorer):
    interceptor = Interceptor(explorer)
    for result in (
        {"resultType": "input_required", "inputRequests": {"a": {"method": "x" * 9_000}}},
        {"task": {"taskId": "x" * 9_000}},
    ):
        assert await interceptor.result("t", result) is result


class FailingBackend(InMemoryBackend):
    def set(self, key, value, ttl_seconds):
        raise ObjectStoreUnavailable("The object store does not answer at the moment.")


@pytest.mark.anyio
async def test_a_result_that_cannot_be_kept_passes_whole_if_it_fits_or_is_reported():
    interceptor = Interceptor(Explorer(ObjectStore(FailingBackend())))
    fits = {"content": [{"type": "text", "text": "x" * 9_000}]}
    assert await interceptor.result("t", fits) is fits
    large = {"content": [{"type": "text", "text": "word " * 9_000}]}
    short = (await interceptor.result("t", large))["content"][0]["text"]
    assert len(short) <= 4_000
    assert "not kept" in short
    assert "word" in short
    assert "@obj" not in short


@pytest.mark.anyio
async def test_promised_structured_content_is_added_if_the_result_has_none(explorer):
    interceptor = Interceptor(explorer)
    await interceptor.tools_list({"tools": [{"name": "t", "inputSchema": {}, "outputSchema": {"type": "object"}}]})
    short = await interceptor.result("t", {"content": [{"type": "text", "text": "x" * 90_000}]})
    assert short["structuredContent"]["$stored"]["reference"] == "@obj_001"
