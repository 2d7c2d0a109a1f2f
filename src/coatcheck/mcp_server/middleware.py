"""Middleware for servers of the SDK: stores large results and resolves references."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, principal_components
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from coatcheck import codec
from coatcheck.arguments.declared_types import DeclaredTypes
from coatcheck.calls.built_in_tools import normalized_arguments
from coatcheck.calls.host_profiles import Client, client_of_initialize
from coatcheck.calls.instructions import with_instructions
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.limits import CallBudgets
from coatcheck.calls.nested_coatchecks import HANDSHAKES, announces_coatcheck, is_from_coatcheck, with_announcement
from coatcheck.calls.prepared_call import FILTER, PreparedCall
from coatcheck.calls.result_keeper import with_notes
from coatcheck.calls.stored_resources import LONGEST_URI, is_object
from coatcheck.codec.tool_results import text_result
from coatcheck.errors import CoatcheckError, ObjectNotFound, excerpt, quoted
from coatcheck.store.tenancy import Caller, CallerKind, Tenancy

_RESOURCE_NOT_FOUND = -32002

_LONGEST_NAMES = {"name": 1_000, "uri": 8_000}
"""Characters of the names that requests contain."""

MOST_PAGES = 100
"""Maximum pages of a server's list of tools that are read to find a called tool."""


def caller_of(ctx: ServerRequestContext[Any, Any]) -> Caller:
    """Return who sends a request: the verified identity, an anonymous caller, or the user of the process."""
    return current_caller(over_network=ctx.request is not None)


def current_caller(*, over_network: bool) -> Caller:
    """Return who sends the current request, without a context of the SDK."""
    token = get_access_token()
    if token is not None:
        return scope_of_token(token)
    return Caller(CallerKind.ANONYMOUS if over_network else CallerKind.LOCAL)


def scope_of_token(token: AccessToken) -> Caller:
    """Return who a verified token identifies."""
    client, issuer, subject = principal_components(token)
    # Without a subject, two users of one client are indistinguishable: then the token itself identifies the caller.
    parts = [client, issuer, subject] if subject is not None else [client, issuer, None, token.token]
    return Caller(CallerKind.PRINCIPAL, codec.dump_json(parts).decode())


class TenancyMiddleware:
    """Handles every request in its caller's namespace."""

    def __init__(self, tenancy: Callable[[], Tenancy]) -> None:
        self._tenancy = tenancy

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle one message."""
        with self._tenancy().enter(caller_of(ctx)):
            return await call_next(ctx)


async def well_formed_results(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Replace lone surrogates in results by ``U+FFFD``: the SDK cannot encode them, and its server would exit."""
    try:
        result = await call_next(ctx)
    except MCPError as error:
        parts = [error.message, error.data]
        shown = codec.well_formed_value(parts)
        if shown is parts:
            raise
        raise MCPError(error.code, *shown) from error
    return codec.well_formed_value(result) if isinstance(result, dict) else result


async def refuse_long_names(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Refuse names longer than any: the SDK logs them, and to format one of a megabyte takes its logger seconds."""
    params = ctx.params or {}
    named = {**params, **ref} if isinstance(ref := params.get("ref"), Mapping) else params
    for part, limit in _LONGEST_NAMES.items():
        given = named.get(part)
        if isinstance(given, str) and len(given) > limit:
            raise MCPError(INVALID_PARAMS, f"The {part} {quoted(given)} is too long: at most {limit:,} characters.")
    return await call_next(ctx)


class OwnArgumentsMiddleware:
    """Normalizes the arguments of tools that coatcheck added to a server, and shortens the schemas of object tools.

    ``input_schema`` returns that of such a tool, and ``None`` for the server's own tools.
    """

    def __init__(self, input_schema: Callable[[str], dict[str, Any] | None], object_tools: Collection[str]) -> None:
        self._input_schema, self._object_tools = input_schema, object_tools

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle one message."""
        if ctx.method == "tools/list":
            return self._shortened(await call_next(ctx))
        params = ctx.params or {}
        name = params.get("name")
        if ctx.method != "tools/call" or not isinstance(name, str) or (schema := self._input_schema(name)) is None:
            return await call_next(ctx)
        try:
            arguments = own_arguments(schema, params.get("arguments"), takes_filter=name not in self._object_tools)
        except CoatcheckError as error:
            return _error_result(str(error), ctx.protocol_version)
        return await call_next(replace(ctx, params={**params, "arguments": arguments}))

    def _shortened(self, result: HandlerResult) -> HandlerResult:
        if not isinstance(result, dict):
            return result
        tools = [
            {**tool, "inputSchema": short_schema(tool["inputSchema"])} if tool["name"] in self._object_tools else tool
            for tool in result.get("tools", [])
        ]
        return {**result, "tools": tools}


def own_arguments(schema: dict[str, Any], arguments: Any, *, takes_filter: bool = False) -> dict[str, Any]:
    """Return normalized arguments of a tool that coatcheck added; raises ``CoatcheckError`` if they do not fit."""
    if (
        takes_filter
        and isinstance(arguments, Mapping)
        and FILTER in arguments
        and FILTER not in schema.get("properties", ())
    ):
        others = {name: value for name, value in arguments.items() if name != FILTER}
        return {**own_arguments(schema, others), FILTER: arguments[FILTER]}
    types, names = DeclaredTypes(schema), schema.get("properties", {})
    nullable = [parameter for parameter in names if "null" in types.at((parameter,))]
    return normalized_arguments(arguments, names, schema.get("required", ()), nullable)


def short_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove parts of an object tool's schema that libraries add and no model needs, because they cost tokens."""
    properties = {
        name: {key: value for key, value in shape.items() if key not in {"title", "default"}}
        for name, shape in schema.get("properties", {}).items()
    }
    kept = {key: value for key, value in schema.items() if key not in {"title", "additionalProperties"}}
    return kept | {"properties": properties}


class ServerTools(Protocol):
    """The properties of a server's tools that the middleware needs."""

    def is_plain(self, name: str) -> bool:
        """Whether a tool handles references and sizes itself, as our own do, and passes unchanged."""
        ...

    def resolves(self, name: str) -> bool:
        """Whether a tool resolves the references in its arguments itself."""
        ...

    def keeps(self, name: str) -> bool:
        """Whether a tool keeps its results itself."""
        ...

    def input_schema(self, name: str) -> dict[str, Any] | None:
        """A tool's original input schema; ``None`` if there is no such tool."""
        ...


class ReferenceMiddleware:
    """Resolves references in the arguments of a server's tools and keeps their large results.

    ``tools`` are by default taken from the lists that the server sends. ``defers_to_client`` tells whether an outer
    coatcheck does the work for a request, which then passes unchanged; ``instructs``: the instructions about references
    are added to the server's own.
    """

    def __init__(
        self,
        interceptor: Callable[[], Interceptor],
        tools: ServerTools | None = None,
        *,
        defers_to_client: Callable[[ServerRequestContext[Any, Any]], bool] = lambda _ctx: False,
        instructs: bool = True,
    ) -> None:
        self._interceptor = interceptor
        self._tools = tools
        self._defers_to_client = defers_to_client
        self._instructs = instructs
        self._budgets = CallBudgets()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle one message."""
        if self._defers_to_client(ctx):
            return await call_next(ctx)
        if ctx.method == "tools/call" and ctx.request_id is not None:
            return await self._call(ctx, call_next)
        if ctx.method == "resources/read" and ctx.request_id is not None and is_object((ctx.params or {}).get("uri")):
            return await self._read(ctx, call_next)
        result = await call_next(ctx)
        if ctx.method == "tools/list" and isinstance(result, dict):
            return await self._list(result)
        handshake = ctx.method in HANDSHAKES and not is_from_coatcheck(
            {"method": ctx.method, "params": dict(ctx.params or {})}
        )
        if handshake and self._instructs and isinstance(result, dict):
            return {
                **result,
                "instructions": with_instructions(result.get("instructions"), self._interceptor().instructions),
            }
        return result

    async def _list(self, result: dict[str, Any]) -> dict[str, Any]:
        rewritten = await self._interceptor().tools_list(result)
        tools = self._tools
        if tools is None:
            return rewritten
        original = {tool.get("name"): tool for tool in result.get("tools", [])}
        listed = []
        for tool in rewritten.get("tools", []):
            name = str(tool.get("name"))
            as_it_was = original.get(name, tool)
            kept = ["inputSchema"] * (tools.is_plain(name) or tools.resolves(name))
            kept += ["outputSchema"] * (tools.is_plain(name) or tools.keeps(name))
            listed.append({**tool, **{part: as_it_was[part] for part in kept if part in as_it_was}})
        return {**rewritten, "tools": listed}

    async def _read(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Read a stored object as a resource, or the server's own resource if no object has the address."""
        modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        uri = str((ctx.params or {})["uri"])
        try:
            result = await self._interceptor().read_object(uri)
        except ObjectNotFound as error:
            with suppress(MCPError):
                return await call_next(ctx)
            code = INVALID_PARAMS if modern else _RESOURCE_NOT_FOUND
            raise MCPError(code, str(error), {"uri": excerpt(uri, LONGEST_URI)}) from None
        except CoatcheckError as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from None
        return {**result, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if modern else result

    async def _call(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        params = dict(ctx.params or {})
        name = params.get("name")
        tools = self._tools
        if not isinstance(name, str) or (tools is not None and tools.is_plain(name)):
            return await call_next(ctx)
        interceptor = self._interceptor()
        if tools is None and not interceptor.has_listed(name):
            await _learn(interceptor, ctx, call_next)
        if tools is None and interceptor.is_own(name):
            answer = await interceptor.own_tool_call(name, params.get("arguments"))
            return _complete(answer, ctx.protocol_version) if answer is not None else await call_next(ctx)
        schema = interceptor.schema_of(name) if tools is None else tools.input_schema(name)
        resolves = tools is not None and tools.resolves(name)
        call: PreparedCall | None = None
        if schema is not None and isinstance(params.get("arguments"), Mapping):
            try:
                call = await interceptor.prepare(name, params["arguments"], schema, resolves_itself=resolves)
            except CoatcheckError as error:
                return _error_result(str(error), ctx.protocol_version)
            params["arguments"] = call.arguments
            ctx = replace(ctx, params=params)
        budget, client = self._budgets.of(_budget_key(ctx)), client_of(ctx.session)
        options: dict[str, Any] = {"call": call, "budget": budget, "listed": schema is not None, "client": client}
        budget.call_started()
        try:
            try:
                result = await call_next(ctx)
            except MCPError as error:
                raise await shortened_error(error, interceptor, name, **options) from error
            del ctx, params  # the arguments are in there
            if call is not None:
                call.arguments = None
                await codec.free_chunks(call.chunks)
            if not isinstance(result, dict):
                return result
            if tools is not None and tools.keeps(name) and not result.get("isError"):
                return with_notes(result, notes_for_kept_result(call))
            return await interceptor.result_in_turn(name, result, **options)
        finally:
            budget.call_ended()


class NestedServerMiddleware:
    """Hides added tools from an outer coatcheck, unless the server's own functions keep objects.

    ``keeps_objects``: the server's own functions keep objects, which its capabilities then announce.
    """

    def __init__(self, added: Collection[str], keeps_objects: Callable[[], bool]) -> None:
        self._added = added
        self._keeps_objects = keeps_objects

    def defers_to_client(self, ctx: ServerRequestContext[Any, Any]) -> bool:
        """Whether the request comes from an outer coatcheck that does the work."""
        capabilities = ctx.session.client_capabilities
        if capabilities is None or self._keeps_objects():
            return False
        return announces_coatcheck({"experimental": capabilities.experimental})

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle one message."""
        result = await call_next(ctx)
        if not isinstance(result, dict):
            return result
        if ctx.method in HANDSHAKES and self._keeps_objects():
            return {**result, "capabilities": with_announcement(result.get("capabilities"))}
        if ctx.method == "tools/list" and self.defers_to_client(ctx):
            listed = result.get("tools", [])
            return {**result, "tools": [tool for tool in listed if tool.get("name") not in self._added]}
        return result


async def shortened_error(error: MCPError, interceptor: Interceptor, tool: str, **options: Any) -> MCPError:
    """Return the error that replaces a large one, whose text is kept; see `Interceptor.result` for the options."""
    whole = {"code": error.code, "message": error.message, "data": error.data}
    short = await interceptor.error(tool, whole, **options)
    return error if short is whole else MCPError(short["code"], short["message"], short["data"])


def notes_for_kept_result(call: PreparedCall | None) -> list[str]:
    """Return the notes that follow the preview of a tool that keeps its results itself."""
    if call is None:
        return []
    if call.filter is not None:
        call.notes.append(f"{FILTER} was not applied, for this tool keeps its results itself: run it on the object.")
    return call.notes


async def _learn(interceptor: Interceptor, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> None:
    """Request the server's tools as a client would: a call may come before any list."""
    # The envelope of the request names its protocol revision; without it the server would refuse the request.
    envelope = {name: value for name, value in (ctx.params or {}).items() if name == "_meta"}
    cursor: dict[str, Any] = {}
    for _ in range(MOST_PAGES):
        page = await call_next(replace(ctx, method="tools/list", params={**envelope, **cursor}))
        if not isinstance(page, dict):
            return
        interceptor.learn(page.get("tools") or [])
        if not page.get("nextCursor"):
            return
        cursor = {"cursor": page["nextCursor"]}


def _budget_key(ctx: ServerRequestContext[Any, Any]) -> Caller | None:
    """Return the key of a caller's budget; anonymous callers get none, as they could exhaust each other's."""
    scope = caller_of(ctx)
    return None if scope.kind is CallerKind.ANONYMOUS else scope


def _error_result(text: str, protocol_version: str) -> dict[str, Any]:
    return _complete(text_result(text, is_error=True), protocol_version)


def _complete(result: dict[str, Any], protocol_version: str) -> dict[str, Any]:
    """Complete the envelope of a result that did not come from the server; the SDK sends it unchanged."""
    return {**result, "resultType": "complete"} if protocol_version in MODERN_PROTOCOL_VERSIONS else result


def client_of(session: ServerSession) -> Client:
    """Return the client of a request, from the handshake or from the request itself."""
    params, capabilities = session.client_params, session.client_capabilities
    return client_of_initialize(
        {
            "clientInfo": None if params is None else {"name": params.client_info.name},
            "capabilities": None if capabilities is None else {"extensions": capabilities.extensions},
        }
    )
