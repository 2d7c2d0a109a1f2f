"""Sends `tools/list` to a server when its tools must be known before the client has listed them."""

import asyncio
from typing import TYPE_CHECKING, Any

from coatcheck.proxy.own_requests import OwnRequests
from coatcheck.proxy.pending_requests import PendingRequest

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

LIST = "tools/list"
LIST_TIMEOUT = 20.0
"""Seconds within which a server must answer our own `tools/list`."""

RESULT_TIMEOUT = 5.0
"""Seconds that a large result waits for the list; the server may be busy with another call."""


class ToolListPrefetch:
    """Lists the tools of a server that the client has not listed.

    Args:
        requests: Sends our own requests.
    """

    def __init__(self, requests: OwnRequests) -> None:
        self._requests = requests
        self._listing: asyncio.Task[None] | None = None
        self.listed = self._unanswered = self._slow = False

    def list_again(self) -> None:
        """List the tools again before the next call, because the server has announced a change."""
        self.listed = self._unanswered = self._slow = False

    def cancel(self) -> None:
        """Stop listing."""
        if self._listing is not None:
            self._listing.cancel()

    async def learn_tools(self, interceptor: "Interceptor", call: "PendingRequest[Any]") -> None:
        """List the server's tools, unless they are listed already, on behalf of the call that needs them."""
        if not (self.listed or self._unanswered or interceptor.knows(call.tool)):
            await asyncio.shield(self._started(interceptor, call))

    async def learn_names(self, interceptor: "Interceptor", call: "PendingRequest[Any]") -> None:
        """Do the same for a large result: its preview names our tools, and the server may have tools of these names."""
        if self.listed or self._unanswered or self._slow or interceptor.knows_all:
            return
        try:
            await asyncio.wait_for(asyncio.shield(self._started(interceptor, call)), RESULT_TIMEOUT)
        except TimeoutError:
            self._slow = True

    def _started(self, interceptor: "Interceptor", call: "PendingRequest[Any]") -> asyncio.Task[None]:
        if self._listing is None or self._listing.done():
            self._listing = asyncio.ensure_future(self._list_tools(interceptor, call))
        return self._listing

    async def _list_tools(self, interceptor: "Interceptor", call: "PendingRequest[Any]") -> None:
        try:
            async for page in self._requests.pages(LIST, "tools", call, LIST_TIMEOUT):
                self.listed = not page.get("nextCursor")
                await interceptor.alearn(page["tools"], is_last=self.listed)
        except TimeoutError:
            self._unanswered = True  # Otherwise each further call would wait as long.
