"""The explorer: reads, searches and transforms stored objects with answers of bounded length."""

from collections.abc import Callable, Mapping
from typing import Any

from coatcheck.errors import require_numbers
from coatcheck.explorer.explorer_call import ExplorerCall, Kept, target_of
from coatcheck.explorer.operations import Answer
from coatcheck.explorer.operations.searching import MATCHES_SHOWN
from coatcheck.explorer.reference_values import Found
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.explorer.tool_names import Names
from coatcheck.references import Reference
from coatcheck.store.call_mode import ASYNC, BLOCKING, CallMode, run_blocking
from coatcheck.store.object_store import ObjectStore
from coatcheck.store.stored_object import StoredObject

DEFAULT_PREVIEW_LIMIT = 4000
DEFAULT_RESPONSE_LIMIT = 8000
LEAST_PREVIEW_LIMIT = 50
"""Characters in which any reference fits: a result whose reference is cut off would be lost to the model."""
LEAST_RESPONSE_LIMIT = 500
"""Characters in which the place of a page and the call for the next one fit, with some of the object."""


def require_store(given: Any) -> None:
    """Refuse what is neither a store nor a function that returns one; raises ``TypeError``."""
    if isinstance(given, type) or not (callable(given) or hasattr(given, "put_encoded")):
        raise TypeError(
            f"object_store must be an ObjectStore or a provider of one, not {named_kind(given)}; "
            "pass container.store, or create one over a backend with ObjectStore(backend)."
        )


def named_kind(given: Any) -> str:
    """Name a wrong argument by its class, or as a class itself."""
    return f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__


def require_limits(owner: str, preview_limit: Any, response_limit: Any) -> None:
    """Refuse limits that are no numbers or too small for any answer; raises ``TypeError`` or ``ValueError``."""
    require_numbers(owner, LEAST_PREVIEW_LIMIT, preview_limit=preview_limit)
    require_numbers(owner, LEAST_RESPONSE_LIMIT, response_limit=response_limit)


class Explorer:
    """Shows, searches and transforms stored objects in answers of bounded length.

    Args:
        store: The object store, or a function that returns it and is called at each use.
        sandbox: Runs patterns, filters and work on large objects; by default the explorer creates its own at first use.
        preview_limit: Maximum characters of a preview, at least 50.
        response_limit: Maximum characters of the answers of other methods, at least 500.
        tool_names: Names of renamed object tools, for the calls that answers suggest.

    ``obj_id`` is an id with or without ``@``, optionally with a path; ``path`` selects a part, such as
    ``items[3].name``. All methods raise ``ObjectNotFound``, ``PathNotFound``, ``ReferenceSyntaxError`` and
    ``ObjectStoreUnavailable``; each has an asynchronous form, with an ``a`` before its name.

    Raises:
        TypeError: ``store`` is neither a store nor a function, or a limit is not a whole number.
        ValueError: A limit is too small.
    """

    def __init__(
        self,
        store: ObjectStore | Callable[[], ObjectStore],
        *,
        sandbox: Sandbox | Callable[[], Sandbox] | None = None,
        preview_limit: int = DEFAULT_PREVIEW_LIMIT,
        response_limit: int = DEFAULT_RESPONSE_LIMIT,
        tool_names: Names | None = None,
    ) -> None:
        require_store(store)
        require_limits("Explorer", preview_limit, response_limit)
        self._store = store
        self._sandbox = sandbox
        self.preview_limit = preview_limit
        self.response_limit = response_limit
        self._tool_names = tool_names or {}

    @property
    def store(self) -> ObjectStore:
        """The object store; a provider of it is called at each access."""
        return self._store if isinstance(self._store, ObjectStore) or not callable(self._store) else self._store()

    def with_limits(self, *, preview_limit: int | None = None, response_limit: int | None = None) -> "Explorer":
        """An explorer over the same store and sandbox with other limits, in characters."""
        return Explorer(
            self._store,
            sandbox=self._open_sandbox,
            preview_limit=self.preview_limit if preview_limit is None else preview_limit,
            response_limit=self.response_limit if response_limit is None else response_limit,
            tool_names=self._tool_names,
        )

    def _call(self, mode: CallMode) -> ExplorerCall:
        return ExplorerCall(
            self.store, self._open_sandbox, mode, self.preview_limit, self.response_limit, self._tool_names
        )

    def _open_sandbox(self) -> Sandbox:
        if self._sandbox is None:
            self._sandbox = Sandbox()
        return self._sandbox if isinstance(self._sandbox, Sandbox) else self._sandbox()

    # Showing

    def preview(self, obj_id: str, path: str = "") -> str:
        """Preview an object: a headline and the whole object if it is small, else its structure and samples."""
        return run_blocking(self._call(BLOCKING).show(target_of(obj_id, path), self.preview_limit, headline=True))

    async def apreview(self, obj_id: str, path: str = "") -> str:
        """Preview an object; see ``preview``."""
        return await self._call(ASYNC).show(target_of(obj_id, path), self.preview_limit, headline=True)

    def explore(self, obj_id: str, path: str = "") -> str:
        """Show an object or a part of it: the bare value if it fits the response limit, else its preview."""
        return run_blocking(self._call(BLOCKING).show(target_of(obj_id, path), self.response_limit))

    async def aexplore(self, obj_id: str, path: str = "") -> str:
        """Show an object or a part of it; see ``explore``."""
        return await self._call(ASYNC).show(target_of(obj_id, path), self.response_limit)

    def slice(self, obj_id: str, start: int | None = None, end: int | None = None, path: str = "") -> str:
        """Show a range: items of a list, members of an object, lines of a text; the end is not included."""
        args = {"start": start, "end": end}
        return run_blocking(self._call(BLOCKING).run("slice", target_of(obj_id, path), args, self.response_limit)).text

    async def aslice(self, obj_id: str, start: int | None = None, end: int | None = None, path: str = "") -> str:
        """Show a range; see ``slice``."""
        args = {"start": start, "end": end}
        return (await self._call(ASYNC).run("slice", target_of(obj_id, path), args, self.response_limit)).text

    def raw(self, obj_id: str, path: str = "", start: int = 0) -> str:
        """Return one page of the exact text from character ``start`` on, at most the response limit."""
        return run_blocking(self._call(BLOCKING).raw(target_of(obj_id, path), start))

    async def araw(self, obj_id: str, path: str = "", start: int = 0) -> str:
        """Return one page of the exact text; see ``raw``."""
        return await self._call(ASYNC).raw(target_of(obj_id, path), start)

    def list(self) -> str:
        """List the caller's objects, newest first; raises ``ListingUnsupported`` if this is not possible."""
        return run_blocking(self._call(BLOCKING).list())

    async def alist(self) -> str:
        """List the caller's objects; see ``list``."""
        return await self._call(ASYNC).list()

    # Searching and transforming, in the sandbox

    def search(
        self,
        obj_id: str,
        pattern: str,
        path: str = "",
        case_sensitive: bool = False,
        *,
        context: int = 0,
        limit: int = MATCHES_SHOWN,
        start: int = 0,
        ranked: bool = False,
    ) -> str:
        """Find a regular expression in a text's lines, or in the keys and values of a structure.

        ``context`` lines around each match are shown too, and at most ``limit`` matches; ``start`` is the first match
        to show, for the next page. With ``ranked`` the pattern is a list of words, and passages are ranked by BM25.

        Raises:
            PatternError: The pattern does not compile.
            SandboxError: The search exceeded a limit.
        """
        args = {"pattern": pattern, "case_sensitive": case_sensitive, "start": start, "context": context, "most": limit}
        return run_blocking(self._search(BLOCKING, target_of(obj_id, path), args, ranked=ranked))

    async def asearch(
        self,
        obj_id: str,
        pattern: str,
        path: str = "",
        case_sensitive: bool = False,
        *,
        context: int = 0,
        limit: int = MATCHES_SHOWN,
        start: int = 0,
        ranked: bool = False,
    ) -> str:
        """Find a regular expression; see ``search``."""
        args = {"pattern": pattern, "case_sensitive": case_sensitive, "start": start, "context": context, "most": limit}
        return await self._search(ASYNC, target_of(obj_id, path), args, ranked=ranked)

    async def _search(self, mode: CallMode, target: Reference, args: dict[str, Any], *, ranked: bool) -> str:
        return (await self._call(mode).run("rank" if ranked else "search", target, args, self.response_limit)).text

    def replace(
        self,
        obj_id: str,
        pattern: str,
        replacement: str,
        path: str = "",
        count: int = 0,
        case_sensitive: bool = True,
    ) -> str:
        """Replace matches of a regular expression, in text or in all strings of a structure, and store the result.

        The object itself is unchanged. ``count`` is the maximum number of replacements, 0 for all.

        Raises:
            PatternError: The pattern or the replacement is malformed.
            SandboxError: The operation exceeded a limit.
        """
        args = {"pattern": pattern, "replacement": replacement, "count": count, "case_sensitive": case_sensitive}
        return run_blocking(self._call(BLOCKING).derive("replace", target_of(obj_id, path), args, store=True))

    async def areplace(
        self,
        obj_id: str,
        pattern: str,
        replacement: str,
        path: str = "",
        count: int = 0,
        case_sensitive: bool = True,
    ) -> str:
        """Replace matches of a regular expression; see ``replace``."""
        args = {"pattern": pattern, "replacement": replacement, "count": count, "case_sensitive": case_sensitive}
        return await self._call(ASYNC).derive("replace", target_of(obj_id, path), args, store=True)

    def query(
        self,
        obj_id: str,
        filter: str,  # noqa: A002
        path: str = "",
        store: bool = False,
        *,
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Run a jq filter and show its result; a large result is stored and previewed, with ``store`` any result.

        ``variables`` binds other objects: with ``{"b": "@obj_2.rows"}`` the filter has ``$b``.

        Raises:
            FilterError: The filter is malformed, fails on the value, or uses something unavailable.
            SandboxError: The filter exceeded a limit.
        """
        return run_blocking(self._query(BLOCKING, obj_id, filter, path, store, variables))

    async def aquery(
        self,
        obj_id: str,
        filter: str,  # noqa: A002
        path: str = "",
        store: bool = False,
        *,
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Run a jq filter and show its result; see ``query``."""
        return await self._query(ASYNC, obj_id, filter, path, store, variables)

    async def _query(
        self, mode: CallMode, obj_id: str, program: str, path: str, store: bool, variables: Mapping[str, str] | None
    ) -> str:
        args = {"filter": program, "with": {name: target_of(each) for name, each in (variables or {}).items()}}
        return await self._call(mode).derive("query", target_of(obj_id, path), args, store=store)

    def check_filter(self, filter: str) -> None:  # noqa: A002
        """Compile a jq filter.

        Raises:
            FilterError: It is malformed, or uses something unavailable.
            SandboxError: Its compilation exceeded a limit.
        """
        run_blocking(self._call(BLOCKING).check_filter(filter))

    async def acheck_filter(self, filter: str) -> None:  # noqa: A002
        """Compile a jq filter; see ``check_filter``."""
        await self._call(ASYNC).check_filter(filter)

    def run(self, operation: str, obj_id: str, path: str = "", **args: Any) -> Answer:
        """Run ``search`` or ``query``; return its text, its figures and its new value, which is not stored.

        Raises:
            CoatcheckError: As the method of the operation.
        """
        return run_blocking(self._call(BLOCKING).run(operation, target_of(obj_id, path), args, self.response_limit))

    # Storing and returning values

    def resolve(self, obj_id: str, path: str = "", *, as_text: bool = False) -> Any:
        """Return the value of a reference; with ``as_text`` its text, or its JSON if it is not a text."""
        return self.find(obj_id, path, as_text=as_text).value

    async def aresolve(self, obj_id: str, path: str = "", *, as_text: bool = False) -> Any:
        """Return the value of a reference; see ``resolve``."""
        return (await self.afind(obj_id, path, as_text=as_text)).value

    def find(self, obj_id: str | Reference, path: str = "", *, as_text: bool = False, opened: bool = False) -> Found:
        """Return the value of a reference and its size; with ``opened`` what its text represents. See ``resolve``."""
        reference = self._call(BLOCKING).find(target_of(obj_id, path))
        return run_blocking(reference.text() if as_text else reference.value(opened=opened))

    async def afind(
        self,
        obj_id: str | Reference,
        path: str = "",
        *,
        as_text: bool = False,
        opened: bool = False,
        known: StoredObject | None = None,
    ) -> Found:
        """Return the value of a reference and its size; see ``find``. ``known``: its object, if it was read before."""
        reference = self._call(ASYNC).find(target_of(obj_id, path), known)
        return await (reference.text() if as_text else reference.value(opened=opened))

    async def afind_json(
        self, obj_id: str | Reference, path: str = "", *, sampled: bool = False, known: StoredObject | None = None
    ) -> Found:
        """Return the value of a reference; a large value as JSON, with a sample if requested; see ``afind``."""
        return await self._call(ASYNC).find(target_of(obj_id, path), known).json(sampled=sampled)

    def keep(self, value: Any, tool: str | None = None, limit: int | None = None) -> Kept:
        """Store a value and preview it within ``limit``; if it cannot be stored, it is still shown."""
        return run_blocking(self._call(BLOCKING).keep(value, tool, self.preview_limit if limit is None else limit))

    async def akeep(self, value: Any, tool: str | None = None, limit: int | None = None) -> Kept:
        """Store a value and preview it; see ``keep``."""
        return await self._call(ASYNC).keep(value, tool, self.preview_limit if limit is None else limit)

    def put_and_preview(self, value: Any, tool: str | None = None) -> str:
        """Store a value and return its preview; see ``keep``."""
        return self._shown(self.keep(value, tool), tool)

    async def aput_and_preview(self, value: Any, tool: str | None = None) -> str:
        """Store a value and return its preview; see ``keep``."""
        return self._shown(await self.akeep(value, tool), tool)

    def _shown(self, kept: Kept, tool: str | None) -> str:
        shown = len(kept.preview)
        self.store.record_result(tool, reference=kept.reference, characters=kept.characters, shown=shown)
        return kept.preview
