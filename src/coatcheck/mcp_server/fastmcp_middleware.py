"""FastMCP servers: the middleware that stores large results and resolves references, also for mounted tools."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

from fastmcp.exceptions import FastMCPError, NotFoundError, ResourceError, ToolError
from fastmcp.resources import ResourceContent, ResourceResult
from fastmcp.server.dependencies import FastMCPRequestContext, get_access_token, get_http_request
from fastmcp.server.middleware import CallNext, MiddlewareContext
from fastmcp.server.middleware.tool_injection import ToolInjectionMiddleware
from fastmcp.server.providers.fastmcp_provider import FastMCPProviderTool
from fastmcp.tools import Tool, ToolResult
from fastmcp.tools.base import InputRequiredToolResult
from fastmcp.tools.tool_transform import TransformedTool
from fastmcp.utilities.json_schema import is_object_schema
from fastmcp.utilities.versions import VersionSpec
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, DiscoverResult, InitializeResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from coatcheck import codec
from coatcheck.arguments.input_schemas import advertise_references
from coatcheck.arguments.output_schemas import allow_stored
from coatcheck.calls.host_profiles import UNKNOWN_CLIENT, with_raised_limit
from coatcheck.calls.instructions import with_instructions
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.limits import CallBudgets
from coatcheck.calls.nested_coatchecks import announces_coatcheck, is_from_coatcheck
from coatcheck.calls.prepared_call import PreparedCall
from coatcheck.calls.result_keeper import with_notes
from coatcheck.calls.stored_resources import is_object
from coatcheck.codec.tool_results import wire_result
from coatcheck.errors import CoatcheckError, ObjectNotFound
from coatcheck.explorer.tool_names import listed_as
from coatcheck.mcp_server.middleware import (
    client_of,
    notes_for_kept_result,
    own_arguments,
    scope_of_token,
    short_schema,
    shortened_error,
)
from coatcheck.store.tenancy import Caller, CallerKind, Tenancy
from coatcheck.tools.explorable import keeps_results
from coatcheck.tools.referenceable import resolves_references

MOST_LAYERS = 20
"""Maximum number of mounts and transformations between a listed tool and its function."""


class _HandlingServer(NamedTuple):
    """The server whose middleware handles a request."""

    request: FastMCPRequestContext | None
    server: Any


_handling: ContextVar[_HandlingServer | None] = ContextVar("coatcheck_fastmcp_handling", default=None)


class FastMCPMiddleware(ToolInjectionMiddleware):
    """Resolves references in arguments, stores large results, and adds tools.

    If a mounted server has this middleware too, the outer one does the work: arguments that are resolved twice would
    lose their escapes, and a stored text that looks like a reference would be resolved.

    ``plain_tools`` names the added tools that handle references and sizes themselves. The interceptor and the tenancy
    are asked for at each message.
    """

    def __init__(
        self,
        interceptor: Callable[[], Interceptor],
        tenancy: Callable[[], Tenancy],
        tools: Sequence[Tool],
        plain_tools: frozenset[str],
    ) -> None:
        super().__init__(tools)
        self._interceptor = interceptor
        self._tenancy = tenancy
        self._plain_tools = plain_tools
        self._budgets = CallBudgets()

    async def on_request(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Handle a request in its caller's namespace; replace lone surrogates in the result by ``U+FFFD``."""
        try:
            return _well_formed(await self._handled(context, call_next))
        except FastMCPError as error:
            text = str(error)
            shown = codec.well_formed(text)
            if shown is text:
                raise
            raise type(error)(shown, log_level=error.log_level) from error

    async def _handled(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        if _defers_to_client(context):
            return await call_next(context)
        token = _handling.set(_server_of(context))
        try:
            with self._tenancy().enter(_scope()), listed_as(self._names_outside(context)):
                return await call_next(context)
        finally:
            _handling.reset(token)

    def _names_outside(self, context: MiddlewareContext[Any]) -> dict[str, str]:
        """Return the names of the added tools for the client, if the server is mounted below a namespace."""
        here, name = _server_of(context), getattr(context.message, "name", None)
        # FastMCP gives the mounted server the name without the namespace; the whole one is in the SDK's request.
        params = None if here.request is None else here.request._srctx.params  # noqa: SLF001
        whole = params.get("name") if isinstance(params, Mapping) else None
        if context.method != "tools/call" or not isinstance(whole, str) or not isinstance(name, str):
            return {}
        namespace = whole.removesuffix(name)
        return {} if namespace in {"", whole} else {tool: namespace + tool for tool in self._plain_tools}

    async def on_initialize(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Add the instructions about references to ``initialize``."""
        return self._with_instructions(context, await call_next(context))

    async def on_discover(self, context: MiddlewareContext[Any], call_next: CallNext[Any, Any]) -> Any:
        """Add the instructions about references to ``server/discover``."""
        return self._with_instructions(context, await call_next(context))

    def _with_instructions(self, context: MiddlewareContext[Any], result: Any) -> Any:
        if not isinstance(result, (InitializeResult, DiscoverResult)):
            return result
        if is_from_coatcheck(context.message.model_dump(by_alias=True)):
            return result
        return result.model_copy(
            update={"instructions": with_instructions(result.instructions, self._interceptor().instructions)}
        )

    async def on_list_tools(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Sequence[Tool]]
    ) -> Sequence[Tool]:
        """List tools with schemas that accept references and stored results."""
        tools = await call_next(context)
        if _defers_to_client(context):
            return [tool for tool in tools if not self._is_plain(tool)]
        legacy, interceptor = not _is_modern(context), self._interceptor()
        listed = []
        for tool in tools:
            if self._is_plain(tool):
                listed.append(tool.model_copy(update={"parameters": short_schema(tool.parameters)}))
                continue
            interceptor.learn([_described(tool)])
            widened = await _widened(tool, legacy=legacy)
            if interceptor.limits.of(tool.name) is None:
                widened = widened.model_copy(update={"meta": with_raised_limit({"_meta": widened.meta})["_meta"]})
            listed.append(widened)
        return listed

    async def on_call_tool(self, context: MiddlewareContext[Any], call_next: CallNext[Any, ToolResult]) -> ToolResult:
        """Call a tool with references resolved, and store its result if it is large."""
        name, inner = context.message.name, context.fastmcp_context
        tool = await inner.fastmcp.get_tool(name) if inner else None
        if (plain := self._plain_call(context, tool)) is not None:
            return await call_next(plain)
        interceptor, function = self._interceptor(), await _function(tool)
        interceptor.learn([_described(tool)] if tool is not None and not interceptor.has_listed(name) else [])
        call = None if tool is None else await self._prepared(tool, context, function)
        if call is not None:
            message = context.message.model_copy(update={"arguments": call.arguments})
            context = context.copy(message=message)
            call.arguments = None
            del message
        scope, request = _scope(), inner.request_context if inner else None
        budget = self._budgets.of(None if scope.kind is CallerKind.ANONYMOUS else scope)
        budget.call_started()
        options: dict[str, Any] = {
            "call": call,
            "budget": budget,
            "has_output_schema": tool is not None and tool.output_schema is not None,
            "listed": tool is not None,
            "client": UNKNOWN_CLIENT if request is None else client_of(request.session),
        }
        failed: FastMCPError | None = None
        try:
            try:
                result = await call_next(context)
            except FastMCPError as error:  # which FastMCP returns as a result, such as a rejected argument
                failed, result = error, ToolResult(content=str(error), is_error=True)
            except MCPError as error:
                raise await shortened_error(error, interceptor, name, **options) from error
            del context, inner
            if call is not None:
                await codec.free_chunks(call.chunks)
            if type(result) is InputRequiredToolResult or not isinstance(result, ToolResult):
                return result
            if keeps_results(function) and not result.is_error:
                return _with_notes(result, notes_for_kept_result(call))
            wire = _wire(result)
            short = await interceptor.result_in_turn(name, wire, **options)
        finally:
            budget.call_ended()
        if short is not wire:
            return _result(short)
        if failed is not None:
            raise failed
        return result

    def _plain_call(self, context: MiddlewareContext[Any], tool: Tool | None) -> MiddlewareContext[Any] | None:
        """Return a call whose references and result are not handled here; ``None`` for other calls."""
        if _defers_to_client(context):
            return context
        if tool is None or not self._is_plain(tool):
            return None
        try:
            arguments = own_arguments(tool.parameters, context.message.arguments)
        except CoatcheckError as error:
            raise ToolError(str(error), log_level=logging.INFO) from None
        return context.copy(message=context.message.model_copy(update={"arguments": arguments}))

    async def _prepared(self, tool: Tool, context: MiddlewareContext[Any], function: Any) -> PreparedCall:
        try:
            return await self._interceptor().prepare(
                context.message.name,
                context.message.arguments or {},
                tool.parameters,
                resolves_itself=resolves_references(function),
            )
        except CoatcheckError as error:
            raise ToolError(str(error), log_level=logging.INFO) from None

    async def on_read_resource(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, ResourceResult]
    ) -> ResourceResult:
        """Read a stored object as a resource."""
        uri = str(context.message.uri)
        if not is_object(uri) or _defers_to_client(context):
            return await call_next(context)
        try:
            read = await self._interceptor().read_object(uri)
        except ObjectNotFound as error:
            with suppress(NotFoundError):
                return await call_next(context)  # The server may have a resource of that address itself.
            raise NotFoundError(str(error)) from None
        except CoatcheckError as error:
            raise ResourceError(str(error)) from None
        return ResourceResult(
            [ResourceContent(entry["text"], mime_type=entry.get("mimeType")) for entry in read["contents"]]
        )

    def _is_plain(self, tool: Tool | None) -> bool:
        return tool is not None and tool.name in self._plain_tools and tool is self.get_injected_tool(tool.name)


def _well_formed(result: Any) -> Any:
    if type(result) is ToolResult:
        wire = _wire(result)
        shown = codec.well_formed_value(wire)
        return result if shown is wire else _result(shown)
    if isinstance(result, ResourceResult):
        for content in result.contents:
            if isinstance(content.content, str):
                content.content = codec.well_formed(content.content)
    return result


def _server_of(context: MiddlewareContext[Any]) -> _HandlingServer:
    inner = context.fastmcp_context
    return _HandlingServer(None, None) if inner is None else _HandlingServer(inner.request_context, inner.fastmcp)


def _defers_to_client(context: MiddlewareContext[Any]) -> bool:
    """Whether an outer coatcheck does the work: on the server that mounts this one, or in the client's proxy."""
    outer, here = _handling.get(), _server_of(context)
    if outer is not None and outer.request is here.request and outer.server is not here.server:
        return True
    capabilities = None if here.request is None else here.request.session.client_capabilities
    return capabilities is not None and announces_coatcheck({"experimental": capabilities.experimental})


async def _function(tool: Tool | None) -> Any:
    """Return the function of a tool in this process, through transformations and mounted servers."""
    for _ in range(MOST_LAYERS):
        if isinstance(tool, TransformedTool):
            tool = tool.parent_tool
        elif isinstance(tool, FastMCPProviderTool):
            version = VersionSpec(eq=tool.version) if tool.version else None
            tool = await tool._server.get_tool(tool._original_name, version)  # noqa: SLF001 - kept nowhere else
    return getattr(tool, "fn", None)


def _is_modern(context: MiddlewareContext[Any]) -> bool:
    request = _server_of(context).request
    return request is not None and request.protocol_version in MODERN_PROTOCOL_VERSIONS


def _scope() -> Caller:
    token = get_access_token()
    if token is not None:
        return scope_of_token(token)
    try:
        get_http_request()
    except RuntimeError:
        return Caller(CallerKind.LOCAL)
    return Caller(CallerKind.ANONYMOUS)


async def _widened(tool: Tool, *, legacy: bool) -> Tool:
    function = await _function(tool)
    changes: dict[str, Any] = {}
    if not resolves_references(function):
        changes["parameters"] = advertise_references(tool.parameters)
    if tool.output_schema is not None and not keeps_results(function):
        schema = _as_object(tool.output_schema) if legacy else tool.output_schema
        changes["output_schema"] = allow_stored(schema)
    return tool.model_copy(update=changes) if changes else tool


def _described(tool: Tool) -> dict[str, Any]:
    """Return the properties of a tool for the interceptor, above all whether it has a view."""
    return {"name": tool.name, "inputSchema": tool.parameters, "_meta": tool.meta}


def _as_object(schema: dict[str, Any]) -> dict[str, Any]:
    """Wrap a schema of a non-object as FastMCP does for older clients, since FastMCP would wrap the widened one."""
    if is_object_schema(schema):
        return schema
    shared: dict[str, Any] = {name: schema[name] for name in ("$defs", "definitions") if name in schema}
    return {
        "type": "object",
        "properties": {"result": schema},
        "required": ["result"],
        "x-fastmcp-wrap-result": True,
        **shared,
    }


def _with_notes(result: ToolResult, notes: list[str]) -> ToolResult:
    if not notes or isinstance(result, InputRequiredToolResult):
        return result
    return _result(with_notes(_wire(result), notes))


def _wire(result: ToolResult) -> dict[str, Any]:
    blocks = [block.model_dump(by_alias=True, mode="json", exclude_none=True) for block in result.content]
    return wire_result(blocks, result.structured_content, result.meta, is_error=result.is_error)


def _result(wire: dict[str, Any]) -> ToolResult:
    return ToolResult.from_mcp_result(CallToolResult.model_validate(wire, by_alias=True))
