"""The server's own resources whose addresses look like those of stored objects."""

from typing import Any

from coatcheck.calls.stored_resources import SCHEME, is_object
from coatcheck.codec import amap
from coatcheck.proxy.list_prefetch import ListPrefetch
from coatcheck.proxy.object_resources import LISTS
from coatcheck.proxy.own_requests import OwnRequests
from coatcheck.proxy.pending_requests import PendingRequest

MAX_REMEMBERED = 1_000
"""Addresses, and templates, of a server that are remembered."""

MAX_CHARACTERS = 1_000
"""Characters of a template up to which it is remembered."""

LIST_TIMEOUT = 5.0
"""Seconds that a request for a missing object waits for the server's list of resources."""


class ServerResources(ListPrefetch):
    """The addresses of stored objects that a server lists as its own resources.

    Ids are secrets: only addresses that the server listed itself are passed on to it.

    ``may_ask``: the lists are requested if the client has not requested them.
    """

    def __init__(self, requests: OwnRequests, *, may_ask: bool) -> None:
        super().__init__(requests, LISTS, LIST_TIMEOUT)
        self._may_ask = may_ask
        self._addresses: dict[str, None] = {}
        self._templates: dict[tuple[str, str], None] = {}

    async def learn(self, method: str, result: Any) -> None:
        """Remember the addresses and templates of one page of a list."""
        if not isinstance(result, dict):
            return
        entries = result.get(LISTS[method])
        await amap(self._remember, entries if isinstance(entries, list) else ())
        self.seen(method, result)

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
        if self._may_ask and not self._known(uri):
            await self.wait(request, self.learn, LIST_TIMEOUT)
        return self._known(uri)

    def _known(self, uri: str) -> bool:
        return uri in self._addresses or any(
            uri.startswith(before) and uri.endswith(after) and len(uri) >= len(before) + len(after)
            for before, after in self._templates
        )


def _add(remembered: dict[Any, None], key: Any) -> None:
    remembered.pop(key, None)
    remembered[key] = None
    if len(remembered) > MAX_REMEMBERED:
        del remembered[next(iter(remembered))]
