import base64
import json
import re
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coatcheck.backends import BreakerBackend, InMemoryBackend, SQLiteBackend
from coatcheck.codec import ToolResult
from coatcheck.errors import CoatcheckError, ObjectNotFound, ObjectStoreUnavailable, PathNotFound
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.references import Reference, parse_path
from tests.minimal_backend import FourMethods
from tests.results import reference_in
from tests.strategies import json_values

pytestmark = pytest.mark.anyio


def records(count: int) -> list[dict[str, Any]]:
    return [
        {"id": n, "name": f"name {n}", "author": {"login": f"user{n % 7}"}, "tags": ["a", "b"], "content-type": "text"}
        for n in range(count)
    ]


GIT_LOG = "\n".join(f"Commit: {n:040x}\nAuthor: Dev {n % 9}\nMessage: change number {n}\n" for n in range(2000))

LARGE = {
    "git log of 2 000 commits": GIT_LOG,
    "540 kB JSON text": json.dumps({"items": records(5000), "total": 5000}),
    "list of 5 000 records": records(5000),
    "dict of 5 000 keys": {f"key_{n}": {"size": n} for n in range(5000)},
}


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE.keys())
def test_a_large_result_reaches_the_model_in_under_4000_characters(explorer, value):
    preview = explorer.put_and_preview(value, tool="some_tool")
    assert len(preview) < 4000
    assert explorer.resolve(reference_in(preview)) == value


def test_a_question_about_a_log_is_answered_with_one_further_call(explorer):
    reference = reference_in(explorer.put_and_preview(GIT_LOG))
    assert "change number 1234" in explorer.search(reference, "number 1234$")


def test_a_question_about_json_in_text_is_answered_with_one_further_call(explorer):
    reference = reference_in(explorer.put_and_preview(LARGE["540 kB JSON text"]))
    assert "Paths" in explorer.preview(reference) or "paths" in explorer.preview(reference)
    assert explorer.explore(reference, "items[1234].name") == "name 1234"
    assert explorer.query(reference, '[.items[] | select(.author.login == "user3")] | length') == "714"


def test_a_question_about_records_is_answered_with_one_further_call(explorer):
    reference = reference_in(explorer.put_and_preview(LARGE["list of 5 000 records"]))
    assert explorer.query(reference, "map(.id) | add") == str(sum(range(5000)))
    assert "[4321].name" in explorer.search(reference, "name 4321")


def test_a_question_about_a_dict_is_answered_with_one_further_call(explorer):
    reference = reference_in(explorer.put_and_preview(LARGE["dict of 5 000 keys"]))
    assert explorer.explore(reference, "key_4000.size") == "4000"


def test_a_small_value_is_shown_whole_behind_its_reference(explorer):
    preview = explorer.put_and_preview({"answer": 42})
    assert reference_in(preview)
    assert '"answer":42' in preview
    assert explorer.put_and_preview("just text").endswith("\njust text")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    value=json_values | st.text(max_size=5000),
    limit=st.integers(500, 3000),
    path=st.sampled_from(["", "[0]", "items", ".a[0:3]", "bad[", "[-1].x"]),
    start=st.none() | st.integers(-(10**12), 10**12),
    end=st.none() | st.integers(-(10**12), 10**12),
)
def test_every_answer_is_within_its_limit_for_any_arguments(sandbox, value, limit, path, start, end):
    explorer = Explorer(ObjectStore(InMemoryBackend()), sandbox=sandbox, preview_limit=limit // 2, response_limit=limit)
    object_id = explorer.store.put(value)
    looks = [
        lambda: explorer.explore(object_id, path),
        lambda: explorer.slice(object_id, start, end, path),
        lambda: explorer.search(object_id, ".", path),
        lambda: explorer.query(object_id, "., .", path),
        lambda: explorer.replace(object_id, ".", "xx", path),
        lambda: explorer.raw(object_id, path, max(start or 0, 0)),
    ]
    for look in looks:
        try:
            assert len(look()) <= limit
        except CoatcheckError as error:
            assert len(str(error)) <= 1500
    try:
        assert len(explorer.preview(object_id, path)) <= limit // 2
    except CoatcheckError as error:
        assert len(str(error)) <= 1500


@pytest.mark.parametrize("look", ["explore", "slice", "search", "query", "raw"])
def test_a_huge_value_stays_within_the_limit_too(explorer, look):
    value = {"rows": [{"text": "x" * 3000, "n": n} for n in range(1000)], "y" * 50_000: 1}
    object_id = explorer.store.put(value)
    args = {"search": ("x",), "query": (".",)}.get(look, ())
    assert len(getattr(explorer, look)(object_id, *args)) <= explorer.response_limit


async def test_sync_and_async_methods_give_the_same_answers(explorer):
    object_id = explorer.store.put(records(500))
    assert await explorer.apreview(object_id) == explorer.preview(object_id)
    assert await explorer.aexplore(object_id, "[3]") == explorer.explore(object_id, "[3]")
    assert await explorer.aslice(object_id, 3, 9) == explorer.slice(object_id, 3, 9)
    assert await explorer.asearch(object_id, "name 7") == explorer.search(object_id, "name 7")
    assert await explorer.aquery(object_id, "length") == explorer.query(object_id, "length")
    assert await explorer.araw(object_id, "[0:50]") == explorer.raw(object_id, "[0:50]")
    assert await explorer.aresolve(object_id, "[7].author") == explorer.resolve(object_id, "[7].author")
    assert await explorer.alist() == explorer.list()


def test_a_single_item_is_counted_in_the_singular(explorer):
    explorer.store.put({"only": [7]})
    assert explorer.list().startswith("1 object, newest first:")
    assert explorer.slice("obj_001", path="only").startswith("All 1 item of @obj_001.only")


def test_joined_raw_pages_are_the_exact_text(explorer):
    text = "".join(f"line {n} é\r\n" for n in range(9000))
    object_id = explorer.store.put(text)
    pieces, start = [], 0
    while True:
        header, page = explorer.raw(object_id, start=start).split("\n", 1)
        pieces.append(page)
        follow = re.search(r"start=(\d+)\)", header)
        if follow is None:
            break
        start = int(follow.group(1))
    assert "".join(pieces) == text


def test_a_filter_or_replacement_creates_a_new_object_and_leaves_the_old_one(explorer):
    object_id = explorer.store.put({"names": ["ann", "bob"]})
    replaced = reference_in(explorer.replace(object_id, "b", "p").split("\n\n")[-1])
    assert explorer.resolve(replaced) == {"names": ["ann", "pop"]}
    stored = reference_in(explorer.query(object_id, ".names | map(length)", store=True))
    assert explorer.resolve(stored) == [3, 3]
    assert explorer.resolve(object_id) == {"names": ["ann", "bob"]}


def test_a_large_filter_result_is_stored_and_previewed(explorer):
    object_id = explorer.store.put(records(5000))
    answer = explorer.query(object_id, "map(.name)")
    new = [name for name in re.findall(r"@(obj_\w+)", answer) if name != object_id]
    assert explorer.resolve(new[0]) == [f"name {n}" for n in range(5000)]
    assert len(answer) < 5000


def test_a_reference_in_a_string_parameter_gives_the_original_text(explorer):
    text = ' {"a": 1.0,\t"b": [1]} \n'
    result = {"content": [{"type": "text", "text": text}]}
    for value in (text, ToolResult(result)):
        object_id = explorer.store.put(value)
        assert explorer.resolve(object_id, as_text=True) == text
        assert explorer.resolve(object_id, "b[0]") == 1
    assert explorer.resolve(explorer.store.put({"a": [1]}), as_text=True) == '{"a":[1]}'


def test_a_value_that_is_not_json_is_previewed_in_its_stored_form(explorer):
    preview = explorer.put_and_preview({"when": {1, 2, 3}, "rows": [{4}] * 3000})
    assert "3,000" in preview
    assert len(preview) < 4000


class BrokenBackend(InMemoryBackend):
    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        raise ObjectStoreUnavailable("The store at example:6379 does not answer; try again.")


@pytest.mark.parametrize("value", ["short text", {"a": 1}, records(3)], ids=["text", "dict", "records"])
async def test_a_result_that_cannot_be_kept_still_reaches_the_caller_whole(sandbox, value):
    explorer = Explorer(ObjectStore(BrokenBackend()), sandbox=sandbox)
    for shown in (explorer.put_and_preview(value), await explorer.aput_and_preview(value)):
        whole = shown.rsplit("\n\n", 1)[0]
        assert (whole if isinstance(value, str) else json.loads(whole)) == value
        assert "not kept" in shown
        assert "example:6379" in shown
        assert "@obj_" not in shown


def test_a_large_result_that_cannot_be_kept_is_previewed_and_says_so(sandbox):
    for store in (ObjectStore(BrokenBackend()), ObjectStore(InMemoryBackend(), max_object_bytes=10_000)):
        shown = Explorer(store, sandbox=sandbox).put_and_preview(records(5000))
        assert len(shown) <= 4000
        assert "not kept" in shown
        assert "@obj_" not in shown
        assert "content-type" in shown


def test_another_users_object_reads_as_missing_everywhere(sandbox):
    current = "alice"
    store = ObjectStore(InMemoryBackend(), namespace=lambda: current)
    explorer = Explorer(store, sandbox=sandbox)
    object_id = store.put(records(3000))
    explorer.explore(object_id, "[5]")  # decoded and cached for alice
    current = "bob"
    for look in (
        lambda: explorer.preview(object_id),
        lambda: explorer.explore(object_id, "[5]"),
        lambda: explorer.slice(object_id),
        lambda: explorer.search(object_id, "name"),
        lambda: explorer.query(object_id, "."),
        lambda: explorer.replace(object_id, "a", "b"),
        lambda: explorer.raw(object_id),
        lambda: explorer.resolve(object_id, "[5]"),
    ):
        with pytest.raises(ObjectNotFound) as caught:
            look()
        assert str(caught.value) == str(ObjectNotFound(object_id))


def test_errors_say_how_far_a_path_got(explorer):
    object_id = explorer.store.put(records(3000))
    with pytest.raises(PathNotFound, match=r"Did you mean \.name\?"):
        explorer.explore(object_id, "[3].nam")


def test_the_store_may_be_a_provider_that_is_called_each_time(sandbox):
    stores = [ObjectStore(InMemoryBackend()), ObjectStore(InMemoryBackend())]
    explorer = Explorer(lambda: stores[0], sandbox=sandbox)
    first = explorer.put_and_preview("in the first")
    stores.reverse()
    with pytest.raises(ObjectNotFound):
        explorer.preview(reference_in(first))


def test_a_path_reads_inside_yaml_text(explorer):
    text = "services:\n  web:\n    image: nginx\n    ports:\n      - 80\n  db:\n    image: postgres\n"
    object_id = explorer.store.put(text)
    assert explorer.explore(object_id, "services.db.image") == "postgres"
    assert explorer.query(object_id, ".services.web.ports[0]") == "80"
    assert explorer.resolve(object_id, as_text=True) == text
    with pytest.raises(PathNotFound, match="services"):
        explorer.explore(object_id, "service.db")


def test_a_long_list_of_matches_is_continued_where_it_ended(explorer):
    object_id = explorer.store.put(records(5000))
    first = explorer.search(object_id, "name")
    start = int(re.search(r"start=(\d+)", first).group(1))
    second = explorer.search(object_id, "name", start=start)
    assert len(first) <= explorer.response_limit
    assert f"[{start}].name" not in first
    assert f"[{start}].name" in second


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("a,b\n" + "1,2\n" * 900, "(CSV)"),
        ('{"a": 1}\n' * 900, "(JSON Lines)"),
        ("[" + "{'a': 1}, " * 900 + "]", "(Python repr)"),
        ("2026-03-02 08:00:00 INFO a\n" * 300, "(log lines)"),
        ("services:\n  a: 1\nports:\n  - 2\n" * 90, "(YAML)"),
        ("<!DOCTYPE html>\n<html>" + "<p>x</p>\n" * 900 + "</html>", "(HTML)"),
        ("just words \n" * 900, ""),
    ],
)
@pytest.mark.parametrize("as_result", [False, True])
def test_a_listing_describes_texts_that_were_not_previewed(explorer, text: str, summary: str, as_result: bool) -> None:
    explorer.store.put(ToolResult({"content": [{"type": "text", "text": text}]}) if as_result else text)
    line = explorer.list().splitlines()[1]
    assert (summary in line) if summary else ("(" not in line)
    assert ": text of " in line


def test_a_path_argument_continues_the_path_of_the_reference(explorer):
    kept = Reference(explorer.store.put({"rows": [{"name": "Ada"}]}), parse_path("rows"))
    assert explorer.find(kept, "[0].name").value == "Ada"
    assert explorer.find(kept).value == [{"name": "Ada"}]


ENCODED = base64.b64encode(bytes(range(256)) * 500).decode()


@pytest.mark.parametrize("value", [ENCODED, {"name": "a.png", "data": ENCODED}, b"\xff" * 90_000], ids=type)
def test_the_command_line_is_named_for_base64_in_a_store_that_it_can_read(value: Any, sandbox, tmp_path) -> None:
    with closing(SQLiteBackend(tmp_path / "objects.sqlite")) as file:
        mine = FourMethods()
        mine.shared = True
        backends = {file: True, BreakerBackend(file): True, InMemoryBackend(): False, FourMethods(): False, mine: True}
        for backend, is_shared in backends.items():
            explorer = Explorer(ObjectStore(backend), sandbox=sandbox)
            kept = explorer.keep(value, "tool")
            for preview in (kept.preview, explorer.explore(kept.reference)):
                assert "To view it, give @obj_" in preview
                assert ("coatcheck objects get" in preview) == is_shared
