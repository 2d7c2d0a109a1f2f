"""HTTP sessions of legacy clients, each with its own upstream connection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network
from secrets import token_hex
from typing import Any, NamedTuple

import anyio
from mcp.server.streamable_http import EventMessage, StreamableHTTPServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import CONNECTION_CLOSED, ErrorData, JSONRPCError, JSONRPCRequest
from starlette.responses import Response
from starlette.types import Message as Event
from starlette.types import Receive, Scope, Send

from coatcheck.calls.interceptor import Interceptor
from coatcheck.codec import dump_json
from coatcheck.errors import UpstreamError
from coatcheck.mcp_server.middleware import current_caller
from coatcheck.proxy.front.event_store import RETRY_MILLISECONDS, SessionEvents
from coatcheck.proxy.front.http_session import Session
from coatcheck.proxy.jsonrpc import INTERNAL_ERROR, error_response
from coatcheck.proxy.upstreams.base import UpstreamConnection
from coatcheck.store.tenancy import Caller, CallerKind, Tenancy

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1_800.0
"""Seconds without a request after which a session and its upstream are closed."""

MAX_SESSIONS = 200
"""Maximum open sessions of all callers together; each has its own upstream."""

MAX_SESSIONS_PER_CALLER = 50
"""Maximum open sessions of one caller, so that others can open sessions too."""

INVALID_REQUEST = -32600
_NETWORK_BITS = 64
_LATER = f"End one, or try again later: an idle session ends after {IDLE_SECONDS / 60:.0f} minutes."


class _SessionOwner(NamedTuple):
    """The owner of a session."""

    caller: Caller  # the caller that may use it
    place: str  # the client's network, if that is all that distinguishes callers; `""` for an authenticated caller


class Sessions:
    """All sessions of one server.

    A caller has at most ``max_per_caller`` open sessions; 0 for the maximum of all callers together.
    """

    def __init__(
        self,
        make_connection: Callable[[], UpstreamConnection],
        interceptor: Interceptor,
        scopes: Tenancy,
        security: TransportSecuritySettings,
        *,
        max_per_caller: int = MAX_SESSIONS_PER_CALLER,
    ) -> None:
        self._make_connection = make_connection
        self._interceptor = interceptor
        self._scopes = scopes
        self._security = security
        self._sessions: dict[str, Session] = {}
        self._owners: dict[str, _SessionOwner] = {}
        self._max_per_caller = max_per_caller or MAX_SESSIONS
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """End all sessions."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"mcp-session-id"), None)
        # The identity that determines the namespace: it includes the token if the users cannot be distinguished
        # otherwise.
        caller = current_caller(over_network=True)
        if given is None:
            await self._open(caller, scope, receive, send)
            return
        session = self._sessions.get(given)
        # A session of another caller looks like a missing one.
        if session is None or session.is_over or self._owners[given].caller != caller:
            await _refuse(404, "Session not found", INVALID_REQUEST)(scope, receive, send)
            return
        await _answer(session, scope, receive, send)
        if session.transport.is_terminated:
            self._forget(given)

    async def _open(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a session with its first request; it is kept only if that request succeeds."""
        if len(self._sessions) >= MAX_SESSIONS:
            await _refuse(503, f"Too many open sessions of all callers. {_LATER}", INTERNAL_ERROR)(scope, receive, send)
            return
        owner = _SessionOwner(caller, "" if caller.kind is CallerKind.PRINCIPAL else _client_network(scope))
        if list(self._owners.values()).count(owner) >= self._max_per_caller:
            text = f"You have {self._max_per_caller} sessions open, as many as one caller may have. {_LATER}"
            await _refuse(429, text, INVALID_REQUEST)(scope, receive, send)
            return
        session_id = token_hex(16)
        events = SessionEvents()
        transport = SessionTransport(
            mcp_session_id=session_id,
            security_settings=self._security,
            idle_timeout=IDLE_SECONDS,
            event_store=events,
            retry_interval=RETRY_MILLISECONDS,
        )
        session = Session(transport, events, self._make_connection, self._interceptor, self._scopes, caller)
        self._sessions[session_id], self._owners[session_id] = session, owner
        task = asyncio.ensure_future(session.run())
        self._tasks[session_id] = task
        task.add_done_callback(lambda _done: self._ended(session_id))
        status = 500
        try:
            await session.connected.wait()

            async def watched(event: Event) -> None:
                nonlocal status
                if event["type"] == "http.response.start":
                    status = event["status"]
                await send(event)

            await _answer(session, scope, receive, watched)
        finally:
            if status >= 400:  # noqa: PLR2004
                self._forget(session_id)

    def _forget(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)
        self._owners.pop(session_id, None)
        task = self._tasks.get(session_id)
        if task is not None:
            task.cancel()

    def _ended(self, session_id: str) -> None:
        task = self._tasks.pop(session_id, None)
        self._sessions.pop(session_id, None)
        self._owners.pop(session_id, None)
        if task is not None and not task.cancelled() and (fault := task.exception()) is not None:
            logger.error("A session failed", exc_info=fault)


async def _answer(session: Session, scope: Scope, receive: Receive, send: Send) -> None:
    try:
        await session.handle_request(scope, receive, send)
    except UpstreamError as error:
        await _refuse(503, str(error), INTERNAL_ERROR)(scope, receive, send)


def _client_network(scope: Scope) -> str:
    """Return the address that a request comes from; for IPv6 the /64 network, because one host has many addresses."""
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ip_address(host)
    except ValueError:  # a socket has none
        return host
    if address.version == 6:  # noqa: PLR2004
        address = address.ipv4_mapped or address  # the notation of sockets that accept both IPv4 and IPv6
    return str(address if address.version == 4 else ip_network((int(address), _NETWORK_BITS), strict=False))  # noqa: PLR2004


def _refuse(status: int, text: str, code: int) -> Response:
    return Response(dump_json(error_response(None, text, code)), status, media_type="application/json")


class SessionTransport(StreamableHTTPServerTransport):
    """A transport that answers requests which arrive while the session ends, and drops other messages.

    A client that cancels a request and leaves sends both at once. The SDK has accepted the notification by then, and
    would log an error and send a second response. To a request it would send an empty response.
    """

    @property
    def _read_stream_writer(self) -> Any:
        return self._writer

    @_read_stream_writer.setter
    def _read_stream_writer(self, writer: Any) -> None:
        self._writer = None if writer is None else _Writer(writer, self._refuse)

    _writer: Any = None

    async def _refuse(self, request: JSONRPCRequest) -> None:
        streams = self._request_streams.get(str(request.id))
        if streams is not None:
            ended = ErrorData(code=CONNECTION_CLOSED, message="The session has ended: open a new one.")
            await streams[0].send(EventMessage(JSONRPCError(jsonrpc="2.0", id=request.id, error=ended)))


class _Writer:
    def __init__(self, writer: Any, refuse: Callable[[JSONRPCRequest], Awaitable[None]]) -> None:
        self._inner = writer
        self._refuse = refuse

    async def send(self, item: Any) -> None:
        try:
            await self._inner.send(item)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            message = getattr(item, "message", None)
            if isinstance(message, JSONRPCRequest):
                await self._refuse(message)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
