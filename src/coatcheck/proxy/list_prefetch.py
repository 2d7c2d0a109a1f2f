"""Lists what a server has before the client does, because a request or a result depends on it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from coatcheck.proxy.own_requests import OwnRequests
from coatcheck.proxy.pending_requests import PendingRequest

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

LIST = "tools/list"
LIST_TIMEOUT = 20.0
"""Seconds within which a server must answer our own `tools/list` with a page."""

RESULT_TIMEOUT = 5.0
"""Seconds that a large result waits for the list; the server may be busy with another call."""

Learn = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Called with the method of a list, and the result with one of its pages."""


class ListPrefetch:
    """Requests lists of a server that the client has not, once until the server announces a change.

    ``lists`` are the methods, each with the name of its list in the result.
    """

    def __init__(self, requests: OwnRequests, lists: Mapping[str, str], page_timeout: float) -> None:
        self._requests, self._lists, self._page_timeout = requests, lists, page_timeout
        self._complete: set[str] = set()
        self._listing: asyncio.Task[None] | None = None

    def seen(self, method: str, page: Mapping[str, Any]) -> None:
        """Note a page of a list that the client has requested."""
        if not page.get("nextCursor"):
            self._complete.add(method)

    def list_again(self) -> None:
        """Request the lists again when they are needed, because the server has announced a change."""
        self._complete.clear()

    def cancel(self) -> None:
        """Stop listing."""
        if self._listing is not None:
            self._listing.cancel()

    async def wait(self, request: PendingRequest[Any], learn: Learn, most_seconds: float | None = None) -> bool:
        """Wait until the lists that a request needs are known, or not answered; return ``False`` if it takes longer."""
        if self._complete >= self._lists.keys():
            return True
        if self._listing is None or self._listing.done():
            self._listing = asyncio.ensure_future(self._list(request, learn))
        return bool((await asyncio.wait({self._listing}, timeout=most_seconds))[0])

    async def _list(self, request: PendingRequest[Any], learn: Learn) -> None:
        for method in [method for method in self._lists if method not in self._complete]:
            with suppress(TimeoutError):
                async for page in self._requests.pages(method, self._lists[method], request, self._page_timeout):
                    await learn(method, page)
            self._complete.add(method)  # Requested once, also if the server has no such list or is slow.


class ToolListPrefetch(ListPrefetch):
    """Lists the tools of a server that the client has not listed; see ``ListPrefetch``."""

    def __init__(self, requests: OwnRequests) -> None:
        super().__init__(requests, {LIST: "tools"}, LIST_TIMEOUT)
        self._slow = False

    def list_again(self) -> None:
        """Request the list again when it is needed; large results wait for it again."""
        super().list_again()
        self._slow = False

    async def learn_tools(self, interceptor: "Interceptor", call: PendingRequest[Any]) -> None:
        """List the server's tools, unless the called one is known."""
        if not interceptor.has_listed(call.tool):
            await self.wait(call, lambda _, page: interceptor.alearn(page))

    async def learn_names(self, interceptor: "Interceptor", call: PendingRequest[Any]) -> None:
        """Wait for the list before a large result: its preview names our tools, and the server may have such names."""
        if not (self._slow or interceptor.knows_all):
            self._slow = not await self.wait(call, lambda _, page: interceptor.alearn(page), RESULT_TIMEOUT)


class SharedToolList(ToolListPrefetch):
    """The same for a connection that many conversations share: it continues when one of them ends."""

    def cancel(self) -> None:
        """Do nothing."""
