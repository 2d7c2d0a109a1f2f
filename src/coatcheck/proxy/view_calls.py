"""Recognises the calls of views of MCP Apps."""

from typing import Any

from coatcheck.calls.host_profiles import is_view_address
from coatcheck.proxy.jsonrpc import Message

CALL, READ = "tools/call", "resources/read"


class ViewCalls:
    """Tracks whether a client has opened a view that has not called a tool yet.

    A call does not show whether the model or a view sent it (modelcontextprotocol/ext-apps#746). Views that call their
    tool do so when they open, after the client has read their page: the first call after that counts as theirs, even
    if the client has read several pages.
    """

    def __init__(self) -> None:
        self._opened = False

    def is_view_call(self, request: Message) -> bool:
        """Process a request of the client; return whether it is the call of a view that was just opened."""
        params: Any = request.get("params")
        if request.get("method") == READ and isinstance(params, dict) and is_view_address(params.get("uri")):
            self._opened = True
        elif request.get("method") == CALL and self._opened:
            self._opened = False
            return True
        return False
