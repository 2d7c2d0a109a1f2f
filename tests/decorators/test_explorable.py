"""Results that are stored: what the caller receives, and what the store contains."""

import functools
import inspect
import typing
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from mcp_types import CallToolResult, InputRequiredResult, TextContent

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.decorators import explorable, explorable_and_referenceable, referenceable
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore

ROWS = [{"id": n, "name": f"row {n}"} for n in range(5000)]


class BrokenBackend(InMemoryBackend):
    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        raise ObjectStoreUnavailable("the store is unavailable, try again")


def rows(count: int) -> list[dict[str, Any]]:
    """Return rows.

    Args:
        count: How many.
    """
    return ROWS[:count]


async def arows(count: int) -> list[dict[str, Any]]:
    """Return rows."""
    return ROWS[:count]


def test_a_large_result_is_kept_and_its_preview_is_bounded(store: ObjectStore) -> None:
    text = explorable(object_store=store)(rows)(5000)
    assert isinstance(text, str)
    assert "@obj_001" in text
    assert len(text) <= 4000
    assert store.get("obj_001") == ROWS
    assert store.metadata("obj_001").tool == "rows"


def test_a_small_result_is_kept_too_and_shown_whole(store: ObjectStore) -> None:
    text = explorable(object_store=store)(rows)(1)
    assert "@obj_001" in text
    assert "row 0" in text
    assert store.get("obj_001") == ROWS[:1]


@pytest.mark.parametrize("value", [None, "", 0, False, [], {"a": {1, 2}}, b"bytes", object])
def test_any_result_is_kept(store: ObjectStore, value: Any) -> None:
    assert "@obj_001" in explorable(object_store=store)(lambda: value)()
    assert store.metadata("obj_001").tool == "<lambda>"


@pytest.mark.anyio
async def test_an_async_function_stays_async(store: ObjectStore) -> None:
    decorated = explorable(object_store=store)(arows)
    assert inspect.iscoroutinefunction(decorated)
    assert "@obj_001" in await decorated(5000)
    assert store.metadata("obj_001").tool == "arows"


def test_the_signature_returns_text_and_the_docstring_says_that_results_are_stored(store: ObjectStore) -> None:
    decorated = explorable(object_store=store)(rows)
    assert typing.get_type_hints(decorated) == {"count": int, "return": str}
    assert inspect.signature(decorated).return_annotation is str
    assert decorated.__name__ == "rows"
    assert decorated.__doc__ is not None
    assert decorated.__doc__.startswith("Return rows.\n")
    assert "stored" in decorated.__doc__
    assert not hasattr(decorated, "__wrapped__")


def test_exceptions_of_the_function_propagate_unchanged(store: ObjectStore) -> None:
    failure = ZeroDivisionError("mine")

    def fails() -> None:
        raise failure

    with pytest.raises(ZeroDivisionError) as raised:
        explorable(object_store=store)(fails)()
    assert raised.value is failure
    assert raised.value.__cause__ is None
    assert store.list() == []


def test_a_result_that_cannot_be_kept_still_reaches_the_caller() -> None:
    broken = ObjectStore(BrokenBackend())
    text = explorable(object_store=broken)(rows)(2)
    assert "row 1" in text
    assert "not kept" in text


def test_a_result_too_large_to_keep_is_previewed() -> None:
    small = ObjectStore(InMemoryBackend(), max_object_bytes=1000)
    text = explorable(object_store=small)(rows)(5000)
    assert "not kept" in text
    assert "@obj_" not in text
    assert len(text) <= 20_000


@pytest.mark.parametrize("limit", [200, 1000])
def test_the_limit_of_the_given_explorer_applies(store: ObjectStore, limit: int) -> None:
    text = explorable(object_store=store, explorer=Explorer(store, preview_limit=limit))(rows)(5000)
    assert len(text) <= limit


def test_providers_are_called_at_every_call() -> None:
    stores = [ObjectStore(InMemoryBackend()), ObjectStore(InMemoryBackend())]
    by_store: Callable[..., Any] = explorable(object_store=lambda: stores[0])(rows)
    by_explorer = explorable(object_store=lambda: stores[0], explorer=lambda: Explorer(stores[0]))(rows)
    by_store(1)
    stores.reverse()
    by_store(2)
    by_explorer(3)
    assert len(stores[1].list()) == 1
    assert sorted(len(stores[0].get(s.object_id) or ()) for s in stores[0].list()) == [2, 3]


def test_mcp_results_are_kept_whole_and_errors_and_input_requests_pass_through(store: ObjectStore) -> None:
    result = CallToolResult(content=[TextContent(type="text", text='{"a": 1}')], meta={"k": "v"})
    assert "@obj_001" in explorable(object_store=store)(lambda: result)()
    assert store.get("obj_001") is not None
    assert store.read("obj_001").result() == result.model_dump(by_alias=True, mode="json", exclude_none=True)
    error = CallToolResult(content=[TextContent(type="text", text="no")], is_error=True)
    assert explorable(object_store=store)(lambda: error)() is error
    question = InputRequiredResult(result_type="input_required", request_state="s")
    assert explorable(object_store=store)(lambda: question)() is question
    assert len(store.list()) == 1


def test_the_combined_decorator_keeps_the_result_and_accepts_references(store: ObjectStore) -> None:
    decorate = explorable_and_referenceable(object_store=store, explorer=Explorer(store))

    def total(numbers: list[int]) -> dict[str, int]:
        """Add."""
        return {"total": sum(numbers)}

    decorated = decorate(total)
    store.put({"n": [1, 2, 3]})
    assert "@obj_002" in decorated("@obj_001.n")
    assert store.get("obj_002") == {"total": 6}
    assert store.metadata("obj_002").tool == "total"
    assert typing.get_type_hints(decorated)["return"] is str
    assert typing.get_type_hints(decorated)["numbers"] == list[int] | str


def test_the_items_of_a_generator_function_are_kept_as_a_list(store: ObjectStore) -> None:
    def numbers(count: int) -> Iterator[int]:
        yield from range(count)

    assert "[0,1,2]" in explorable_and_referenceable(object_store=store)(numbers)(3)
    assert store.get("obj_001") == [0, 1, 2]


def test_an_exception_of_a_generator_reaches_the_caller(store: ObjectStore) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        explorable(object_store=store)(numbers)()
    assert store.list() == []


@pytest.mark.parametrize("decorate", [explorable, explorable_and_referenceable])
def test_an_async_generator_is_refused_where_it_is_decorated(store: ObjectStore, decorate: Any) -> None:
    async def numbers() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"numbers\(\) gives an async generator.*return a list"):
        decorate(object_store=store)(numbers)
    with pytest.raises(TypeError, match=r"gives an async generator"):
        decorate(object_store=store)(functools.partial(numbers))()
    assert store.list() == []


def test_a_builtin_can_be_decorated(store: ObjectStore) -> None:
    assert explorable(object_store=store)(len)("abc").endswith("\n3")


@pytest.mark.parametrize("kind", [classmethod, property])
def test_a_decorator_that_must_be_outermost_is_named(store: ObjectStore, kind: Any) -> None:
    with pytest.raises(TypeError, match=rf"@{kind.__name__} goes above"):
        explorable(object_store=store)(kind(rows))


@pytest.mark.parametrize("decorator", [explorable, referenceable, explorable_and_referenceable])
def test_a_backend_in_place_of_a_store_is_refused_with_a_suggestion(decorator: Any) -> None:
    with pytest.raises(TypeError, match=r"InMemoryBackend.*ObjectStore\(backend\)"):
        decorator(object_store=InMemoryBackend())


@pytest.mark.parametrize("kind", [explorable, referenceable, explorable_and_referenceable])
def test_a_decorator_without_parentheses_or_store_says_what_to_write(kind) -> None:
    container = Container()
    for decorate in (kind, getattr(container, kind.__name__)):
        with pytest.raises(TypeError, match=rf"write @{kind.__name__}\(object_store=store\), or @container\."):
            decorate(rows)
    with pytest.raises(TypeError, match="in parentheses"):
        kind()
    with pytest.raises(TypeError, match=r"explorer must be an Explorer .*, not ObjectStore"):
        kind(object_store=container.store, explorer=container.store())
