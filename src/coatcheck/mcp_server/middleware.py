"""The middleware that makes somebody's server keep large results and take references."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, principal_components
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from coatcheck import codec
from coatcheck.calls.call_budget import Rounds
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.stored_resources import LONGEST_URI, is_object
from coatcheck.errors import CoatcheckError, ObjectNotFound, excerpt
from coatcheck.store.tenancy import Reach, Scope, Scopes

_RESOURCE_NOT_FOUND = -32002


def scope_of(ctx: ServerRequestContext[Any, Any]) -> Scope:
    """Tell who sends a request: the verified identity, anybody over the network, or the one user of the process."""
    return scope_of_caller(over_network=ctx.request is not None)


def scope_of_caller(*, over_network: bool) -> Scope:
    """Tell who sends the request that is being handled, where no context of the SDK is at hand."""
    token = get_access_token()
    if token is not None:
        return Scope(Reach.PRINCIPAL, _principal(token))
    return Scope(Reach.ANYBODY if over_network else Reach.LOCAL)


def _principal(token: AccessToken) -> str:
    client, issuer, subject = principal_components(token)
    # Without a subject two users of one client look alike: then the token itself tells them apart.
    parts = [client, issuer, subject] if subject is not None else [client, issuer, None, token.token]
    return codec.dump_json(parts).decode()


class ScopeMiddleware:
    """Handles every request within its caller's scope.

    Args:
        scopes: Where the store asks for the namespace.
    """

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle one message."""
        with self._scopes.enter(scope_of(ctx)):
            return await call_next(ctx)


class ReferenceMiddleware:
    """Resolves references in the arguments of a server's tools and keeps their large results.

    Args:
        interceptor: What does it, or a provider of it.
        is_own: Tells the tools that deal with references themselves: they are left alone.
        input_schema: Gives a tool's original input schema.
    """

    def __init__(
        self,
        interceptor: Interceptor | Callable[[], Interceptor],
        *,
        is_own: Callable[[str], bool],
        input_schema: Callable[[str], dict[str, Any] | None],
    ) -> None:
        self._interceptor = interceptor
        self._is_own = is_own
        self._input_schema = input_schema
        self._rounds = Rounds()

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle one message."""
        if ctx.method == "tools/call" and ctx.request_id is not None:
            return await self._call(ctx, call_next)
        if ctx.method == "resources/read" and ctx.request_id is not None and is_object((ctx.params or {}).get("uri")):
            return await self._read(str((ctx.params or {})["uri"]), ctx.protocol_version)
        result = await call_next(ctx)
        if ctx.method == "tools/list" and isinstance(result, dict):
            return await self._list(result)
        return result

    @property
    def _current(self) -> Interceptor:
        return self._interceptor if isinstance(self._interceptor, Interceptor) else self._interceptor()

    async def _list(self, result: dict[str, Any]) -> dict[str, Any]:
        own = {tool.get("name"): tool for tool in result.get("tools", []) if self._is_own(str(tool.get("name")))}
        rewritten = await self._current.tools_list(result)
        tools = [own.get(tool.get("name"), tool) for tool in rewritten.get("tools", [])]
        return {**rewritten, "tools": tools}

    async def _read(self, uri: str, protocol_version: str) -> HandlerResult:
        """Answer for a stored object as for a resource of the server's."""
        modern = protocol_version in MODERN_PROTOCOL_VERSIONS
        try:
            result = await self._current.read_object(uri)
        except ObjectNotFound as error:
            code = INVALID_PARAMS if modern else _RESOURCE_NOT_FOUND
            raise MCPError(code, str(error), {"uri": excerpt(uri, LONGEST_URI)}) from None
        except CoatcheckError as error:
            raise MCPError(INTERNAL_ERROR, str(error)) from None
        return {**result, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"} if modern else result

    async def _call(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        params = dict(ctx.params or {})
        name = params.get("name")
        if not isinstance(name, str) or self._is_own(name):
            return await call_next(ctx)
        interceptor = self._current
        schema = self._input_schema(name)
        pieces: codec.Pieces = []
        if schema is not None and isinstance(params.get("arguments"), Mapping):
            try:
                given = params["arguments"]
                params["arguments"] = await interceptor.arguments(name, given, schema, pieces=pieces)
            except CoatcheckError as error:
                return _error_result(str(error), ctx.protocol_version)
            ctx = replace(ctx, params=params)
        calls = self._rounds.of(_maker_of_rounds(ctx))
        calls.asked()
        try:
            result = await call_next(ctx)
            del ctx, params  # the arguments are in there
            await codec.let_go(pieces)
            if not isinstance(result, dict):
                return result
            return await calls.shorten(interceptor, name, result, listed=schema is not None)
        finally:
            calls.answered()


def _maker_of_rounds(ctx: ServerRequestContext[Any, Any]) -> Scope | None:
    """Say whose calls share a budget: a user's, but not those of strangers, who could use up each other's."""
    scope = scope_of(ctx)
    return None if scope.reach is Reach.ANYBODY else scope


def _error_result(text: str, protocol_version: str) -> dict[str, Any]:
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True}
    if protocol_version in MODERN_PROTOCOL_VERSIONS:
        # What a middleware gives without calling on is sent as it is, so the envelope is ours to complete.
        result["resultType"] = "complete"
    return result
