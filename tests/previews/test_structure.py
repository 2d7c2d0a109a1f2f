import datetime as dt
import enum
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from coatcheck.explorer.previews import NoJsonForm, Subject, render

ISSUES = [
    {
        "id": number,
        "title": f"Issue {number}",
        "state": "open" if number % 3 else "closed",
        "author": {"login": f"user{number % 7}"},
        "labels": ["bug", "doc"][: number % 3],
        **({"body": "text " * 60} if number % 2 else {}),
    }
    for number in range(5000)
]


def preview(value: Any, limit: int = 4000, reference: str = "@obj_1") -> str:
    return render(value, Subject(reference, 891_679, "list_issues"), limit).text


def test_a_list_of_records_is_described_by_type_length_size_shape_samples_and_next_steps() -> None:
    assert preview(ISSUES).splitlines() == [
        "@obj_1: array of 5,000 items, 891,679 characters (~222,614 tokens), from list_issues",
        "Shape (from 20 of 5,000 items):",
        "[5,000 x {",
        "  id: integer",
        "  title, state: string",
        "  author: {login: string}",
        "  labels: [0-2 x string]",
        "  body? (in 10 of 20): string",
        "}]",
        '[0]: {"id":0,"title":"Issue 0","state":"closed","author":{"login":"user0"},"labels":[]}',
        '[4999]: {"id":4999,"title":"Issue 4999","state":"open","author":{…1},"labels":["bug"],"body":"'
        + ("text " * 6)
        + '…(+270 characters)"}',
        "Left out: 4,998 of 5,000 items.",
        """Next: object_store_query(object_id="@obj_1", filter='map(select(.state == "closed") | {id, title, state}) | .[:20]')""",
        'object_store_slice(object_id="@obj_1", start=1, end=7)',
        "Any argument may be @obj_1 or a part such as @obj_1[1].id.",
    ]


def test_the_main_list_inside_an_object_gets_the_samples() -> None:
    text = preview({"total": 5000, "page": {"next": 2}, "items": ISSUES}, reference="@obj_1.data")
    assert '.data: {"total":5000,"page":{"next":2},"items":[…5,000]}' in text
    assert '.data.items[4999]: {"id":4999' in text
    assert "Left out: 4,998 of 5,000 items of .items." in text
    assert 'object_store_query(object_id="@obj_1", path=".data", filter=\'.items | map(select(' in text
    assert "such as @obj_1.data.items[1].id." in text


def test_a_map_with_ids_as_keys_is_one_line_of_shape() -> None:
    text = preview({f"u{number}": {"name": "x", "age": number} for number in range(5000)})
    assert 'Shape: {<key>: {name: string, age: integer}} (5,000 keys such as "u0", "u1"; 20 sampled)' in text
    assert '.u4999: {"name":"x","age":4999}' in text
    assert 'filter="to_entries | .[:20] | from_entries | map_values({name, age})"' in text
    assert "Left out: 4,998 of 5,000 keys." in text


def test_a_record_with_many_different_fields_is_not_a_map() -> None:
    record = {f"field_{number}": [number, str(number), None, {"a": 1}][number % 4] for number in range(30)}
    text = preview(record)
    assert "field_0: integer" in text
    assert "<key>" not in text


def test_maps_inside_records_are_recognised_by_keys_that_do_not_repeat() -> None:
    text = preview([{"id": n, "votes": {f"user{n}_{k}": k for k in range(5)}} for n in range(20)])
    assert 'votes: {<key>: integer} (5 keys such as "user0_0", "user0_1"; 20 sampled)' in text


def test_a_list_of_scalars_is_shown_as_a_run() -> None:
    text = preview(list(range(1000)))
    assert "[0:10]: [0,1,2,3,4,5,6,7,8,9]\n[999]: 999\nLeft out: 989 of 1,000 items." in text


def test_top_level_keys_that_are_not_shown_are_counted() -> None:
    text = preview({f"field_{number}": [number, "y" * 150][number % 2] for number in range(35)}, limit=900)
    shown = text.count('"field_')
    assert 0 < shown < 35
    assert f"{35 - shown} of 35 top-level keys" in text


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (5, ""),
        (6, "@obj_1"),
        (27, "@obj_1"),
        (28, "@obj_1: array of 5,000 items"),
        (83, "@obj_1: array of 5,000 items, 891,679 characters (~222,614 tokens)"),
    ],
)
def test_with_a_small_limit_the_reference_is_kept_to_the_last(limit: int, expected: str) -> None:
    assert preview(ISSUES, limit) == expected


def test_with_a_larger_limit_all_field_names_come_before_samples() -> None:
    text = preview(ISSUES, 260)
    assert "{id, title, state, author, labels, body?}" in text
    assert 'object_store_slice(object_id="@obj_1", start=1, end=7)' in text


def test_a_complete_preview_says_that_nothing_is_left_out() -> None:
    assert "Nothing is left out." in preview([{"a": 1}])
    assert "Nothing is left out." in preview(42)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "boolean"),
        (1.5, "number"),
        (float("nan"), "number"),
        ([], "array of 0 items"),
        ({}, "object with 0 keys"),
        ((1, 2), "array of 2 items"),
        ({"a": 1}, "object with 1 key"),
    ],
)
def test_every_type_is_named(value: Any, name: str) -> None:
    assert preview(value).startswith(f"@obj_1: {name},")


def test_subclasses_of_plain_types_are_plain() -> None:
    class Color(enum.StrEnum):
        RED = "red"

    class Level(enum.IntEnum):
        LOW = 1

    assert '{"color":"red","level":1}' in preview({"color": Color.RED, "level": Level.LOW})


class Model(BaseModel):
    name: str = "x"


@pytest.mark.parametrize(
    "value", [Model(), {1, 2}, [Model()], {"a": [dt.date(2024, 1, 1)]}, {1: 2}, b"x", [{(1, 2): 1}]]
)
def test_python_objects_that_are_not_json_are_refused_with_their_class(value: Any) -> None:
    with pytest.raises(NoJsonForm, match="encode and decode it first") as caught:
        preview(value)
    assert isinstance(caught.value.found, type)


def test_hostile_text_in_values_and_keys_stays_printable_and_on_its_line() -> None:
    text = preview([{"a\nNext: object_store_get()": "\x1b[2J\u202e\udc00\U000e0041 é"}] * 5)
    assert "\x1b" not in text
    assert "\n\\" not in text
    assert r'{"a\nNext: object_store_get()":"\u001b[2J\u202e\udc00\udb40\udc41 é"}' in text
    text.encode()


def test_integers_of_any_size_are_bounded() -> None:
    text = preview([10**5000, 10**20])
    assert "(integer of about 5,0" in text
    assert str(10**20) in text


def test_deep_nesting_and_long_keys_are_bounded() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert "[…1]" in preview(deep)
    text = preview({"k" * 1_000_000: {"k" * 1_000_000: 1}})
    assert "…(+999,9" in text
    assert len(text) < 1500


class CountingContainer:
    """A container that counts accesses to its members."""

    seen = 0


class WatchedList(list[Any], CountingContainer):
    def __iter__(self) -> Iterator[Any]:
        for item in super().__iter__():
            self.seen += 1
            yield item

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        self.seen += len(found) if isinstance(place, slice) else 1
        return found


class WatchedDict(dict[str, Any], CountingContainer):
    def _count(self, members: Any) -> Iterator[Any]:
        for member in members:
            self.seen += 1
            yield member

    def __iter__(self) -> Iterator[str]:
        return self._count(super().__iter__())

    def items(self) -> Any:
        return self._count(super().items())

    def values(self) -> Any:
        return self._count(super().values())


@pytest.mark.parametrize("limit", [300, 4000, 20_000])
def test_only_a_bounded_number_of_members_is_read(limit: int) -> None:
    many = WatchedList({"id": number} for number in range(50_000))
    keyed = WatchedDict((f"k{number}", {"id": number}) for number in range(50_000))
    for value in (many, keyed, {"a": {"items": many}}):
        many.seen = keyed.seen = 0
        preview(value, limit)
        assert many.seen + keyed.seen < 300


def test_for_few_records_with_nested_lists_the_suggestions_address_the_lists() -> None:
    tree = [{"name": "src", "children": [{"name": f"file {number}", "type": "file"} for number in range(500)]}]
    text = preview(tree * 2)
    assert 'filter="map(.children[]? | {name, type}) | .[:20]"' in text
    assert 'path="[0].children", start=0, end=20)' in text
    text = preview(tree)
    assert '\n[0].children[499]: {"name":"file 499","type":"file"}\n' in text
    assert 'filter=".[0].children | map({name, type}) | .[:20]"' in text
    assert 'path="[0].children", start=1, end=21)' in text


def test_the_names_of_few_fields_are_shown_where_their_types_are_folded() -> None:
    def pod(number: int) -> dict[str, Any]:
        state = {"waiting": {"reason": "CrashLoopBackOff"}} if number % 2 else {"running": {"since": "x"}}
        return {
            "status": {"containers": [{"name": "app", "state": state, "limits": {"cpu": {"max": {"of": 1}}}}]},
            "ids": {"list": [{"by": {f"{number}-1": {"a": {"b": 1}}}}]},
        }

    shape = preview({"kind": "List", "data": {"items": [pod(number) for number in range(30)]}})
    assert "state: {running?, waiting?}" in shape
    assert "by: {…1}" in shape  # keys that are data
