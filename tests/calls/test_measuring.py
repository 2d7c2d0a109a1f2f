import json

from hypothesis import given
from hypothesis import strategies as st

from coatcheck.codec.characters import MEDIA_LIMIT, count_json_characters
from coatcheck.codec.tool_results import ResultSize, measure_result

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.text("aé ", max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text("ab", max_size=3), inner, max_size=4)),
)


@given(JSON)
def test_the_size_is_the_length_as_compact_json(value):
    assert count_json_characters(value, 10**9) == len(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


@given(JSON, st.integers(0, 50))
def test_a_limit_is_exceeded_exactly_when_the_whole_is_longer(value, limit):
    assert (count_json_characters(value, limit) > limit) == (count_json_characters(value, 10**9) > limit)


def test_measuring_does_not_walk_a_large_value():
    seen = 0

    class Rows(list):
        def __iter__(self):
            nonlocal seen
            for row in super().__iter__():
                seen += 1
                yield row

    rows = Rows({"id": number, "name": "x" * 20} for number in range(300_000))
    assert measure_result({"content": [], "structuredContent": {"result": rows}}, 4_000).larger > 4_000
    assert 0 < seen < 4_000


def test_content_and_structured_content_are_measured_separately():
    result = {"content": [{"type": "text", "text": "x" * 90}], "structuredContent": {"a": "x" * 90}}
    assert measure_result(result, 1_000) == ResultSize(text=90, structure=98)
    assert measure_result(result, 1_000).larger == 98


def test_images_count_only_beyond_the_media_limit():
    picture = {"type": "image", "mimeType": "image/png", "data": "A" * MEDIA_LIMIT}
    assert measure_result({"content": [picture]}, 4_000).larger == 0
    assert measure_result({"content": [picture, {**picture, "data": "AAAA" * 2_000}]}, 4_000).larger > 4_000
