"""Taking references: the ``referenceable`` decorator."""

import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar, cast

from coatcheck.arguments.annotations import advertised
from coatcheck.arguments.decorator_arguments import Steps, settled
from coatcheck.arguments.expected_values import Expected, expectations
from coatcheck.codec import Manners, Pieces, let_go
from coatcheck.errors import CoatcheckError, as_tool_error
from coatcheck.explorer import Explorer
from coatcheck.store.object_store import ObjectStore
from coatcheck.tools.signatures import Face, call_with, face_of, wear

StoreSource: TypeAlias = ObjectStore | Callable[[], ObjectStore]
ExplorerSource: TypeAlias = Explorer | Callable[[], Explorer]


def explorer_provider(object_store: StoreSource, explorer: ExplorerSource | None) -> Callable[[], Explorer]:
    """A provider of the explorer to use: the given one, the provided one, or one made over the store at first use.

    Raises:
        TypeError: What is given for a store is neither one nor a provider of one.
    """
    if not isinstance(object_store, ObjectStore) and not callable(object_store):
        raise TypeError(
            f"object_store wants an ObjectStore or a provider of one, not {type(object_store).__name__}; "
            "over a backend one is made by ObjectStore(backend)."
        )
    if explorer is None:
        return _made_once(object_store)
    if callable(explorer):
        return explorer
    given: Explorer = explorer
    return lambda: given


def _made_once(object_store: StoreSource) -> Callable[[], Explorer]:
    made: list[Explorer] = []
    lock = threading.Lock()

    def provide() -> Explorer:
        with lock:
            if not made:
                made.append(Explorer(object_store))
        return made[0]

    return provide


def with_note(doc: str | None, note: str) -> str:
    """The docstring with a paragraph at its end."""
    return f"{inspect.cleandoc(doc)}\n\n{note}" if doc else note


@contextmanager
def told_to_the_model() -> Iterator[None]:
    """Let expected failures leave as errors whose text the MCP SDK shows to the model."""
    try:
        yield
    except CoatcheckError as error:
        told = as_tool_error(error)
        if told is error:
            raise
        raise told from error


T = TypeVar("T")
Decorator: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]

_MARK = "__coatcheck_resolves_references__"
_NOTE = (
    "Any argument, or a part of it, may be a reference such as @obj_001 or @obj_001.items[0]; "
    "for that literal text write @@obj_001."
)


def referenceable(
    *, object_store: StoreSource, explorer: ExplorerSource | None = None, literal: frozenset[str] = frozenset()
) -> Decorator:
    """Decorate a function so that references stand for the values they refer to.

    ``"@obj_001"`` or ``"@obj_001.items[3].name"`` resolves as an argument and anywhere inside lists and dicts, up to
    100 levels deep; ``"@@obj_001"`` is the literal text ``"@obj_001"``; other strings stay as they are. Resolved
    values are not scanned again. Then each argument is validated against its annotation as the MCP SDK would, so the
    function gets models, dates and numbers, and text that holds JSON where a list or an object is expected. Defaults
    pass as they are.

    The annotations say that references are welcome, and so does the JSON schema that pydantic makes of them.

    Args:
        object_store: The store, or a zero-argument provider of it.
        explorer: The explorer, or a zero-argument provider of it; by default one over ``object_store``.
        literal: Parameters whose values pass untouched: no references, no validation.

    Calls raise:
        ObjectNotFound: A reference to nothing.
        PathNotFound: A reference whose path leads nowhere.
        ArgumentRejected: A value that does not fit its parameter.
    """
    provide = explorer_provider(object_store, explorer)

    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        face = face_of(func)
        expected = expectations(face.signature, literal)
        wrapper = _async(func, face, expected, provide) if face.is_async else _sync(func, face, expected, provide)
        parameters = [advertised(p, expected.get(p.name)) for p in face.signature.parameters.values()]
        worn = wear(face, wrapper, parameters=parameters, doc=with_note(face.doc, _NOTE))
        setattr(worn, _MARK, True)
        return worn

    return decorate


def resolves_references(func: object) -> bool:
    """Whether a function resolves references in its arguments itself, so that nobody must do it before."""
    return getattr(func, _MARK, False) is True


def _given(face: Face, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        return dict(face.signature.bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise TypeError(f"{face.name}() {error}") from None


def _async(
    func: Callable[..., Any], face: Face, expected: dict[str, Expected], provide: Callable[[], Explorer]
) -> Callable[..., Any]:
    async def call_async(*args: Any, **kwargs: Any) -> Any:
        given = _given(face, args, kwargs)
        pieces: Pieces = []
        with told_to_the_model():
            arguments = await _resolved_async(settled(given, expected), provide, pieces)
        positional, named = call_with(face.signature, arguments)
        result = await func(*positional, **named)
        del arguments, positional, named
        await let_go(pieces)
        return result

    return call_async


def _sync(
    func: Callable[..., Any], face: Face, expected: dict[str, Expected], provide: Callable[[], Explorer]
) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        given = _given(face, args, kwargs)
        with told_to_the_model():
            arguments = _resolved(settled(given, expected), provide)
        positional, named = call_with(face.signature, arguments)
        return func(*positional, **named)

    return call


def _resolved(steps: Steps[T], provide: Callable[[], Explorer]) -> T:
    found: Any = None
    while True:
        try:
            request = steps.send(found)
        except StopIteration as done:
            return cast("T", done.value)
        found = None if request is None else provide().find(request.object_id, request.path, as_text=request.as_text)


async def _resolved_async(steps: Steps[T], provide: Callable[[], Explorer], pieces: Pieces) -> T:
    found: Any = None
    manners = Manners()
    while True:
        try:
            request = steps.send(found)
        except StopIteration as done:
            return cast("T", done.value)
        if request is None:
            found = None
            if manners.are_due():
                await manners.pause()
            continue
        found = await provide().afind(request.object_id, request.path, as_text=request.as_text)
        pieces += found.pieces
