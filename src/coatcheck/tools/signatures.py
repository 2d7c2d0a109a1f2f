"""The signature of a function as callers see it, and its transfer to a wrapper."""

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

UNCHANGED: Final[Any] = object()
"""Default of arguments of `with_signature`: the value of the spec."""

_VARIADIC = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})

# Attributes that `with_signature` sets itself, or that would let `inspect` see through the wrapper.
_NOT_COPIED = frozenset({"__wrapped__", "__signature__"})


@dataclass(frozen=True)
class FunctionSignature:
    """The properties of a function that callers see."""

    name: str  # a name, also for partials and callable objects
    qualname: str  # the qualified name
    module: str  # the function's `__module__`
    doc: str | None  # the docstring as written, or None
    signature: inspect.Signature  # parameters and return type; string annotations are evaluated if possible
    is_async: bool  # whether calling it returns a coroutine
    attributes: dict[str, Any] = field(default_factory=dict)  # other attributes of the function

    @functools.cached_property
    def _names(self) -> tuple[frozenset[str], frozenset[str]]:
        """The parameters without which it cannot be called, and those that can be given by name."""
        parameters = self.signature.parameters.values()
        required = (p.name for p in parameters if p.default is p.empty and p.kind not in _VARIADIC)
        by_name = (p.name for p in parameters if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY})
        return frozenset(required), frozenset(by_name)

    def takes(self, named: Mapping[str, Any]) -> bool:
        """Whether these arguments alone are a complete call, which then needs no binding: that takes 6 µs."""
        required, by_name = self._names
        return required <= named.keys() <= by_name


def is_async(func: Callable[..., Any]) -> bool:
    """Return whether calling ``func`` returns a coroutine, also for partials and callable objects."""
    inner = _without_partials(func)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(getattr(inner, "__call__", None))  # noqa: B004


def signature_of(func: Callable[..., Any]) -> FunctionSignature:
    """Return the signature of a function, a bound method, a partial or a callable object as callers see it.

    Raises:
        TypeError: ``func`` cannot be called; for a classmethod or property the message says how to order the
            decorators.
        ValueError: ``func`` has no signature, like some built-in functions.
    """
    inner = _without_partials(func)
    if isinstance(inner, (classmethod, property)):
        raise TypeError(f"@{type(inner).__name__} goes above this decorator, not below it.")
    named = _named_function(inner)
    is_object = named is not inner
    name = getattr(inner, "__name__", None) or type(inner).__name__
    doc = named.__doc__ if not is_object else named.__doc__ or inner.__doc__
    attributes = {} if is_object else {k: v for k, v in getattr(named, "__dict__", {}).items() if k not in _NOT_COPIED}
    return FunctionSignature(
        name=name,
        qualname=getattr(inner, "__qualname__", None) or type(inner).__qualname__,
        module=getattr(inner, "__module__", None) or __name__,
        doc=doc,
        signature=_evaluated(_raw_signature(func), named),
        is_async=is_async(func),
        attributes=attributes,
    )


def with_signature(
    spec: FunctionSignature,
    wrapper: Callable[..., Any],
    *,
    parameters: Sequence[inspect.Parameter] | None = None,
    returns: Any = UNCHANGED,
    doc: str | None = UNCHANGED,
) -> Callable[..., Any]:
    """Set the signature and attributes of ``spec`` on ``wrapper``, and return it.

    ``wrapper`` is changed in place; parameters, return annotation and docstring replace those of the spec.
    """
    signature = spec.signature
    if parameters is not None:
        signature = signature.replace(parameters=parameters)
    if returns is not UNCHANGED:
        signature = signature.replace(return_annotation=returns)
    function = typing.cast("types.FunctionType", wrapper)
    function.__dict__.update(spec.attributes)
    function.__dict__.pop("__wrapped__", None)
    function.__name__ = spec.name
    function.__qualname__ = spec.qualname
    function.__module__ = spec.module
    function.__doc__ = spec.doc if doc is UNCHANGED else doc
    function.__annotations__ = _annotations(signature)
    function.__signature__ = signature  # type: ignore[attr-defined]
    return function


def _annotations(signature: inspect.Signature) -> dict[str, Any]:
    found = {p.name: p.annotation for p in signature.parameters.values() if p.annotation is not inspect.Parameter.empty}
    if signature.return_annotation is not inspect.Signature.empty:
        found["return"] = signature.return_annotation
    return found


def _without_partials(func: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(func, functools.partial):
        func = func.func
    return func


def _named_function(inner: Callable[..., Any]) -> Any:
    """The function behind ``inner``: itself, a method's function, or a callable object's ``__call__``."""
    if inspect.isroutine(inner) or inspect.isclass(inner):
        return inner
    return type(inner).__call__


def _raw_signature(func: Callable[..., Any]) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        import annotationlib

        # Names that exist only for type checkers must not prevent the decoration of a function.
        return inspect.signature(func, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(func)


def _evaluated(signature: inspect.Signature, named: Any) -> inspect.Signature:
    """``signature`` with string annotations evaluated in the function's module; others stay strings."""
    written = _annotations(signature)
    hints = _hints(written, named)
    parameters = [p.replace(annotation=hints.get(p.name, p.annotation)) for p in signature.parameters.values()]
    returns = hints.get("return", signature.return_annotation)
    return signature.replace(parameters=parameters, return_annotation=returns)


def _hints(written: dict[str, Any], named: Any) -> dict[str, Any]:
    inner = inspect.unwrap(named)
    names = getattr(inner, "__globals__", None) or vars(sys.modules.get(getattr(inner, "__module__", ""), typing))
    scope = {t.__name__: t for t in getattr(inner, "__type_params__", ())}
    try:
        return _resolve(written, names, scope)
    except Exception:  # noqa: BLE001 - an annotation may hold any expression
        return {name: _resolve_one(annotation, names, scope) for name, annotation in written.items()}


def _resolve(written: dict[str, Any], names: dict[str, Any], scope: dict[str, Any]) -> dict[str, Any]:
    def holder() -> None: ...

    holder.__annotations__ = dict(written)
    return typing.get_type_hints(holder, globalns=names, localns=scope, include_extras=True)


def _resolve_one(annotation: Any, names: dict[str, Any], scope: dict[str, Any]) -> Any:
    try:
        return _resolve({"it": annotation}, names, scope)["it"]
    except Exception:  # noqa: BLE001 - see `_hints`
        return annotation


def with_other_signature(
    func: Callable[..., Any],
    spec: FunctionSignature,
    context: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Callable[..., Any]:
    """Show another signature of a function that otherwise stays unchanged.

    ``context`` returns a context in which to run each call.
    """
    if spec.is_async:

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with context():
                return await func(*args, **kwargs)

        return with_signature(spec, call_async)

    def call(*args: Any, **kwargs: Any) -> Any:
        with context():
            return func(*args, **kwargs)

    return with_signature(spec, call)


def call_with(signature: inspect.Signature, arguments: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arrange arguments by name as positional and keyword arguments for a function of this ``signature``."""
    ordered = {name: arguments[name] for name in signature.parameters if name in arguments}
    bound = inspect.BoundArguments(signature, ordered)
    return bound.args, bound.kwargs
