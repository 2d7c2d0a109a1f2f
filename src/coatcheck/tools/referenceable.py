"""The ``referenceable`` decorator: arguments may be references."""

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar, cast

from coatcheck.arguments.annotations import shown_parameter
from coatcheck.arguments.function_parameters import FunctionParameter, parameters_of, types_at
from coatcheck.arguments.input_schemas import REFERENCES_NOTE
from coatcheck.arguments.lookup import Lookup
from coatcheck.arguments.resolver import Resolver
from coatcheck.codec import free_chunks
from coatcheck.errors import CoatcheckError, as_tool_error
from coatcheck.explorer import Explorer
from coatcheck.explorer.explorer import named_kind, require_store
from coatcheck.store.call_mode import ASYNC, BLOCKING, run_blocking
from coatcheck.store.object_store import ObjectStore
from coatcheck.tools.hidden_parameters import unwrapped
from coatcheck.tools.signatures import FunctionSignature, call_with, signature_of, with_signature

StoreSource: TypeAlias = ObjectStore | Callable[[], ObjectStore]
ExplorerSource: TypeAlias = Explorer | Callable[[], Explorer]


P = ParamSpec("P")
T = TypeVar("T")


def with_parentheses(decorator: Callable[P, T]) -> Callable[P, T]:
    """Say what to write where a decorator of ours is used without parentheses or without a store."""

    @wraps(decorator)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        if args or "object_store" not in kwargs:
            name = decorator.__name__
            raise TypeError(
                f"{name} takes a store, by keyword and in parentheses: write @{name}(object_store=store), or "
                f"@container.{name}()."
            )
        return decorator(*args, **kwargs)

    return checked


def explorer_provider(object_store: StoreSource, explorer: ExplorerSource | None) -> Callable[[], Explorer]:
    """A provider of the explorer to use: the given one, the provided one, or one created over the store at first use.

    Raises:
        TypeError: ``object_store`` is neither a store nor a provider of one, or ``explorer`` is neither an explorer nor
            a provider of one.
    """
    object_store, explorer = unwrapped(object_store), unwrapped(explorer)
    require_store(object_store)
    if explorer is None:
        return _created_once(object_store)
    if isinstance(explorer, Explorer):
        return lambda: explorer
    if isinstance(explorer, type) or not callable(explorer):
        raise TypeError(
            f"explorer must be an Explorer or a provider of one, not {named_kind(explorer)}; pass container.explorer, "
            "or leave it out."
        )
    return explorer


def _created_once(object_store: StoreSource) -> Callable[[], Explorer]:
    created: list[Explorer] = []
    lock = threading.Lock()

    def provide() -> Explorer:
        with lock:
            if not created:
                created.append(Explorer(object_store))
        return created[0]

    return provide


def with_note(doc: str | None, note: str) -> str:
    """The docstring with a paragraph about references; one that mentions references already stays unchanged."""
    if doc and "@obj_" in doc:
        return inspect.cleandoc(doc)
    return f"{inspect.cleandoc(doc)}\n\n{note}" if doc else note


class _ErrorsForModel:
    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, CoatcheckError) and (tool_error := as_tool_error(error)) is not error:
            raise tool_error from error


_TOLD = _ErrorsForModel()


def errors_for_model() -> AbstractContextManager[None]:
    """Convert expected errors to ones whose text the MCP SDK shows to the model."""
    return _TOLD


class ReferenceableDecorator(Protocol):
    """Keeps the parameters and the result of what it decorates; callers may pass references as well."""

    def __call__(self, func: Callable[P, T], /) -> Callable[P, T]:
        """Decorate a function."""
        ...


_notes: ContextVar[Sequence[str]] = ContextVar("coatcheck_notes_on_arguments", default=())


def notes_on_arguments() -> Sequence[str]:
    """Notes for the model about the references in the arguments of the running call."""
    return _notes.get()


_MARK = "__coatcheck_resolves_references__"


@with_parentheses
def referenceable(
    *, object_store: StoreSource, explorer: ExplorerSource | None = None, literal: frozenset[str] = frozenset()
) -> ReferenceableDecorator:
    """Decorate a function so that references in its arguments are replaced by the values they refer to.

    ``"@obj_001"`` or ``"@obj_001.items[3].name"`` resolves as an argument and anywhere inside lists and dicts, up to
    100 levels deep; ``"{{@obj_001.title}}"`` inside a longer text becomes that text; ``"@@obj_001"`` is the literal
    text ``"@obj_001"``; other strings stay unchanged, without a note about references in them, because a note in the
    function's result would reach every caller in Python. `attach` adds one beside results.
    Resolved values are not searched again. See
    ``coatcheck.arguments.resolver`` for the rules. Then each argument is validated against its annotation as the MCP
    SDK would, so the function gets models, dates and numbers, and text that contains JSON where a list or an object is
    expected. Defaults pass as they are.

    The annotations accept references, and the JSON schema that pydantic generates from them advertises this.

    Args:
        object_store: The store, or a zero-argument provider of it.
        explorer: The explorer, or a zero-argument provider of it; by default one over ``object_store``.
        literal: Parameters whose values pass unchanged: no references, no validation.

    Raises:
        TypeError: ``object_store``, ``explorer`` or ``literal`` is something else, or the function has no parameter
            that ``literal`` names.

    Calls raise:
        ObjectNotFound: A reference to an object that does not exist.
        PathNotFound: A reference whose path does not exist.
        ReferenceSyntaxError: A malformed path in braces.
        ArgumentRejected: A value that does not fit its parameter, a near miss of a reference, or one that is nested too
            deeply.
    """
    provide = explorer_provider(object_store, explorer)
    if isinstance(literal, str):
        raise TypeError("literal must be a set of names of parameters, not a text.")

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        spec = signature_of(func)
        unknown = sorted(literal - spec.signature.parameters.keys())
        if unknown:
            raise TypeError(f"{spec.name}() has no parameter {unknown[0]!r}, which literal names.")
        known = parameters_of(spec.signature, literal)

        def call(*args: Any, **kwargs: Any) -> Any:
            given = _bound_arguments(spec, args, kwargs)
            with errors_for_model():
                arguments = run_blocking(_resolved(given, known, Lookup(provide, BLOCKING)))
            positional, named = _arranged(spec, given, kwargs, arguments)
            return func(*positional, **named)

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            given = _bound_arguments(spec, args, kwargs)
            lookup = Lookup(provide, ASYNC)
            with errors_for_model():
                arguments = await _resolved(given, known, lookup)
            positional, named = _arranged(spec, given, kwargs, arguments)
            result = await func(*positional, **named)
            del arguments, positional, named
            await free_chunks(lookup.chunks)
            return result

        wrapper = call_async if spec.is_async else call
        shown = [shown_parameter(p, known.get(p.name)) for p in spec.signature.parameters.values()]
        decorated = with_signature(spec, wrapper, parameters=shown, doc=with_note(spec.doc, REFERENCES_NOTE))
        setattr(decorated, _MARK, True)
        return decorated

    return cast("ReferenceableDecorator", decorate)


def resolves_references(func: object) -> bool:
    """Whether a function is decorated to resolve references in its arguments itself."""
    return getattr(func, _MARK, False) is True


def _bound_arguments(spec: FunctionSignature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments by parameter name: ``kwargs`` itself if all were passed by keyword."""
    if not args and spec.takes(kwargs):
        return kwargs
    try:
        return dict(spec.signature.bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise TypeError(f"{spec.name}() {error}") from None


def _arranged(
    spec: FunctionSignature, given: dict[str, Any], kwargs: dict[str, Any], arguments: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return ((), arguments) if given is kwargs else call_with(spec.signature, arguments)


async def _resolved(
    given: dict[str, Any], parameters: Mapping[str, FunctionParameter], lookup: Lookup
) -> dict[str, Any]:
    """Resolve the references in a call's arguments, and validate each against its parameter; defaults pass."""
    taken = {
        name: value for name, value in given.items() if name in parameters and not parameters[name].is_default(value)
    }
    if not Resolver.concerns(taken):
        _notes.set(())
        return given | {name: parameters[name].validate(value, ()) for name, value in taken.items()}
    resolver = Resolver(lookup, partial(types_at, parameters))
    resolved = await resolver.resolve(taken)
    _notes.set(tuple(resolver.notes))
    valid = {name: parameters[name].validate(value, resolver.sources.get(name, ())) for name, value in resolved.items()}
    return given | valid
