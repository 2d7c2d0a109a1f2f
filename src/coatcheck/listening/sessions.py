"""Clients of the 2025 revisions over HTTP: a session each, and an upstream for each session."""

import asyncio
import logging
from collections.abc import Callable
from secrets import token_hex

from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import Response
from starlette.types import Message as Event
from starlette.types import Receive, Scope, Send

from coatcheck.codec import dump_json
from coatcheck.listening.events import RETRY_MILLISECONDS, SentEvents
from coatcheck.listening.session import Session
from coatcheck.middleware import scope_of_caller
from coatcheck.proxy.links import Link
from coatcheck.proxy.messages import INTERNAL_ERROR, error_response
from coatcheck.scopes import Scope as Caller
from coatcheck.scopes import Scopes
from coatcheck.wire.interceptor import Interceptor

logger = logging.getLogger(__name__)

IDLE_SECONDS = 1_800.0
"""Seconds without any request after which a session ends, and its upstream with it."""

MOST_SESSIONS = 200
INVALID_REQUEST = -32600


class Sessions:
    """All sessions of one server.

    Args:
        make_link: Gives a new link to the upstream.
        interceptor: What is done with lists, arguments and results.
        scopes: Where the store asks for the namespace.
        security: Which host and origin headers are accepted.
    """

    def __init__(
        self,
        make_link: Callable[[], Link],
        interceptor: Interceptor,
        scopes: Scopes,
        security: TransportSecuritySettings,
    ) -> None:
        self._make_link = make_link
        self._interceptor = interceptor
        self._scopes = scopes
        self._security = security
        self._sessions: dict[str, Session] = {}
        self._owners: dict[str, Caller] = {}
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
        # The same identity that decides on the namespace: of two users who look alike it knows the token.
        caller = scope_of_caller(over_network=True)
        if given is None:
            await self._open(caller, scope, receive, send)
            return
        session = self._sessions.get(given)
        # Another's session and a missing one look alike.
        if session is None or self._owners.get(given) != caller:
            await _refuse(404, "Session not found", INVALID_REQUEST)(scope, receive, send)
            return
        await session.transport.handle_request(scope, receive, send)
        if session.transport.is_terminated:
            self._forget(given)

    async def _open(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """Open a session with the request that wants one; it lasts only if that one succeeds."""
        if len(self._sessions) >= MOST_SESSIONS:
            await _refuse(503, "Too many open sessions", INTERNAL_ERROR)(scope, receive, send)
            return
        session_id = token_hex(16)
        events = SentEvents()
        transport = StreamableHTTPServerTransport(
            mcp_session_id=session_id,
            security_settings=self._security,
            idle_timeout=IDLE_SECONDS,
            event_store=events,
            retry_interval=RETRY_MILLISECONDS,
        )
        session = Session(transport, events, self._make_link, self._interceptor, self._scopes, caller)
        self._sessions[session_id], self._owners[session_id] = session, caller
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

            await transport.handle_request(scope, receive, watched)
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
            logger.error("A session broke off", exc_info=fault)


def _refuse(status: int, text: str, code: int) -> Response:
    return Response(dump_json(error_response(None, text, code)), status, media_type="application/json")
