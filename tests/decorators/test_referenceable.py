"""References in arguments: where they resolve, which values stay unchanged, and which are refused."""

import datetime as dt
import inspect
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from coatcheck.decorators import referenceable
from coatcheck.errors import ArgumentRejected, ObjectNotFound, PathNotFound
from coatcheck.object_store import ObjectStore

RECORDS = {"items": [{"name": "a", "n": 1}, {"name": "b", "n": 2}], "note": "hello", "when": "2024-05-01T10:00:00Z"}


class Filter(BaseModel):
    name: str
    limit: int = 10


def echo(x: Any) -> Any:
    return x


@pytest.fixture
def resolved(store: ObjectStore) -> Callable[[Any], Any]:
    assert store.put(RECORDS) == "obj_001"
    return referenceable(object_store=store)(echo)


def typed(store: ObjectStore, annotation: Any) -> Callable[[Any], Any]:
    def tool(x: Any) -> Any:
        return x

    tool.__annotations__["x"] = annotation
    return referenceable(object_store=store)(tool)


@pytest.mark.parametrize(
    ("given", "received"),
    [
        ("@obj_001", RECORDS),
        ("@obj_001.items[1].name", "b"),
        ("@obj_001.items[-1]", {"name": "b", "n": 2}),
        ("@@obj_001", "@obj_001"),
        ("@@obj_001.items", "@obj_001.items"),
        ("@alice", "@alice"),
        ("user@obj.com", "user@obj.com"),
        ("see @obj_001", "see @obj_001"),
        ("", ""),
        (["@obj_001.items[0].n", 2], [1, 2]),
        ({"a": {"b": ["@obj_001.note", "@@obj_001", "@bob"]}}, {"a": {"b": ["hello", "@obj_001", "@bob"]}}),
        ({"@obj_001": 1}, {"@obj_001": 1}),
        (None, None),
        (7, 7),
    ],
)
def test_references_resolve_and_other_values_are_unchanged(
    resolved: Callable[[Any], Any], given: Any, received: Any
) -> None:
    assert resolved(given) == received


def test_resolved_values_are_not_scanned_again(store: ObjectStore) -> None:
    store.put(["@obj_002", "@@obj_002"])
    store.put("secret")
    assert referenceable(object_store=store)(echo)("@obj_001") == ["@obj_002", "@@obj_002"]
    assert referenceable(object_store=store)(echo)(["@obj_001[0]"]) == ["@obj_002"]


def test_an_argument_without_references_is_passed_unchanged(resolved: Callable[[Any], Any]) -> None:
    given = {"a": [1, 2, {"b": "c"}]}
    assert resolved(given) is given


def test_the_callers_containers_are_not_changed(resolved: Callable[[Any], Any]) -> None:
    given = ["@obj_001.note"]
    assert resolved(given) == ["hello"]
    assert given == ["@obj_001.note"]


def test_a_function_that_changes_what_it_got_does_not_change_the_object(store: ObjectStore) -> None:
    store.put([1, 2])

    def push(x: list[int]) -> list[int]:
        x.append(3)
        return x

    tool = referenceable(object_store=store)(push)
    assert tool("@obj_001") == [1, 2, 3]
    assert tool("@obj_001") == [1, 2, 3]
    assert store.get("obj_001") == [1, 2]


def test_the_error_for_a_missing_object_names_the_escape(resolved: Callable[[Any], Any]) -> None:
    with pytest.raises(ObjectNotFound, match="second @"):
        resolved("@obj_999")


def test_the_error_for_a_missing_path_lists_the_existing_keys(resolved: Callable[[Any], Any]) -> None:
    with pytest.raises(PathNotFound, match="items"):
        resolved(["@obj_001.itmes"])


def test_nesting_beyond_the_bound_is_refused(resolved: Callable[[Any], Any]) -> None:
    deep: Any = "@obj_001.note"
    for _ in range(100):
        deep = [deep]
    value = resolved(deep)
    for _ in range(100):
        value = value[0]
    assert value == "hello"
    with pytest.raises(ArgumentRejected, match="100 levels"):
        resolved([deep])


def test_a_value_without_references_may_be_deep_or_cyclic(resolved: Callable[[Any], Any]) -> None:
    deep: Any = ["@", "x"][1:]
    for _ in range(5000):
        deep = [deep]
    assert resolved(deep) is deep
    deep.append(deep)
    assert resolved(deep) is deep


@pytest.mark.parametrize(
    ("annotation", "given", "received"),
    [
        (list[int], ["@obj_001.items[0].n", 2], [1, 2]),
        (list[int], "[1, 2]", [1, 2]),
        (list[int], '["@obj_001.items[1].n", 5]', [2, 5]),
        (int, "5", 5),
        (int, "@obj_001.items[1].n", 2),
        (Filter, "@obj_001.items[0]", Filter(name="a")),
        (Filter, {"name": "@obj_001.note", "limit": "@obj_001.items[1].n"}, Filter(name="hello", limit=2)),
        (Filter, '{"name": "x"}', Filter(name="x")),
        (list[Filter], "@obj_001.items", [Filter(name="a"), Filter(name="b")]),
        (dt.datetime, "@obj_001.when", dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC)),
        (dt.date, "2024-05-01", dt.date(2024, 5, 1)),
        (dict[str, Any], "@obj_001", RECORDS),
        (dict, "@obj_001", RECORDS),
        (str | list[str], "[1]", "[1]"),
        (str | None, '{"a": 1}', '{"a": 1}'),
        (str | None, None, None),
        (str | None, "@obj_001.note", "hello"),
        (Literal["hello", "bye"], "@obj_001.note", "hello"),
        (Annotated[int, Field(ge=2)], "@obj_001.items[1].n", 2),
        (tuple[int, str], ["@obj_001.items[0].n", "@obj_001.note"], (1, "hello")),
        ("list[int]", ["@obj_001.items[0].n"], [1]),
    ],
)
def test_the_function_receives_values_of_its_annotated_types(
    store: ObjectStore, annotation: Any, given: Any, received: Any
) -> None:
    store.put(RECORDS)
    value = typed(store, annotation)(given)
    assert value == received
    assert type(value) is type(received)


def test_text_parameters_receive_the_original_text(store: ObjectStore) -> None:
    text = '{ "a" :\t1,  "big": 123456789012345678901234567890 }\r\n'
    store.put(text)
    assert typed(store, str)("@obj_001") == text
    assert typed(store, str | None)("@obj_001") == text
    assert typed(store, Annotated[str, Field(description="Text.")])("@obj_001") == text


def test_a_structure_in_a_text_parameter_becomes_its_json(store: ObjectStore) -> None:
    store.put({"a": [1, "é"]})
    assert typed(store, str)("@obj_001") == '{"a":[1,"é"]}'
    assert typed(store, str)("@obj_001.a[0]") == "1"


def test_a_stored_json_text_opens_where_a_structure_is_expected(store: ObjectStore) -> None:
    store.put("[1, 2]")
    assert typed(store, list[int])("@obj_001") == [1, 2]


@pytest.mark.parametrize(
    ("annotation", "given", "message"),
    [
        (list[int], ["@obj_001.note"], r'"x\[0\]" takes integer, but @obj_001\.note leads to a string, "hello"'),
        (
            dict[str, int],
            "@obj_001.items[0]",
            r'"x" does not fit dict\[str, int\]: at \.name.*came from @obj_001.items',
        ),
        (int, "many", r'"x" does not fit int: .*the text "many"'),
        (int, "@obj_001.note", r"takes integer, but @obj_001\.note leads to a string"),
        (list[int], "@obj_001.items[oops", "not a reference. .*malformed at"),
        (list[int], "@obj_404.items[oops", "As a reference: .*malformed at"),
        (Filter, {"limit": 3}, r"Filter: at \.name, field required"),
        (Annotated[int, Field(ge=2)], "@obj_001.items[0].n", "greater than or equal to 2"),
        (str, 5, "does not fit str"),
        (dict[str, int], "@obj_001", r"dict\[str, int\]"),
    ],
)
def test_an_invalid_value_is_refused_with_name_type_and_excerpt(
    store: ObjectStore, annotation: Any, given: Any, message: str
) -> None:
    store.put(RECORDS)
    with pytest.raises(ArgumentRejected, match=message) as refused:
        typed(store, annotation)(given)
    assert len(str(refused.value)) < 1000


def test_a_refusal_of_huge_values_stays_short(store: ObjectStore) -> None:
    store.put(["x" * 10_000] * 1000)
    with pytest.raises(ArgumentRejected) as refused:
        typed(store, list[int])("@obj_001")
    assert len(str(refused.value)) < 1000
    with pytest.raises(ArgumentRejected):
        typed(store, str)(10**10_000)


def test_defaults_pass_unvalidated(store: ObjectStore) -> None:
    def tool(limit: int = None, names: list[str] = [], text: str = "@obj_404") -> Any:  # type: ignore[assignment]  # noqa: B006, RUF013
        return limit, names, text

    assert referenceable(object_store=store)(tool)() == (None, [], "@obj_404")
    assert referenceable(object_store=store)(tool)(limit=None) == (None, [], "@obj_404")


def test_variadic_arguments_accept_references(store: ObjectStore) -> None:
    store.put(RECORDS)

    def tool(*parts: Any, **named: Any) -> Any:
        return parts, named

    assert referenceable(object_store=store)(tool)("@obj_001.note", 1, x=["@obj_001.note"]) == (
        ("hello", 1),
        {"x": ["hello"]},
    )


def test_literal_parameters_are_unchanged(store: ObjectStore) -> None:
    def tool(x: int, client: dict[str, str]) -> Any:
        return x, client

    same = object()
    decorated = referenceable(object_store=store, literal=frozenset({"client"}))(tool)
    assert decorated(1, same) == (1, same)
    assert decorated(1, "@obj_404") == (1, "@obj_404")
    assert inspect.signature(decorated).parameters["client"].annotation == dict[str, str]


def test_a_method_can_be_decorated_in_its_class(store: ObjectStore) -> None:
    store.put(RECORDS)

    class Lookup(dict[str, Any]):
        @referenceable(object_store=store)
        def find(self, key: str, limit: "int" = 3) -> str:
            return f"{key}{limit}"

    assert Lookup(a="@obj_404").find("@obj_001.note", limit="2") == "hello2"  # type: ignore[arg-type]
    assert list(inspect.signature(Lookup().find).parameters) == ["key", "limit"]


def test_a_wrong_call_is_the_usual_type_error_with_the_functions_name(resolved: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"echo\(\).*'y'"):
        resolved(1, y=2)


def test_annotations_and_docstring_say_that_references_are_accepted(store: ObjectStore) -> None:
    def tool(rows: list[int], text: str = "") -> int:
        """Count.

        Args:
            rows: Rows.
        """
        return len(rows)

    decorated = referenceable(object_store=store)(tool)
    hints = typing.get_type_hints(decorated)
    assert hints["rows"] == list[int] | str
    assert hints["text"] is str
    assert hints["return"] is int
    assert decorated.__doc__ is not None
    assert decorated.__doc__.startswith("Count.\n\nArgs:\n    rows: Rows.\n\n")
    assert "@@obj_001" in decorated.__doc__
    assert inspect.signature(decorated).parameters["text"].default == ""


@pytest.mark.anyio
async def test_an_async_function_stays_async_and_resolves(store: ObjectStore) -> None:
    store.put(RECORDS)

    async def tool(x: list[str]) -> list[str]:
        return x

    decorated = referenceable(object_store=store)(tool)
    assert inspect.iscoroutinefunction(decorated)
    assert await decorated(["@obj_001.note"]) == ["hello"]
    with pytest.raises(ObjectNotFound):
        await decorated("@obj_404")


def test_a_provider_is_called_at_every_call(store: ObjectStore) -> None:
    from coatcheck.backends import InMemoryBackend

    other = ObjectStore(InMemoryBackend())
    store.put("one")
    other.put("two")
    stores = [store, other]
    decorated = referenceable(object_store=lambda: stores[0])(echo)
    assert decorated("@obj_001") == "one"
    stores.reverse()
    assert decorated("@obj_001") == "two"


@pytest.mark.parametrize("reference", ["@obj_001", "@obj_002.empty", "@obj_003.empty"])
def test_an_optional_text_parameter_receives_none_for_a_stored_null(store: ObjectStore, reference: str) -> None:
    store.put(None)
    store.put({"empty": None})
    store.put({"empty": None, "rest": "x" * 100_000})  # read in the sandbox
    assert typed(store, str | None)(reference) is None
    assert typed(store, str)(reference) == "null"


def test_the_text_null_stays_a_text(store: ObjectStore) -> None:
    store.put("null")
    store.put({"said": "null"})
    assert typed(store, str | None)("@obj_001") == "null"
    assert typed(store, str | None)("@obj_002.said") == "null"
