"""The SDK's transport for a session, which may end while messages of the client arrive."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from mcp.server.streamable_http import EventMessage, StreamableHTTPServerTransport
from mcp_types import CONNECTION_CLOSED, ErrorData, JSONRPCError, JSONRPCRequest


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
