"""Sends `tools/list` to a server when a call needs the schemas before the client has listed the tools."""

import asyncio
from collections.abc import Callable
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from coatcheck.proxy.jsonrpc import PROGRESS_TOKEN, Message, to_line
from coatcheck.proxy.pending_requests import PendingRequest, PendingRequests

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

LIST = "tools/list"
LIST_TIMEOUT = 20.0
"""Seconds within which a server must answer our own `tools/list`."""
MAX_PAGES = 100


class ToolListPrefetch:
    """Our own requests, under ids that no client uses.

    Args:
        to_server: Called with lines for the server, each with its parsed message.
        requests: The requests that the server has not answered.
    """

    def __init__(
        self,
        to_server: Callable[[bytes, Message], None],
        requests: "PendingRequests[asyncio.Future[Message] | None]",
    ) -> None:
        self._to_server = to_server
        self._requests = requests
        self._prefix = f"coatcheck/{token_hex(8)}/"
        self._listing: asyncio.Task[None] | None = None
        self.listed = self._unanswered = False

    def list_again(self) -> None:
        """List the tools again before the next call, because the server has announced a change."""
        self.listed = self._unanswered = False

    def give_up(self) -> None:
        """Stop waiting for pending responses."""
        for request in self._requests:
            if request.requester is not None and not request.requester.done():
                request.requester.set_result({})

    def cancel(self) -> None:
        """Stop listing."""
        if self._listing is not None:
            self._listing.cancel()

    async def learn_tools(self, interceptor: "Interceptor", call: "PendingRequest[Any]") -> None:
        """List the server's tools, unless they are listed already, on behalf of the call that needs them."""
        if self.listed or self._unanswered or interceptor.knows(call.tool):
            return
        if self._listing is None or self._listing.done():
            self._listing = asyncio.ensure_future(self._list_tools(interceptor, call))
        await asyncio.shield(self._listing)

    async def _list_tools(self, interceptor: "Interceptor", call: "PendingRequest[Any]") -> None:
        meta = {key: value for key, value in call.meta.items() if key != PROGRESS_TOKEN} if call.is_stateless else None
        cursor: Any = None
        for _ in range(MAX_PAGES):
            params = ({} if meta is None else {"_meta": meta}) | ({} if cursor is None else {"cursor": cursor})
            try:
                answer = await asyncio.wait_for(self._ask(LIST, params), LIST_TIMEOUT)
            except TimeoutError:
                self._unanswered = True  # Otherwise each further call would wait as long.
                return
            result = answer.get("result")
            if not isinstance(result, dict) or not isinstance(result.get("tools"), list):
                return
            interceptor.learn(result["tools"])
            cursor = result.get("nextCursor")
            if not cursor:
                self.listed = True
                return

    async def _ask(self, method: str, params: dict[str, Any]) -> Message:
        response: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        message: Message = {"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {})
        request = self._requests.add(message, response, prefix=self._prefix)
        message = {**message, "id": request.key[1]}
        try:
            self._to_server(to_line(message), message)
            return await response
        finally:
            self._requests.remove(request)
