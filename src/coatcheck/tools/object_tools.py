"""Tools with which a model looks into stored objects, transforms them, and stores its own.

Plain async functions: what they need arrives as the keyword-only ``store`` or ``explorer``, which `object_store_tools`
hides and fills. Every answer is within the explorer's response limit. What all of them share is stated once, in the
description of the first that is offered: every conversation pays for these descriptions. For the same reason parameters
are explained in a sentence of the tool's, which takes fewer tokens than a description of each.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from inspect import cleandoc
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from coatcheck.arguments.lookup import Lookup
from coatcheck.arguments.mentions import nearest_id
from coatcheck.codec import open_json_text
from coatcheck.errors import ArgumentRejected, ObjectNotFound, counted
from coatcheck.explorer import Explorer
from coatcheck.explorer.tool_names import DEFAULT_PREFIX, listed_as, listed_name, names_of_tools
from coatcheck.references import parse_target
from coatcheck.store.call_mode import ASYNC
from coatcheck.store.object_store import ObjectStore
from coatcheck.tools.referenceable import notes_on_arguments
from coatcheck.tools.signatures import signature_of, with_other_signature
from coatcheck.tools.tool_building import MemoryType, ToolConfig


def _trim_schema(schema: dict[str, Any]) -> None:
    """Leave out of a schema what no model needs: the default, that null means it, that a count is not negative."""
    for branch in schema.pop("anyOf", ()):
        if branch.get("type") != "null":
            schema.update(branch)
    for keyword in ("default", "title", "minimum", "additionalProperties"):
        schema.pop(keyword, None)


def _plain(**limits: Any) -> Any:
    return Field(json_schema_extra=_trim_schema, **limits)


def _opened(given: Any) -> Any:
    """Open the JSON text that some models write in place of an object, also where no server does so."""
    found = open_json_text(given) if isinstance(given, str) else None
    return given if found is None else found


ObjectId = Annotated[str, _plain()]
PathInObject = Annotated[str, _plain()]
Pattern = Annotated[str, _plain()]
Count = Annotated[int, _plain(ge=0)]
Switch = Annotated[bool, _plain()]
Others = Annotated[dict[str, str] | None, BeforeValidator(_opened), Field(alias="with", json_schema_extra=_trim_schema)]

_PATHS: Final = 'path: items[3].name, [-1], [0:20], lines[3:10], ["content-type"].'
_READS: Final = {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False}
_MAKES: Final = {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False}
_DELETES: Final = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True, "openWorldHint": False}


async def object_store_get(
    object_id: ObjectId,
    path: PathInObject = "",
    raw: Switch = False,
    start: Count = 0,
    *,
    explorer: Explorer,
) -> str:
    """Show a stored object or a part: whole if small, else structure and samples. raw: the exact text, from start."""
    if raw:
        return await explorer.araw(object_id, path, start)
    if start:
        raise ArgumentRejected(
            f"start goes with raw=true; for a range of items or lines use {_listed_as_tool('slice')}."
        )
    return await explorer.aexplore(object_id, path)


async def object_store_slice(
    object_id: ObjectId,
    start: Annotated[int | None, _plain()] = None,
    end: Annotated[int | None, _plain()] = None,
    path: PathInObject = "",
    *,
    explorer: Explorer,
) -> str:
    """Show items, entries or lines [start:end], as in Python."""
    return await explorer.aslice(object_id, start, end, path)


async def object_store_grep(
    object_id: ObjectId,
    pattern: Pattern,
    path: PathInObject = "",
    case_sensitive: Switch = False,
    context: Count = 0,
    limit: Annotated[int, _plain(ge=1)] = 20,
    start: Count = 0,
    ranked: Switch = False,
    *,
    explorer: Explorer,
) -> str:
    """Find a Python regex in lines, or in keys and values. context: lines around. ranked: words, best passage first."""
    return await explorer.asearch(
        object_id, pattern, path, case_sensitive, context=context, limit=limit, start=start, ranked=ranked
    )


async def object_store_sed(
    object_id: ObjectId,
    pattern: Pattern,
    replacement: Annotated[str, _plain()],
    path: PathInObject = "",
    count: Count = 0,
    case_sensitive: Switch = True,
    *,
    explorer: Explorer,
) -> str:
    r"""Replace a Python regex (\1: group), all or the first count, giving a new object."""
    return await explorer.areplace(object_id, pattern, replacement, path, count, case_sensitive)


async def object_store_query(
    object_id: ObjectId,
    filter: Annotated[str, _plain()],  # noqa: A002 - the name that models know
    path: PathInObject = "",
    with_: Others = None,
    keep: Switch = False,
    *,
    explorer: Explorer,
) -> str:
    """Run a jq filter; with keep, or if large, the result is a new object. with: {"b": "@obj_2"} binds $b."""
    return await explorer.aquery(object_id, filter, path, keep, variables=with_)


async def object_store_put(
    value: Annotated[Any, Field(description="JSON or @obj_1")],
    *,
    store: ObjectStore,
) -> str:
    """Store JSON; each @obj_1 in it is replaced."""
    object_id = await store.aput(value, tool=_listed_as_tool("put"))
    return "\n".join([f"Stored as @{object_id}.", *(f"[Note: {note}]" for note in notes_on_arguments())])


async def object_store_delete(object_id: ObjectId, *, store: ObjectStore) -> str:
    """Delete a stored object."""
    target = parse_target(object_id)
    if target.path:
        raise ArgumentRejected(
            f"Objects are deleted whole; to delete @{target.object_id}, leave out the path. "
            f"To store an object without a part of it, use {_listed_as_tool('query')} with del(…)."
        )
    if await store.adelete(target.object_id):
        return f"Deleted @{target.object_id}."
    return f"Nothing to delete: there is no object @{target.object_id}; it may have expired."


async def object_store_list(*, explorer: Explorer) -> str:
    """List stored objects, newest first."""
    return await explorer.alist()


def _listed_as_tool(operation: str) -> str:
    usual = DEFAULT_PREFIX + operation
    return listed_name(usual) or usual


def object_store_tools(
    store_provider: Callable[[], ObjectStore],
    explorer_provider: Callable[[], Explorer],
    *,
    prefix: str = DEFAULT_PREFIX,
    offered: tuple[str, ...] = (),
    ttl: float | None = None,
) -> dict[str, tuple[Callable[..., Any], ToolConfig]]:
    """The object tools as a registry for `coatcheck.tool_factory.register_tools`.

    Args:
        store_provider: Gives the store; asked at every call.
        explorer_provider: Gives the explorer; asked at every call.
        prefix: What their names begin with.
        offered: Which of them, by the last part of their names; all by default.
        ttl: Seconds that an object is kept, for the description; zero or less for no expiry, ``None`` to leave it out.

    Raises:
        SettingsError: ``offered`` names a tool that there is not.
    """

    def explores(title: str, annotations: Mapping[str, bool]) -> ToolConfig:
        return ToolConfig(parameters={"explorer": explorer_provider}, title=title, annotations=annotations)

    def stores(title: str, annotations: Mapping[str, bool], memory_type: MemoryType) -> ToolConfig:
        return ToolConfig(
            memory_type=memory_type, parameters={"store": store_provider}, title=title, annotations=annotations
        )

    tools: dict[str, tuple[Callable[..., Any], ToolConfig]] = {
        "get": (object_store_get, explores("Show a stored object", _READS)),
        "slice": (object_store_slice, explores("Show a range of a stored object", _READS)),
        "grep": (object_store_grep, explores("Search a stored object", _READS)),
        "sed": (object_store_sed, explores("Replace text in a stored object", _MAKES)),
        "query": (object_store_query, explores("Run jq on a stored object", _MAKES)),
        "put": (object_store_put, stores("Store a value", _MAKES, MemoryType.REFERENCEABLE)),
        "delete": (object_store_delete, stores("Delete a stored object", _DELETES, MemoryType.NO_MEMORY)),
        "list": (object_store_list, explores("List stored objects", _READS)),
    }
    names = names_of_tools(prefix, offered)
    registry: dict[str, tuple[Callable[..., Any], ToolConfig]] = {}
    for operation, (function, config) in tools.items():
        usual = DEFAULT_PREFIX + operation
        name = names.get(usual, usual)
        if name:
            parts = [cleandoc(function.__doc__ or "").replace("\n\n", " ")]
            if not registry:  # the rules for all of them
                parts += [_PATHS, _lifetime(ttl)]
            spec = replace(signature_of(function), doc=" ".join(filter(None, parts)))
            hinting = _with_near_ids(function, explorer_provider)
            registry[name] = (with_other_signature(hinting, spec, partial(listed_as, names)), config)
    return registry


def _with_near_ids(function: Callable[..., Any], explorer: Callable[[], Explorer]) -> Callable[..., Any]:
    """Name the id that was probably meant if there is no such object, as for references in other tools' arguments."""

    async def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return await function(*args, **kwargs)
        except ObjectNotFound as error:
            near = nearest_id(error.object_id, await Lookup(explorer, ASYNC).ids())
            if near is None:
                raise
            raise ObjectNotFound(error.object_id, f"Did you mean @{near}?") from None

    return call


def _lifetime(ttl: float | None) -> str:
    if ttl is None:
        return ""
    if ttl <= 0:
        return "Objects do not expire."
    size, noun = next((unit for unit in ((3600, "hour"), (60, "minute")) if ttl >= 2 * unit[0]), (1, "second"))
    return f"Objects are kept for {counted(round(ttl / size), noun)}."
