"""Tools with which a model looks into stored objects, transforms them, and stores its own.

Plain async functions: what they need arrives as the keyword-only ``store`` or ``explorer``, which `object_store_tools`
hides and fills. Every answer is within the explorer's response limit.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from pydantic import Field

from coatcheck.errors import ArgumentRejected
from coatcheck.explorer import Explorer
from coatcheck.references import parse_target
from coatcheck.store.object_store import ObjectStore
from coatcheck.tools.tool_building import MemoryType, ToolConfig

ObjectId = Annotated[str, Field(description='E.g. "@obj_001".')]
PathInObject = Annotated[
    str,
    Field(description='A part of it: items[3].name, [-1], [0:20], ["content-type"].'),
]

_READS: Final = {"readOnlyHint": True, "idempotentHint": True, "openWorldHint": False}
_MAKES: Final = {"readOnlyHint": False, "destructiveHint": False, "openWorldHint": False}
_DELETES: Final = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True, "openWorldHint": False}


async def object_store_get(
    object_id: ObjectId,
    path: PathInObject = "",
    raw: Annotated[bool, Field(description="The exact text, page by page.")] = False,
    start: Annotated[int, Field(ge=0, description="With raw: first character.")] = 0,
    *,
    explorer: Explorer,
) -> str:
    """Show a stored object or a part of it: whole if small, else structure and samples.

    Example: object_id="@obj_001", path="items[3].name".
    """
    if raw:
        return await explorer.araw(object_id, path, start)
    if start:
        raise ArgumentRejected("start goes with raw=true; for a range of items or lines use object_store_slice.")
    return await explorer.aexplore(object_id, path)


async def object_store_slice(
    object_id: ObjectId,
    start: Annotated[int | None, Field(description="From 0; -20 counts from the end.")] = None,
    end: Annotated[int | None, Field(description="The one to stop before.")] = None,
    path: PathInObject = "",
    *,
    explorer: Explorer,
) -> str:
    """Show a range of a stored object: items of a list, entries of an object, or lines of a text.

    Example: object_id="@obj_001", path="items", start=20, end=40.
    """
    return await explorer.aslice(object_id, start, end, path)


async def object_store_grep(
    object_id: ObjectId,
    pattern: Annotated[str, Field(description="Regular expression (Python).")],
    path: PathInObject = "",
    case_sensitive: bool = False,
    context: Annotated[int, Field(ge=0, le=50, description="Lines to show around each match.")] = 0,
    limit: Annotated[int, Field(ge=1, le=1000, description="Most matches to show.")] = 20,
    start: Annotated[int, Field(ge=0, description="The match to begin with.")] = 0,
    ranked: Annotated[bool, Field(description="The pattern is words; best passages first (BM25).")] = False,
    *,
    explorer: Explorer,
) -> str:
    """Search a stored object: lines of a text, keys and values of a structure, with their paths.

    Example: object_id="@obj_001", pattern="error|failed".
    """
    return await explorer.asearch(
        object_id, pattern, path, case_sensitive, context=context, limit=limit, start=start, ranked=ranked
    )


async def object_store_sed(
    object_id: ObjectId,
    pattern: Annotated[str, Field(description="Regular expression (Python).")],
    replacement: Annotated[str, Field(description=r"\1: the first group.")],
    path: PathInObject = "",
    count: Annotated[int, Field(ge=0, description="Most replacements; 0: all.")] = 0,
    case_sensitive: bool = True,
    *,
    explorer: Explorer,
) -> str:
    r"""Replace text in a stored object; the result is a new object, the original stays.

    Example: object_id="@obj_001", pattern="(\d+) USD", replacement="$\1".
    """
    return await explorer.areplace(object_id, pattern, replacement, path, count, case_sensitive)


async def object_store_query(
    object_id: ObjectId,
    filter: Annotated[str, Field(description="jq filter.")],  # noqa: A002 - the name that models know
    path: PathInObject = "",
    keep: Annotated[bool, Field(description="Store a small result too.")] = False,
    *,
    explorer: Explorer,
) -> str:
    """Run a jq filter on a stored object; a large result is stored as a new object and previewed.

    Example: object_id="@obj_001", filter=".items | map(select(.price > 10)) | length".
    """
    return await explorer.aquery(object_id, filter, path, keep)


async def object_store_put(
    value: Annotated[Any, Field(description="JSON; references in it are resolved.")],
    *,
    store: ObjectStore,
) -> str:
    """Store a value and get a reference to pass to other tools in its place.

    Example: value={"ids": [1, 2], "rows": "@obj_001.items[0:10]"}.
    """
    object_id = await store.aput(value, tool="object_store_put")
    return f"Stored as @{object_id}."


async def object_store_delete(object_id: ObjectId, *, store: ObjectStore) -> str:
    """Delete a stored object.

    Example: object_id="@obj_001".
    """
    target = parse_target(object_id)
    if target.path:
        raise ArgumentRejected(
            f"Objects are deleted whole; to delete @{target.object_id}, leave out the path. "
            "To store an object without a part of it, use object_store_query with del(…)."
        )
    if await store.adelete(target.object_id):
        return f"Deleted @{target.object_id}."
    return f"Nothing to delete: there is no object @{target.object_id}; it may have expired."


async def object_store_list(*, explorer: Explorer) -> str:
    """List the stored objects, newest first: reference, type, size, the tool it is from, age."""
    return await explorer.alist()


def object_store_tools(
    store_provider: Callable[[], ObjectStore], explorer_provider: Callable[[], Explorer]
) -> dict[str, tuple[Callable[..., Any], ToolConfig]]:
    """The object tools as a registry for `coatcheck.tool_factory.register_tools`.

    Args:
        store_provider: Gives the store; asked at every call.
        explorer_provider: Gives the explorer; asked at every call.
    """

    def explores(title: str, annotations: Mapping[str, bool]) -> ToolConfig:
        return ToolConfig(parameters={"explorer": explorer_provider}, title=title, annotations=annotations)

    def stores(title: str, annotations: Mapping[str, bool], memory_type: MemoryType) -> ToolConfig:
        return ToolConfig(
            memory_type=memory_type, parameters={"store": store_provider}, title=title, annotations=annotations
        )

    return {
        "object_store_get": (object_store_get, explores("Show a stored object", _READS)),
        "object_store_slice": (object_store_slice, explores("Show a range of a stored object", _READS)),
        "object_store_grep": (object_store_grep, explores("Search a stored object", _READS)),
        "object_store_sed": (object_store_sed, explores("Replace text in a stored object", _MAKES)),
        "object_store_query": (object_store_query, explores("Run jq on a stored object", _MAKES)),
        "object_store_put": (object_store_put, stores("Store a value", _MAKES, MemoryType.REFERENCEABLE)),
        "object_store_delete": (object_store_delete, stores("Delete a stored object", _DELETES, MemoryType.NO_MEMORY)),
        "object_store_list": (object_store_list, explores("List stored objects", _READS)),
    }
