"""The server's own resources whose addresses look like those of stored objects."""

import asyncio
from typing import Any

from coatcheck.calls.stored_resources import SCHEME, is_object
from coatcheck.codec import amap
from coatcheck.proxy.object_resources import LISTS, RESOURCES, TEMPLATES
from coatcheck.proxy.own_requests import OwnRequests
from coatcheck.proxy.pending_requests import PendingRequest

MAX_REMEMBERED = 1_000
"""Addresses, and templates, of a server that are remembered."""

MAX_CHARACTERS = 1_000
"""Characters of a template up to which it is remembered."""

LIST_TIMEOUT = 5.0
"""Seconds that a request for a missing object waits for the server's list of resources."""


class ServerResources:
    """The addresses of stored objects that a server lists as its own resources.

    Ids are secrets: only addresses that the server listed itself are passed on to it.

    Args:
        requests: Sends our own requests.
        may_ask: Whether the lists are requested if the client has not requested them.
    """

    def __init__(self, requests: OwnRequests, *, may_ask: bool) -> None:
        self._requests, self._may_ask = requests, may_ask
        self._addresses: dict[str, None] = {}
        self._templates: dict[tuple[str, str], None] = {}
        self._complete: set[str] = set()
        self._listing: asyncio.Task[None] | None = None

    def list_again(self) -> None:
        """List the resources again when an object is missing, because the server has announced a change."""
        self._complete.clear()

    def cancel(self) -> None:
        """Stop listing."""
        if self._listing is not None:
            self._listing.cancel()

    async def learn(self, method: str, result: Any) -> None:
        """Remember the addresses and templates of one page of a list."""
        if not isinstance(result, dict):
            return
        entries = result.get(LISTS[method])
        await amap(self._remember, entries if isinstance(entries, list) else ())
        if not result.get("nextCursor"):
            self._complete.add(method)

    def _remember(self, entry: Any) -> None:
        if not isinstance(entry, dict):
            return
        uri, template = entry.get("uri"), entry.get("uriTemplate")
        if is_object(uri):
            _add(self._addresses, uri)
        if isinstance(template, str) and template.startswith(SCHEME) and len(template) <= MAX_CHARACTERS:
            before, brace, rest = template.partition("{")
            if brace:
                _add(self._templates, (before, rest.rpartition("}")[2]))

    async def have(self, uri: str, request: "PendingRequest[Any]") -> bool:
        """Return whether an address is one of the server's resources; request its lists if the client has not."""
        if not self._known(uri) and self._may_ask and self._complete != LISTS.keys():
            if self._listing is None or self._listing.done():
                self._listing = asyncio.ensure_future(self._list(request))
            await asyncio.wait({self._listing}, timeout=LIST_TIMEOUT)
        return self._known(uri)

    def _known(self, uri: str) -> bool:
        return uri in self._addresses or any(
            uri.startswith(before) and uri.endswith(after) and len(uri) >= len(before) + len(after)
            for before, after in self._templates
        )

    async def _list(self, request: "PendingRequest[Any]") -> None:
        for method in (RESOURCES, TEMPLATES):
            if method in self._complete:
                continue
            try:
                async for page in self._requests.pages(method, LISTS[method], request, LIST_TIMEOUT):
                    await self.learn(method, page)
            except TimeoutError:
                pass
            self._complete.add(method)  # Requested once, also if the server has no such list or is slow.


def _add(remembered: dict[Any, None], key: Any) -> None:
    remembered.pop(key, None)
    remembered[key] = None
    if len(remembered) > MAX_REMEMBERED:
        del remembered[next(iter(remembered))]
