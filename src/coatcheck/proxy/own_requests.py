"""Our own requests to a server, beside the client's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from secrets import token_hex
from typing import Any

from coatcheck.calls.nested_coatchecks import params_with_announcement
from coatcheck.proxy.jsonrpc import PROGRESS_TOKEN, Message, to_line
from coatcheck.proxy.pending_requests import PendingRequest, PendingRequests

MAX_PAGES = 100


class OwnRequests:
    """Our own requests, under ids that no client uses.

    ``to_server`` gets each line with its parsed message; ``requests`` are those that the server has not answered.
    """

    def __init__(
        self,
        to_server: Callable[[bytes, Message], None],
        requests: "PendingRequests[asyncio.Future[Message] | None]",
    ) -> None:
        self._to_server = to_server
        self._requests = requests
        self._prefix = f"coatcheck/{token_hex(8)}/"
        self._gave_up = False

    def give_up(self) -> None:
        """Stop waiting for pending responses, and send nothing more."""
        self._gave_up = True
        for request in self._requests:
            if request.requester is not None and not request.requester.done():
                request.requester.set_result({})

    async def pages(
        self, method: str, key: str, of: "PendingRequest[Any]", page_timeout: float
    ) -> AsyncIterator[dict[str, Any]]:
        """Request a list from the server; yield the result with each page. A malformed page ends the list.

        Ours is sent on behalf of the client's request ``of``; ``key`` is the name of the list in the result.

        Raises:
            TimeoutError: The server did not answer in time.
        """
        meta = {name: value for name, value in of.meta.items() if name != PROGRESS_TOKEN} if of.is_modern else None
        cursor: Any = None
        for _ in range(MAX_PAGES):
            params = ({} if meta is None else {"_meta": meta}) | ({} if cursor is None else {"cursor": cursor})
            result = (await asyncio.wait_for(self._send(method, params), page_timeout)).get("result")
            if not isinstance(result, dict) or not isinstance(result.get(key), list):
                return
            yield result
            cursor = result.get("nextCursor")
            if not cursor:
                return

    async def _send(self, method: str, params: dict[str, Any]) -> Message:
        if self._gave_up:
            return {}
        response: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        message: Message = {"jsonrpc": "2.0", "method": method} | ({"params": params} if params else {})
        # Without the announcement another coatcheck behind us would list its own tools.
        announced = params_with_announcement(message)
        message = message if announced is None else {**message, "params": announced}
        request = self._requests.add(message, response, prefix=self._prefix)
        message = {**message, "id": request.key[1]}
        try:
            self._to_server(to_line(message), message)
            return await response
        finally:
            self._requests.remove(request)
