"""Which calls come from a view of MCP Apps."""

from typing import Any

from coatcheck.calls.host_profiles import is_view_address
from coatcheck.proxy.jsonrpc import Message

CALL, READ = "tools/call", "resources/read"
MAX_OPENED = 100


class ViewCalls:
    """The views that a client has opened and that have not called a tool yet.

    Nothing in a call says whether the model or a view makes it (modelcontextprotocol/ext-apps#746). Views that call
    their tool do so when they open, after the client has read their page: the first call after that counts as theirs.
    """

    def __init__(self) -> None:
        self._opened = 0

    def makes(self, request: Message) -> bool:
        """Take a request of the client's; say whether it is the call of a view that was just opened."""
        params: Any = request.get("params")
        if request.get("method") == READ and isinstance(params, dict) and is_view_address(params.get("uri")):
            self._opened = min(self._opened + 1, MAX_OPENED)
        elif request.get("method") == CALL and self._opened:
            self._opened -= 1
            return True
        return False
