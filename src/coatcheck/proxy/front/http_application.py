"""The ASGI application: routes, authentication and lifespan."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from coatcheck.calls.interceptor import Interceptor
from coatcheck.proxy.front.asgi_middleware import BufferedBodies
from coatcheck.proxy.front.http_sessions import MAX_SESSIONS_PER_CALLER, Sessions
from coatcheck.proxy.front.legacy_requests import LegacyRequests
from coatcheck.proxy.front.modern_requests import ModernRequests
from coatcheck.proxy.front.shared_connection import SharedConnection
from coatcheck.proxy.upstreams.base import UpstreamConnection
from coatcheck.store.tenancy import Tenancy

if TYPE_CHECKING:
    from mcp.server.auth.provider import TokenVerifier

PATH = "/mcp"
_LOOPBACK = ("127.0.0.1:*", "localhost:*", "[::1]:*")


class Application:
    """An ASGI application in front of one upstream.

    Args:
        make_connection: Returns an upstream connection; called for each session, and once for requests without one.
        interceptor: Rewrites lists, arguments and results.
        scopes: Determines the namespace.
        stateless: Whether requests of the 2025 revisions have no sessions either, for replicas behind a load balancer.
        loopback: Whether only this machine can connect; then other Host and Origin headers are refused.
        verifier: Identifies the user of a bearer token; without one, every caller is accepted.
        max_caller_sessions: Maximum open sessions of one caller; 0 for the maximum of all callers together.
    """

    def __init__(
        self,
        make_connection: Callable[[], UpstreamConnection],
        interceptor: Interceptor,
        scopes: Tenancy,
        *,
        loopback: bool,
        stateless: bool = False,
        verifier: "TokenVerifier | None" = None,
        max_caller_sessions: int = MAX_SESSIONS_PER_CALLER,
    ) -> None:
        security = TransportSecuritySettings(
            enable_dns_rebinding_protection=loopback,
            allowed_hosts=list(_LOOPBACK),
            allowed_origins=[f"http://{host}" for host in _LOOPBACK],
        )
        self._shared = SharedConnection(make_connection)
        self._modern = ModernRequests(self._shared, interceptor, scopes, security, loopback=loopback)
        self._with_handshake: LegacyRequests | Sessions = (
            LegacyRequests(make_connection, interceptor, scopes, security, loopback=loopback)
            if stateless
            else Sessions(make_connection, interceptor, scopes, security, max_per_caller=max_caller_sessions)
        )
        self._endpoint = _guarded(BufferedBodies(self._route), verifier)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve within this block; at its end all sessions and upstreams are closed."""
        try:
            yield
        finally:
            await asyncio.gather(self._with_handshake.close(), self._shared.close(), return_exceptions=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["path"].rstrip("/") != PATH:
            await PlainTextResponse(f"MCP is served at {PATH}.\n", 404)(scope, receive, send)
            return
        await self._endpoint(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        version = next(
            (value.decode("latin-1") for name, value in scope["headers"] if name == b"mcp-protocol-version"), ""
        )
        if version and version not in HANDSHAKE_PROTOCOL_VERSIONS:
            await self._modern.handle(scope, receive, send)
        else:
            await self._with_handshake.handle(scope, receive, send)


def _guarded(endpoint: ASGIApp, verifier: "TokenVerifier | None") -> ASGIApp:
    if verifier is None:
        return endpoint
    guarded: Any = RequireAuthMiddleware(endpoint, required_scopes=[])
    return AuthenticationMiddleware(AuthContextMiddleware(guarded), backend=BearerAuthBackend(verifier))
