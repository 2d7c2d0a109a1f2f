"""Decorators that add memory to a function: results are stored, and arguments may be references to stored results.

    @explorable(object_store=store)                   # the result is stored, the caller gets a preview
    @referenceable(object_store=store)                # arguments may be "@obj_001" or "@obj_001.items[3].name"
    @explorable_and_referenceable(object_store=store) # both

Each takes the store and the explorer, or a zero-argument provider of them that is called each time, so that an
override in a container reaches functions that were decorated before. Without an explorer, one with default limits is
created over the store. Sync functions stay sync, async functions stay async. The functions work with and without MCP.
"""

import inspect
import sys
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Protocol, cast, overload

from coatcheck.codec import ToolResult
from coatcheck.tools.referenceable import (
    ExplorerSource,
    StoreSource,
    errors_for_model,
    explorer_provider,
    referenceable,
    with_note,
    with_parentheses,
)
from coatcheck.tools.signatures import FunctionSignature, signature_of, with_signature

_MARK = "__coatcheck_keeps_results__"
_NOTE = "The result is stored: the answer is a preview and its reference, such as @obj_001."


P = ParamSpec("P")


class ExplorableDecorator(Protocol):
    """Keeps the parameters of what it decorates; the result becomes text."""

    @overload
    def __call__(self, func: Callable[P, Coroutine[Any, Any, Any]], /) -> Callable[P, Coroutine[Any, Any, str]]: ...

    @overload
    def __call__(self, func: Callable[P, Any], /) -> Callable[P, str]: ...

    def __call__(self, func: Callable[..., Any], /) -> Callable[..., Any]:
        """Decorate a function."""
        ...


@with_parentheses
def explorable(*, object_store: StoreSource, explorer: ExplorerSource | None = None) -> ExplorableDecorator:
    """Decorate a function so that its result is always kept and the caller gets a preview of it.

    The decorated function returns ``str``, and its return annotation is ``str``: a preview within the explorer's limit,
    which contains a small value whole, with the reference to the stored result. If the store refuses the result, the
    text says so and shows what fits. Exceptions of the function propagate unchanged.

    The items of a generator are stored as a list, as the SDK does; an async generator is refused.

    A ``CallToolResult`` of MCP is stored with all its content. One that reports an error, and a request for more
    input, pass through unchanged.

    Args:
        object_store: The store, or a zero-argument provider of it.
        explorer: The explorer, or a zero-argument provider of it; by default one over ``object_store``.

    Raises:
        TypeError: ``object_store`` or ``explorer`` is something else, or the function is an async generator.
    """
    provide = explorer_provider(object_store, explorer)

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        spec = signature_of(func)
        _refuse_async_generator(inspect.isasyncgenfunction(func), spec.name)
        doc = with_note(spec.doc, _NOTE)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = _collected(func(*args, **kwargs), spec)
            if _passes(result):
                return result
            with errors_for_model():
                return provide().put_and_preview(_storable(result), tool=spec.name)

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            result = _collected(await func(*args, **kwargs), spec)
            if _passes(result):
                return result
            with errors_for_model():
                return await provide().aput_and_preview(_storable(result), tool=spec.name)

        decorated = with_signature(spec, call_async if spec.is_async else call, returns=str, doc=doc)
        setattr(decorated, _MARK, True)
        return decorated

    return cast("ExplorableDecorator", decorate)


def keeps_results(func: object) -> bool:
    """Whether a function is decorated to keep its results itself."""
    return getattr(func, _MARK, False) is True


def _collected(result: Any, spec: FunctionSignature) -> Any:
    """Run a generator to its end here, so that its exceptions are raised as those of the function."""
    _refuse_async_generator(inspect.isasyncgen(result), spec.name)
    return list(result) if inspect.isgenerator(result) else result


def _refuse_async_generator(is_one: bool, name: str) -> None:
    if is_one:
        raise TypeError(
            f"{name}() gives an async generator, which cannot be kept: make it collect what it yields "
            "and return a list."
        )


def _mcp_types() -> Any:
    # A value of MCP's types cannot exist before the module is loaded, so plain scripts never import it.
    return sys.modules.get("mcp_types")


def _passes(result: Any) -> bool:
    types = _mcp_types()
    if types is None:
        return False
    if isinstance(result, types.InputRequiredResult):
        return True
    return isinstance(result, types.CallToolResult) and bool(result.is_error)


def _storable(result: Any) -> Any:
    types = _mcp_types()
    if types is not None and isinstance(result, types.CallToolResult):
        return ToolResult(result.model_dump(by_alias=True, mode="json", exclude_none=True))
    return result


@with_parentheses
def explorable_and_referenceable(
    *, object_store: StoreSource, explorer: ExplorerSource | None = None
) -> ExplorableDecorator:
    """Decorate a function so that it takes references and its result is kept.

    See `referenceable` for the arguments and `explorable` for the result.

    Args:
        object_store: The store, or a zero-argument provider of it.
        explorer: The explorer, or a zero-argument provider of it; by default one over ``object_store``.

    Raises:
        TypeError: ``object_store`` or ``explorer`` is something else, or the function is an async generator.
    """
    provide = explorer_provider(object_store, explorer)
    keep = explorable(object_store=object_store, explorer=provide)
    refer = referenceable(object_store=object_store, explorer=provide)

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        _refuse_async_generator(inspect.isasyncgenfunction(func), getattr(func, "__name__", "the function"))
        return keep(refer(func))

    return cast("ExplorableDecorator", decorate)
