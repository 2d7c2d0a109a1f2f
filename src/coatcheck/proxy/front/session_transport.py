"""The SDK's transport for a session, which the client may end while its last notification arrives."""

from typing import Any

import anyio
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp_types import JSONRPCRequest


class SessionTransport(StreamableHTTPServerTransport):
    """A transport that drops notifications and responses of a client that has ended the session.

    A client that cancels a request and leaves sends both at once. The SDK has accepted the notification by then, and
    would log an error and send a second response.
    """

    @property
    def _read_stream_writer(self) -> Any:
        return self._writer

    @_read_stream_writer.setter
    def _read_stream_writer(self, writer: Any) -> None:
        self._writer = None if writer is None else _Writer(writer)

    _writer: Any = None


class _Writer:
    def __init__(self, writer: Any) -> None:
        self._inner = writer

    async def send(self, item: Any) -> None:
        try:
            await self._inner.send(item)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            if isinstance(getattr(item, "message", None), JSONRPCRequest):
                raise  # Its client waits for a response.

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
