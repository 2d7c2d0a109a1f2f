"""Properties that hold for every value and every limit."""

import ast
import json
import re
from typing import Any

import jq
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from coatcheck.codec import dump_json, open_json_text
from coatcheck.explorer.previews import Subject, render, render_whole
from coatcheck.explorer.previews.shape import Shape, describe
from coatcheck.explorer.previews.wording import escape_line_breaks, mark_lines
from coatcheck.references import parse_path, walk

REFERENCE = "@obj_7xY.data[3]"
ODD_TEXT = st.text(st.characters(codec=None), max_size=30)
KEYS = st.one_of(
    st.sampled_from(
        [
            "id",
            "name",
            "content-type",
            "a b",
            "items",
            "$ref",
            "_id",
            "if",
            "and",
            "1st",
            "",
            'q"q',
            "é",
            "\\(x)",
            "a.b",
            "[0]",
        ]
    ),
    ODD_TEXT,
    st.text("k", min_size=100, max_size=300),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**200, max_value=10**250),
    st.floats(),
    ODD_TEXT,
    st.sampled_from(["open", "closed"]),
    st.text("ab \n\x1b", min_size=150, max_size=400),
)
RECORD = {"id": st.integers(), "state": st.sampled_from(["open", "closed"])}


def values(most: int) -> st.SearchStrategy[Any]:
    """JSON-like values whose lists and objects have at most ``most`` members."""
    return st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=most),
            st.dictionaries(KEYS, inner, max_size=min(most, 12)),
            st.lists(st.fixed_dictionaries(RECORD, optional={"body": inner}), max_size=most),
            st.dictionaries(
                st.integers(0, 10**6).map("u{}".format), st.fixed_dictionaries({"x": inner}), max_size=most
            ),
            st.fixed_dictionaries({"total": st.integers(), "items": st.lists(inner, max_size=most)}),
        ),
        max_leaves=60,
    )


VALUES = values(40)
SMALL_VALUES = values(20)
LIMITS = st.one_of(st.integers(0, 400), st.integers(0, 20_000))
THOROUGH = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def preview(value: Any, limit: int = 20_000, reference: str = "@obj_7") -> str:
    return render(value, Subject(reference, 1000, "tool"), limit).text


def calls(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The suggested calls of a preview: tool and arguments."""
    found = []
    for line in text.splitlines():
        match = re.match(r"(?:Next: )?(object_store_\w+\(.*\))$", line)
        if match:
            call = ast.parse(match.group(1), mode="eval").body
            assert isinstance(call, ast.Call)
            assert isinstance(call.func, ast.Name)
            found.append((call.func.id, {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}))
    return found


@THOROUGH
@given(value=st.one_of(VALUES, st.text(st.characters(codec=None))), limit=LIMITS)
def test_a_preview_never_exceeds_its_limit_and_never_shows_a_part_of_the_reference(value: Any, limit: int) -> None:
    text = preview(value, limit, REFERENCE)
    assert len(text) <= limit
    text.encode()
    assert text.startswith(REFERENCE) or (text == "" and limit < len(REFERENCE))
    assert (
        re.search(r"@obj_7(?!xY)|@obj_(?!7xY)|@(?=$)", re.sub(r'".*"', "", text.splitlines()[0] if text else ""))
        is None
    )
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


@THOROUGH
@given(value=VALUES, limit=LIMITS)
def test_a_preview_of_a_value_that_was_not_kept_suggests_no_calls(value: Any, limit: int) -> None:
    text = preview(value, limit, "")
    assert len(text) <= limit
    assert "object_store_" not in text
    assert "Any argument may be" not in text


@THOROUGH
@given(value=VALUES)
def test_every_field_and_count_of_a_shape_is_true(value: Any) -> None:
    check_shape(describe([value]), [value])


def check_shape(shape: Shape, found: list[Any]) -> None:
    """Compare a shape with all values at its path: facts about all values must be exact, facts about a sample must exist."""
    records = [item for item in found if isinstance(item, dict)]
    arrays = [item for item in found if isinstance(item, list)]
    assert (shape.objects is None) == (not records)
    assert (shape.arrays is None) == (not arrays)
    assert set(shape.scalars) == {kind(item) for item in found} - {"object", "array"}
    if shape.objects is not None:
        check_objects(shape, records)
    if shape.arrays is not None:
        lengths = [len(array) for array in arrays]
        assert (shape.arrays.lengths.least, shape.arrays.lengths.most) == (min(lengths), max(lengths))
        if shape.arrays.items is not None and shape.arrays.complete:
            items = [item for array in arrays for item in array]
            assert shape.arrays.looked_at == len(items)
            check_shape(shape.arrays.items, items)


def check_objects(shape: Shape, records: list[dict[str, Any]]) -> None:
    objects = shape.objects
    assert objects is not None
    assert objects.seen == len(records)
    assert (objects.keys.least, objects.keys.most) == (min(map(len, records)), max(map(len, records)))
    if objects.values is not None:
        assert all(any(name in record for record in records) for name in objects.examples)
        if objects.complete:
            check_shape(objects.values, [member for record in records for member in record.values()])
    elif objects.fields is not None:
        everything = {name for record in records for name in record}
        assert set(objects.fields) <= everything
        if objects.keys.most <= 40:
            assert objects.hidden == len(everything) - len(objects.fields)
        for name, field in objects.fields.items():
            column = [record[name] for record in records if name in record]
            assert field.seen == len(column)
            check_shape(field, column)


def kind(item: Any) -> str:
    text = dump_json(item).decode()
    first = {"{": "object", "[": "array", '"': "string", "t": "boolean", "f": "boolean", "n": "null"}
    return first.get(text[0], "integer" if re.fullmatch(r"-?\d+", text) else "number")


@THOROUGH
@given(value=VALUES, base=st.sampled_from(["", ".data", '["a b"][3]']))
@example(value={"a": 1, "b": [1, 2]}, base="")
@example(value=[[1], [2], [3]], base=".data")
def test_every_path_of_a_sample_and_of_a_call_resolves(value: Any, base: str) -> None:
    value = json.loads(dump_json(value))
    text = preview(value, reference=f"@obj_7{base}")
    steps = parse_path(base).steps
    for label in re.findall(r"^([.\[].*?\]|\.[\w$@.\[\]-]+): ", text, re.MULTILINE):
        if " x " in label or "…" in label:
            continue
        path = parse_path(label)
        assert path.steps[: len(steps)] == steps
        walk(value, type(path)(path.steps[len(steps) :]))
    suggested = calls(text)
    for tool, arguments in suggested:
        assert arguments["object_id"] == "@obj_7"
        path = parse_path(arguments.get("path", ""))
        assert path.steps[: len(steps)] == steps
        there = walk(value, type(path)(path.steps[len(steps) :]))
        if tool == "object_store_slice":
            assert 0 <= arguments["start"] < arguments["end"] <= len(there)
    if isinstance(value, list) and value:
        assert suggested


@THOROUGH
@given(value=SMALL_VALUES)
@example(value={"content-type": {"and": [{"1st": 1, "if": 2, "\\(x)": 3}]}})
@example(value=[{"__loc__": 1, "reduce": 2, 'a"b': 3}] * 3)
@example(value=[{"id": 0, "body": [{"id": 0, "state": "a"}]}, {"id": 0, "body": {"total": 0, "items": []}}])
@example(value=[[], {"total": 0, "items": [{"u0": {"x": None}}]}])
@example(value=[{"total": 0, "items": [{}]}, {"total": 0, "items": ["a" * 153]}])
def test_the_suggested_filter_is_jq_that_gives_output_for_the_value(value: Any) -> None:
    document = dump_json(value).decode()
    assume("\\ud" not in document)  # jq's parser refuses lone surrogates, with any filter
    for tool, arguments in calls(preview(value)):
        if tool == "object_store_query":
            part = walk(json.loads(document), parse_path(arguments.get("path", "")))
            assert jq.compile(arguments["filter"]).input_text(dump_json(part).decode()).all()


@THOROUGH
@given(value=VALUES)
def test_the_suggested_pattern_occurs_in_the_value(value: Any) -> None:
    for tool, arguments in calls(preview(value)):
        if tool == "object_store_grep":
            assert arguments["pattern"] in json.dumps(value, ensure_ascii=False)


@THOROUGH
@given(
    value=st.lists(
        st.fixed_dictionaries({"id": st.integers(0, 9), "text": st.text("abc", max_size=200)}), min_size=1, max_size=60
    ),
    limit=LIMITS,
)
def test_omitted_and_shown_items_add_up(value: list[Any], limit: int) -> None:
    text = preview(value, limit)
    samples = dict(re.findall(r"^\[(\d+)\]: (.*)$", text, re.MULTILINE))
    left_out = re.search(r"^(Left out: .*\.|Nothing is left out\.)$", text, re.MULTILINE)
    if left_out is None:
        return
    note = left_out.group()
    items = re.search(r"(\d+) of (\d+) items?", note)
    assert (
        (int(items[1]), int(items[2])) == (len(value) - len(samples), len(value))
        if items
        else len(samples) == len(value)
    )
    if "long text" in note:
        assert f"{sum(sample.count('…(+') for sample in samples.values())} long text" in note
    for position, sample in samples.items():
        whole = value[int(position)]
        shown = re.search(r'"text":"([abc]*)(?:…\(\+(\d+) character)?', sample)
        if shown:
            assert len(shown[1]) + int(shown[2] or 0) == len(whole["text"])
        hidden = re.search(r"…\+(\d+) key", sample)
        assert len(re.findall(r'"(?:id|text)":', sample)) + int(hidden[1] if hidden else 0) == len(whole)


@THOROUGH
@given(lines=st.lists(st.text("ab", max_size=300), max_size=400), limit=LIMITS)
def test_omitted_and_shown_lines_of_a_text_add_up(lines: list[str], limit: int) -> None:
    value = "\n".join(lines)
    text = preview(value, limit)
    shown = re.findall(r"^(\d+)\| ([ab]*)(?:…\(\+(\d+) characters?\))?$", text, re.MULTILINE)
    for number, start, more in shown:
        assert lines[int(number)].startswith(start)
        assert len(lines[int(number)]) == len(start) + int(more or 0)
    match = re.search(r"lines? ([\d,]+)(?: to ([\d,]+))?, counted from 0", text)
    if shown and "eft out" in text:
        expected = set(range(value.count("\n") + (value != "" and not value.endswith("\n")))) - {
            int(n) for n, _, _ in shown
        }
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        assert set(range(first, last + 1)) == expected


@THOROUGH
@given(value=VALUES, limit=LIMITS, tight=st.booleans())
@example(value=[{"name": "x" * 30}] * 5, limit=0, tight=True)
@example(value=[10**90, {"\x85": None}], limit=0, tight=True)
def test_a_whole_rendering_is_the_value_or_nothing(value: Any, limit: int, tight: bool) -> None:
    exact = mark_lines(value) if isinstance(value, str) else escape_line_breaks(dump_json(value).decode())
    assume("\\ud" not in exact)  # lone surrogates are replaced in answers
    limit = len(exact) if tight else limit
    text = render_whole(value, limit)
    if text is None:
        assert len(exact) > limit
    else:
        assert len(text) <= limit
        assert text == exact if isinstance(value, str) else json.loads(text) == json.loads(exact)


@THOROUGH
@given(value=st.one_of(st.lists(VALUES, max_size=5), st.dictionaries(st.text(max_size=5), VALUES, max_size=5)))
def test_json_inside_a_text_is_previewed_by_its_structure(value: Any) -> None:
    written = dump_json(value).decode()
    assume(open_json_text(written) is not None)
    assert "Text in JSON; paths and filters work on it" in preview(written)
