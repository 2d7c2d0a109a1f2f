"""Hides parameters of a function from its callers and fills them from providers at each call."""

import inspect
from collections.abc import Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    _AsyncGeneratorContextManager,
    _GeneratorContextManager,
)
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

from coatcheck.tools.docstrings import without_parameters
from coatcheck.tools.signatures import FunctionSignature, call_with, signature_of, with_signature

T = TypeVar("T")
Provider: TypeAlias = Callable[[], Any]

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def unwrapped(source: Any) -> Any:
    """The provider that a container's ``.provider`` stands for.

    On a container's instance, ``container.store.provider`` gives a ``Delegate``: calling that gives the provider, not
    the store. Both forms mean "call this provider at each call".
    """
    while any(kind.__name__ == "Delegate" for kind in type(source).__mro__):
        source = source.provides
    return source


@dataclass(frozen=True, slots=True)
class _ContextProvider:
    """A provider of a context manager that is entered for the call."""

    provider: Provider

    def __call__(self) -> AbstractContextManager[Any] | AbstractAsyncContextManager[Any]:
        return cast("AbstractContextManager[Any]", self.provider())


def per_call(provider: Provider) -> Provider:
    """Mark a provider of context managers, which are entered for each call and exited after it.

    Needed for objects that are context managers themselves, such as a SQLAlchemy ``Session``: without it they are
    passed unchanged, because a shared one must not be closed after the first call. Context managers of functions that
    are decorated with ``contextlib.contextmanager`` or ``asynccontextmanager`` are entered without it.
    """
    return _ContextProvider(unwrapped(provider))


def inject(**providers: Provider) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Decorate a function so that providers fill the named parameters at each call, on whichever server it is a tool.

        @server.tool()
        @inject(session=sessions)
        async def count(table: str, *, session: Session) -> int: …

    The parameters are removed from signature, annotations and docstring, so a server does not publish them, and a
    client that sends one has no effect. The function stays sync or async.

    Args:
        providers: Zero-argument functions, or providers of a container, by parameter. One that returns a coroutine is
            awaited if the function is async. One that is decorated with ``contextlib.contextmanager`` or
            ``asynccontextmanager`` is entered for the call and exited after it, also on errors and when the call is
            cancelled; see `per_call` for other context managers.

    Raises:
        TypeError: A name is not a parameter of the function, or a value is not a provider.
    """
    for name, provider in providers.items():
        if not callable(provider):
            raise TypeError(
                f"inject(): {name!r} needs a provider, a function without arguments, not {type(provider).__name__}: "
                f"write {name}=lambda: … for a fixed value."
            )
    return lambda function: bind(function, **providers)


def bind(func: Callable[..., Any], /, **providers: Callable[[], Any]) -> Callable[..., Any]:
    """Hide the named parameters of ``func`` and fill them from zero-argument providers at each call.

    The parameters are removed from the signature, the annotations and the docstring. The function stays sync or async.
    A value for a hidden name never comes from the caller: it is a ``TypeError``, as for any unknown argument. A
    provider of an async function may return an awaitable, which is awaited.

    Raises:
        TypeError: A name is no parameter of ``func``, or names its ``*args`` or ``**kwargs``.
    """
    hidden = frozenset(providers)
    spec = signature_of(func)
    _check_names(spec, hidden)
    full = spec.signature
    shown = full.replace(parameters=[p for p in full.parameters.values() if p.name not in hidden])
    # With **kwargs, `bind` accepts unknown names; a hidden parameter must not be passed that way.
    swallows = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in full.parameters.values())

    def given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        if swallows and not hidden.isdisjoint(kwargs):
            name = min(hidden.intersection(kwargs))
            raise TypeError(f"{spec.name}() got an unexpected keyword argument {name!r}")
        try:
            return dict(shown.bind(*args, **kwargs).arguments)
        except TypeError as error:
            raise TypeError(f"{spec.name}() {error}") from None

    parameters = list(shown.parameters.values())
    doc = without_parameters(spec.doc, hidden) if spec.doc else spec.doc
    providers = {name: unwrapped(provider) for name, provider in providers.items()}
    if spec.is_async:

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            arguments = given(args, kwargs)
            async with AsyncExitStack() as stack:
                for name, provider in providers.items():
                    arguments[name] = await _provided_async(provider, stack)
                positional, named = call_with(full, arguments)
                return await func(*positional, **named)

        return with_signature(spec, call_async, parameters=parameters, doc=doc)

    def call(*args: Any, **kwargs: Any) -> Any:
        arguments = given(args, kwargs)
        with ExitStack() as stack:
            for name, provider in providers.items():
                arguments[name] = _provided(provider, name, spec, stack)
            positional, named = call_with(full, arguments)
            result = func(*positional, **named)
            # A generator produces its items while it is iterated, and its resources are closed after this block.
            return list(result) if inspect.isgenerator(result) else result

    return with_signature(spec, call, parameters=parameters, doc=doc)


async def _provided_async(provider: Provider, stack: AsyncExitStack) -> Any:
    value = provider()
    if inspect.isawaitable(value):
        value = await value
    if isinstance(value, _AsyncGeneratorContextManager):
        return await stack.enter_async_context(value)
    if isinstance(value, _GeneratorContextManager):
        return stack.enter_context(value)
    if not isinstance(provider, _ContextProvider):
        return value
    if isinstance(value, AbstractAsyncContextManager):
        return await stack.enter_async_context(value)
    return stack.enter_context(value)


def _provided(provider: Provider, name: str, spec: FunctionSignature, stack: ExitStack) -> Any:
    value = _plain(provider(), name, spec)
    if isinstance(value, _AsyncGeneratorContextManager) or (
        isinstance(provider, _ContextProvider) and not isinstance(value, AbstractContextManager)
    ):
        raise TypeError(
            f"the provider of parameter {name!r} of {spec.name}() gave {type(value).__name__}, which cannot be entered "
            f"here: {spec.name}() is not async. Use a plain context manager, or make the function async."
        )
    if isinstance(value, _GeneratorContextManager) or isinstance(provider, _ContextProvider):
        return stack.enter_context(value)
    return value


def _plain(value: Any, name: str, spec: FunctionSignature) -> Any:
    if not inspect.isawaitable(value):
        return value
    if inspect.iscoroutine(value):
        value.close()
    raise TypeError(
        f"the provider of parameter {name!r} of {spec.name}() gave an awaitable, but {spec.name}() is not async: "
        "use a provider that returns the value, or make the function async"
    )


def _check_names(spec: FunctionSignature, hidden: frozenset[str]) -> None:
    parameters = spec.signature.parameters
    for name in sorted(hidden):
        if name not in parameters:
            raise TypeError(f"{spec.name}() has no parameter {name!r}; it has: {', '.join(parameters) or 'none'}")
        if parameters[name].kind in _VARIADIC:
            raise TypeError(f"{spec.name}(): {name!r} takes any number of arguments and cannot be hidden")
