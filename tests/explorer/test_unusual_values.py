"""Lone surrogates, integers of any size, and values that operations cannot process."""

import asyncio
import json

import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.calls.stored_resources import read_object
from coatcheck.codec import ToolResult, load_exactly
from coatcheck.errors import ArgumentRejected, CoatcheckError, ObjectUnreadable
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from tests.waiting import within

HALF = "\ud83d"
BIG = 12345678901234567890123456007


@pytest.fixture
def backend():
    return InMemoryBackend()


@pytest.fixture
def explorer(sandbox, backend):
    return Explorer(ObjectStore(backend), sandbox=sandbox)


def answers(explorer, object_id):
    """The answers of all operations on an object, including errors."""
    calls = [
        lambda: explorer.preview(object_id),
        lambda: explorer.explore(object_id),
        lambda: explorer.explore(object_id, "t"),
        lambda: explorer.slice(object_id),
        lambda: explorer.raw(object_id),
        lambda: explorer.search(object_id, "cut"),
        lambda: explorer.search(object_id, HALF),
        lambda: explorer.search(object_id, f"({HALF}"),
        lambda: explorer.query(object_id, "."),
        lambda: explorer.query(object_id, f'.["{HALF}"]'),
        lambda: explorer.replace(object_id, "cut", HALF),
        explorer.list,
    ]
    for call in calls:
        try:
            yield call()
        except CoatcheckError as error:
            yield str(error)


@pytest.mark.parametrize(
    "value",
    [
        f"cut {HALF} here",
        f"cut {HALF}\n" * 2000,
        {"t": f"cut {HALF}", HALF: 1},
        {"t": f"cut {HALF}", "rows": [HALF] * 3000},
        ToolResult({"content": [{"type": "text", "text": json.dumps({"t": f"cut {HALF}"})}]}),
        ToolResult({"content": [{"type": "text", "text": f"cut {HALF}"}]}),
    ],
    ids=["text", "long text", "object", "large object", "JSON in a result", "text in a result"],
)
def test_no_answer_contains_a_lone_surrogate(explorer, value):
    object_id = explorer.store.put(value, tool=f"tool {HALF}")
    for answer in answers(explorer, object_id):
        answer.encode()


def test_json_in_an_answer_contains_no_escaped_lone_surrogate(explorer):
    value = {"t": f"cut {HALF}", "whole": "\U0001f600", "escaped": r"\ud83d"}
    shown = explorer.explore(explorer.store.put(value))
    assert json.loads(shown) == value | {"t": "cut \ufffd"}


def test_a_value_with_a_lone_surrogate_is_passed_unchanged(explorer):
    assert explorer.resolve(explorer.store.put({"t": HALF}), "t") == HALF


@pytest.mark.parametrize("structured", [False, True], ids=["text", "text and structured content"])
def test_integers_of_any_size_inside_json_text_stay_exact(explorer, structured):
    rows = {"rows": [{"wei": BIG + number} for number in range(300)]}
    result = {"content": [{"type": "text", "text": json.dumps(rows)}]}
    if structured:
        result["structuredContent"] = rows
    object_id = explorer.store.put(ToolResult(result))
    assert explorer.resolve(object_id, "rows[7].wei") == BIG + 7
    assert explorer.explore(object_id, "rows[7]") == f'{{"wei":{BIG + 7}}}'
    assert explorer.query(object_id, ".rows[7].wei") == str(BIG + 7)
    assert str(BIG) in explorer.preview(object_id)


def test_a_number_beyond_a_double_is_null_in_every_answer(explorer):
    object_id = explorer.store.put('{"rows": [[1e400, -1e400]]}' + " " * 9_000)
    assert explorer.explore(object_id, "rows") == explorer.query(object_id, ".rows") == "[[null,null]]"
    assert "[null, null]" in explorer.slice(object_id, path="rows")


@pytest.mark.parametrize(
    "text",
    [
        "[1e400, 5]",
        "[[1e400]]\n[[5]]\n[[6]]\n",
        "Found:\n```json\n[1e400, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]\n```\n",
        "[(1e400, 'x'), (5, 'y')]",
    ],
    ids=["JSON", "lines", "JSON in prose", "Python"],
)
def test_a_number_beyond_a_double_is_not_found_as_infinity(explorer, text):
    object_id = explorer.store.put(text)
    assert "null" in explorer.query(object_id, ".")
    assert explorer.search(object_id, "inf").startswith("0 matches in")


def test_a_number_beyond_a_double_is_null_for_a_tool():
    assert load_exactly("[1e400, -1e400, 1e308, NaN, 5]") == [None, None, 1e308, None, 5]


@pytest.mark.parametrize("filter_", [".a", ".a | -.", "[.a] | add", "to_entries[0].value", ". == .", ".a + 1"])
def test_a_filter_accepts_an_integer_of_any_size(explorer, filter_):
    object_id = explorer.store.put({"a": 10**5000, "b": 1})
    answer = explorer.query(object_id, filter_)
    assert len(answer.splitlines()[-1]) > 3
    if filter_ == ".a":
        assert answer == "1" + "0" * 5000


@pytest.mark.parametrize(("filter_", "shown"), [("1e1000", "null"), ("[., -1e1000]", "[1,null]")])
def test_a_number_beyond_a_double_becomes_null_in_a_filter(explorer, filter_, shown):
    object_id = explorer.store.put(1)
    assert explorer.query(object_id, filter_) == shown
    kept = explorer.query(object_id, filter_, store=True).split()[-1].rstrip(".")
    assert explorer.resolve(kept) == json.loads(shown)


@pytest.mark.parametrize("filter_", [".b - .a", ".a == .b", "[.a, .b] | unique | length"])
def test_rounding_by_jq_is_reported_for_any_output(explorer, filter_):
    object_id = explorer.store.put({"a": 1234567890123456789, "b": 1234567890123456790})
    assert "computes and compares with 53 bits" in explorer.query(object_id, filter_)


@pytest.mark.parametrize(
    ("filter_", "is_reported"),
    [
        (".rows | map(select(.n > 1)) | length", False),
        ('.rows | map(select(.name == "x"))', False),
        (".rows | sort_by(.n) | map(.name)", False),
        (".rows | map(select(.id > 1)) | length", True),
        ('.rows | group_by(.["id"]) | length', True),
        (".rows | map(.n + .id | tostring) | length", True),
        (".rows | unique | length", True),
        (".rows | map(del(.name) | add) | length", True),
        ("[.. | numbers] | max > 5", True),
        (".rows[0] == .rows[1]", True),
        ("[.rows[][] | numbers | . + 1] | length", True),
        (".rows | map(to_entries | map(select(.value > 3))) | length", True),
        (".rows as [$a, $b] | $a == $b", True),
    ],
)
def test_rounding_is_reported_if_a_long_integer_is_involved(explorer, filter_, is_reported):
    rows = [{"id": 1234567890123456789 + n, "n": n, "name": f"1234567890123456{n}"} for n in range(3)]
    object_id = explorer.store.put({"rows": rows})
    assert ("53 bits" in explorer.query(object_id, filter_)) == is_reported


def test_digits_in_texts_do_not_count_as_long_integers(explorer):
    object_id = explorer.store.put({"a": "1234567890123456789", "b": "x 1234567890123456789 y", "n": 1})
    assert "53 bits" not in explorer.query(object_id, "[.a, .b] | sort | length")
    assert "53 bits" not in explorer.query(object_id, ".n + 1")


@pytest.mark.parametrize("filter_", [".a", "{a}", ".a // 0", "[.a, .b][-1]", '"a - b"', ".a |= ."])
def test_rounding_is_not_reported_if_jq_only_copies_integers(explorer, filter_):
    object_id = explorer.store.put({"a": 1234567890123456789, "b": 1234567890123456790})
    assert "53 bits" not in explorer.query(object_id, filter_)


def test_a_long_yaml_text_is_processed_as_plain_text_with_the_reason(explorer):
    text = "".join(f"- name: item {number}\n  value: {number}\n" for number in range(20_000))
    object_id = explorer.store.put(text)
    assert "Longer than the 400,000 characters of YAML that are read" in explorer.preview(object_id)
    assert explorer.slice(object_id, 0, 1).endswith("0: - name: item 0")
    assert "1 match in 1 line" in explorer.search(object_id, "item 19999$")


@pytest.mark.parametrize("value", ['!!timestamp "x"', "!!bool maybe", "!!set {[1]: }", "!!int x", "*none"])
def test_yaml_with_a_value_that_does_not_fit_its_tag_is_plain_text(explorer, value):
    object_id = explorer.store.put(f"a: 1\nb: {value}\n")
    assert explorer.slice(object_id, 0, 1).endswith("0: a: 1")
    assert explorer.query(object_id, "length") == str(len(f"a: 1\nb: {value}\n"))


@pytest.mark.parametrize("number", ["9" * 300_000, f'!!int "{"9" * 300_000}"', f'!!float "{"9" * 300_000}"'])
def test_a_number_of_any_length_in_yaml_is_read_in_time(explorer, number):
    object_id = explorer.store.put(f"a: 1\nb: {number}\n")
    with within(3):
        assert explorer.explore(object_id, "a") == "1"


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2028", "\x0b", "\x85"])
def test_json_between_other_kinds_of_spaces_accepts_filters(explorer, space):
    rows = json.dumps([{"a": number} for number in range(900)])
    object_id = explorer.store.put(f"{space}{rows}{space}")
    assert "Text in JSON" in explorer.preview(object_id)
    assert explorer.query(object_id, ".[7].a") == "7"


@pytest.mark.parametrize("tag", ["!!float", "!!int"])
def test_a_sexagesimal_number_of_yaml_is_text(explorer, tag):
    object_id = explorer.store.put(f'a: {tag} "{"1:" * 40_000}1"\nb: 1\n')
    assert "text of 2 lines" in explorer.preview(object_id)
    assert explorer.slice(object_id, 1, 2).endswith("1: b: 1")


def test_a_pattern_may_contain_named_characters(explorer):
    object_id = explorer.store.put("a — b\n" * 3)
    assert explorer.search(object_id, r"\N{EM DASH}").startswith("3 matches")


def test_corrupt_bytes_are_reported_and_the_worker_keeps_running(explorer, backend, sandbox):
    object_id = explorer.store.put({"a": list(range(100_000))})
    stored = backend.get(object_id)
    backend.set(object_id, stored[:-2] + b"!!", None)
    assert explorer.search(explorer.store.put("x"), "x").startswith("1 match")
    pids = sandbox.pids()
    for call in (explorer.preview, explorer.explore, lambda each: explorer.search(each, "1")):
        with pytest.raises(ObjectUnreadable, match="another program may have changed them"):
            call(object_id)
    with pytest.raises(ObjectUnreadable, match="another program may have changed them"):
        explorer.store.fetch(object_id)
    assert sandbox.pids() == pids


def store_bytes(explorer, backend, kind, payload):
    """Store bytes as another program may have written them, under a valid id."""
    object_id = explorer.store.put({"a": 1})
    facts = {"kind": kind, "size": len(payload), "type": "string", "length": 1, "created": 1, "version": 1}
    backend.set(object_id, json.dumps(facts).encode() + b"\n" + payload, None)
    return object_id


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("json", b"[1,2,"),
        ("json", b'["\xed\xa0\xbd"]'),
        ("json", b""),
        ("text", b"\xff\xfe"),
        ("result", b"[]"),
        ("result", b'{"content": [{"type": "text", "text": "\xff"}]}'),
    ],
)
def test_a_reference_to_corrupt_bytes_is_reported(explorer, backend, kind, payload):
    object_id = store_bytes(explorer, backend, kind, payload)
    for call in (
        explorer.resolve,
        lambda each: explorer.resolve(each, "a"),
        lambda each: explorer.resolve(each, "a", as_text=True),
        lambda each: asyncio.run(explorer.afind_json(each)),
        lambda each: asyncio.run(explorer.aresolve(each)),
    ):
        with pytest.raises(ObjectUnreadable, match="another program may have changed them"):
            call(object_id)


@pytest.mark.parametrize("kind", ["json", "text", "result"])
def test_reading_the_exact_text_of_corrupt_bytes_is_reported(explorer, backend, kind):
    object_id = store_bytes(explorer, backend, kind, b'{"a": "\xff"}')
    for call in (explorer.raw, lambda each: asyncio.run(read_object(f"coatcheck://objects/{each}", explorer))):
        with pytest.raises(ObjectUnreadable, match="another program may have changed them"):
            call(object_id)


def test_an_unexpected_error_is_a_sentence_and_the_worker_keeps_running(explorer, sandbox):
    object_id = explorer.store.put("abc")
    explorer.search(object_id, "a")
    pids = sandbox.pids()
    with pytest.raises(ArgumentRejected, match="does not work on this value"):
        explorer.run("replace", object_id, pattern="a", replacement=7, case_sensitive=True)
    with pytest.raises(ArgumentRejected, match="is too large for this operation"):
        explorer.run("search", object_id, pattern="a", start=float("inf"))
    assert sandbox.pids() == pids
