"""Hiding parameters: the signature for callers, who can never set hidden values."""

import dataclasses
import functools
import inspect
import typing
from typing import Annotated

import pytest

from coatcheck.tools.hidden_parameters import bind
from coatcheck.tools.signatures import is_async, signature_of, with_other_signature


def greet(name: str, workspace: str, /, greeting: "str" = "Hello", *, shout: bool = False) -> "list[str]":
    """Greet a person.

    Args:
        name: The person.
        workspace: Where they live
            and more about it.

            Even a second paragraph.
        greeting: The word.
        shout: Loud.

    Returns:
        The words.
    """
    words = [greeting, name, workspace]
    return [w.upper() for w in words] if shout else words


async def fetch(url: str, client: object, retries: int = 3) -> str:
    """Fetch."""
    return f"{url} {client} {retries}"


def test_a_hidden_parameter_is_removed_from_signature_annotations_and_docstring() -> None:
    bound = bind(greet, workspace=lambda: "w")
    assert list(inspect.signature(bound).parameters) == ["name", "greeting", "shout"]
    assert set(bound.__annotations__) == {"name", "greeting", "shout", "return"}
    assert bound.__doc__ is not None
    assert "workspace" not in bound.__doc__
    assert "second paragraph" not in bound.__doc__
    assert "greeting: The word." in bound.__doc__
    assert "Returns:" in bound.__doc__
    assert not hasattr(bound, "__wrapped__")


def test_a_bound_function_keeps_the_rest_of_its_signature() -> None:
    bound = bind(greet, workspace=lambda: "w")
    assert (bound.__name__, bound.__qualname__, bound.__module__) == ("greet", "greet", __name__)
    parameters = inspect.signature(bound).parameters
    assert parameters["greeting"].default == "Hello"
    assert parameters["shout"].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters["name"].kind is inspect.Parameter.POSITIONAL_ONLY
    assert typing.get_type_hints(bound) == {"name": str, "greeting": str, "shout": bool, "return": list[str]}


def test_hidden_positional_parameters_in_the_middle_are_filled_in_place() -> None:
    bound = bind(greet, workspace=lambda: "w")
    assert bound("Ada") == ["Hello", "Ada", "w"]
    assert bound("Ada", "Hi", shout=True) == ["HI", "ADA", "W"]


def test_a_provider_is_called_at_every_call() -> None:
    answers = iter(["a", "b"])
    bound = bind(greet, workspace=lambda: next(answers))
    assert [bound("x")[2], bound("x")[2]] == ["a", "b"]


def test_a_caller_that_passes_a_hidden_name_is_refused() -> None:
    bound = bind(greet, greeting=lambda: "Bye")
    with pytest.raises(TypeError, match=r"greet\(\).*greeting"):
        bound("Ada", "w", greeting="Hello")


def test_a_hidden_name_is_refused_among_keyword_arguments() -> None:
    def collect(tenant: str, **more: str) -> dict[str, str]:
        return {"tenant": tenant, **more}

    bound = bind(collect, tenant=lambda: "alice")
    assert bound(x="1") == {"tenant": "alice", "x": "1"}
    with pytest.raises(TypeError, match="unexpected keyword argument 'tenant'"):
        bound(tenant="bob")


def test_variadic_arguments_still_arrive() -> None:
    def total(first: int, secret: int, *rest: int, **named: int) -> tuple[int, ...]:
        return (first, secret, *rest, *named.values())

    bound = bind(total, secret=lambda: 0)
    assert bound(1, 2, 3, x=4) == (1, 0, 2, 3, 4)


@pytest.mark.anyio
async def test_an_async_function_stays_async_and_may_have_an_awaitable_provider() -> None:
    async def connect() -> str:
        return "client"

    bound = bind(fetch, client=connect)
    assert inspect.iscoroutinefunction(bound)
    assert await bound("u", retries=1) == "u client 1"


def test_a_sync_function_with_an_awaitable_provider_says_what_to_do() -> None:
    async def connect() -> str:
        return "w"

    with pytest.raises(TypeError, match="is not async"):
        bind(greet, workspace=connect)("Ada")


def test_a_sync_function_stays_sync() -> None:
    assert not is_async(bind(greet, workspace=lambda: "w"))


def test_a_misspelt_name_is_refused_with_the_known_names() -> None:
    with pytest.raises(TypeError, match=r"no parameter 'workspce'; it has: name, workspace"):
        bind(greet, workspce=lambda: "w")


def test_binding_twice_hides_both() -> None:
    bound = bind(bind(greet, workspace=lambda: "w"), greeting=lambda: "Hi")
    assert list(inspect.signature(bound).parameters) == ["name", "shout"]
    assert bound("Ada") == ["Hi", "Ada", "w"]


def test_a_bound_method_can_be_bound() -> None:
    class Lookup:
        def find(self, key: "str", limit: int) -> str:
            """Find."""
            return f"{key}{limit}"

    bound = bind(Lookup().find, limit=lambda: 3)
    assert list(inspect.signature(bound).parameters) == ["key"]
    assert bound.__annotations__ == {"key": str, "return": str}
    assert bound("k") == "k3"


def test_a_partial_gets_the_name_and_text_of_its_function() -> None:
    bound = bind(functools.partial(fetch, retries=7), client=lambda: "c")
    assert (bound.__name__, bound.__doc__) == ("fetch", "Fetch.")
    assert inspect.iscoroutinefunction(bound)


def test_a_callable_object_gets_the_name_of_its_class() -> None:
    class Finder:
        """Finds things."""

        async def __call__(self, key: str, limit: int) -> str:
            return f"{key}{limit}"

    bound = bind(Finder(), limit=lambda: 3)
    assert (bound.__name__, bound.__doc__) == ("Finder", "Finds things.")
    assert inspect.iscoroutinefunction(bound)
    assert list(inspect.signature(bound).parameters) == ["key"]


def test_annotated_metadata_is_preserved() -> None:
    def tool(x: "Annotated[int, 'unit: seconds']", hidden: int = 0) -> int:
        return x

    assert inspect.signature(bind(tool, hidden=lambda: 1)).parameters["x"].annotation == Annotated[int, "unit: seconds"]


def test_an_annotation_that_cannot_be_evaluated_is_unchanged_and_the_others_are_evaluated() -> None:
    def tool(x: "Missing", y: "int") -> None:  # noqa: F821
        """Use a name that exists for type checkers only."""

    parameters = signature_of(tool).signature.parameters
    assert parameters["x"].annotation == "Missing"
    assert parameters["y"].annotation is int


def test_another_signature_changes_only_what_is_shown() -> None:
    shown = with_other_signature(greet, dataclasses.replace(signature_of(greet), name="welcome"))
    assert shown.__name__ == "welcome"
    assert inspect.signature(shown) == signature_of(greet).signature
    assert shown("Ada", "w") == ["Hello", "Ada", "w"]


def test_attributes_of_a_function_are_kept_but_not_what_it_wraps() -> None:
    @functools.wraps(greet)
    def wrapped(*args: object, **kwargs: object) -> object:
        return greet(*args, **kwargs)  # type: ignore[arg-type]

    wrapped.mark = 1  # type: ignore[attr-defined]
    bound = bind(wrapped, workspace=lambda: "w")
    assert bound.mark == 1  # type: ignore[attr-defined]
    assert not hasattr(bound, "__wrapped__")
    assert "workspace" not in inspect.signature(bound).parameters
