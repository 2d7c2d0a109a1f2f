"""Hiding parameters of a function and filling them from providers."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from coatcheck.signatures.docstrings import without_parameters
from coatcheck.signatures.faces import Face, face_of, wear

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def bind(func: Callable[..., Any], /, **providers: Callable[[], Any]) -> Callable[..., Any]:
    """Hide the named parameters of ``func`` and fill them from zero-argument providers at each call.

    The parameters leave the signature, the annotations and the docstring. The function stays sync or async. A value
    for a hidden name never comes from the caller: it is a ``TypeError``, as for any unknown argument. A provider of
    an async function may give an awaitable, which is awaited.

    Raises:
        TypeError: A name is no parameter of ``func``, or names its ``*args`` or ``**kwargs``.
    """
    hidden = frozenset(providers)
    face = face_of(func)
    _check_names(face, hidden)
    full = face.signature
    shown = full.replace(parameters=[p for p in full.parameters.values() if p.name not in hidden])
    # Only a function with **kwargs lets an unknown name through `bind`; a hidden one must not arrive that way.
    swallows = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in full.parameters.values())

    def given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if swallows and not hidden.isdisjoint(kwargs):
            name = min(hidden.intersection(kwargs))
            raise TypeError(f"{face.name}() got an unexpected keyword argument {name!r}")
        try:
            return dict(shown.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(f"{face.name}() {error}") from None

    parameters = list(shown.parameters.values())
    doc = without_parameters(face.doc, hidden) if face.doc else face.doc
    if face.is_async:

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            arguments = given(args, kwargs)
            for name, provider in providers.items():
                value = provider()
                arguments[name] = await value if inspect.isawaitable(value) else value
            positional, named = call_with(full, arguments)
            return await func(*positional, **named)

        return wear(face, call_async, parameters=parameters, doc=doc)

    def call(*args: Any, **kwargs: Any) -> Any:
        arguments = given(args, kwargs)
        for name, provider in providers.items():
            arguments[name] = _plain(provider(), name, face)
        positional, named = call_with(full, arguments)
        return func(*positional, **named)

    return wear(face, call, parameters=parameters, doc=doc)


def refaced(func: Callable[..., Any], face: Face) -> Callable[..., Any]:
    """Show another face on a function that otherwise stays as it is."""
    if face.is_async:

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            return await func(*args, **kwargs)

        return wear(face, call_async)

    def call(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wear(face, call)


def call_with(signature: inspect.Signature, arguments: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arrange arguments by name as positional and keyword arguments for a function of this ``signature``."""
    ordered = {name: arguments[name] for name in signature.parameters if name in arguments}
    bound = inspect.BoundArguments(signature, ordered)
    return bound.args, bound.kwargs


def _plain(value: Any, name: str, face: Face) -> Any:
    if not inspect.isawaitable(value):
        return value
    if inspect.iscoroutine(value):
        value.close()
    raise TypeError(
        f"the provider of parameter {name!r} of {face.name}() gave an awaitable, but {face.name}() is not async: "
        "use a provider that returns the value, or make the function async"
    )


def _check_names(face: Face, hidden: frozenset[str]) -> None:
    parameters = face.signature.parameters
    for name in sorted(hidden):
        if name not in parameters:
            raise TypeError(f"{face.name}() has no parameter {name!r}; it has: {', '.join(parameters) or 'none'}")
        if parameters[name].kind in _VARIADIC:
            raise TypeError(f"{face.name}(): {name!r} takes any number of arguments and cannot be hidden")
