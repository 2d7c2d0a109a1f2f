"""Subscriptions of 2026-07-28 at a gateway: one stream for the client, one at each upstream."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coatcheck.errors import UpstreamError
from coatcheck.proxy.gateway.names import split_uri
from coatcheck.proxy.gateway.upstream import Upstream
from coatcheck.proxy.jsonrpc import SUBSCRIPTION_ID, Id, Message, id_of

LIST_CHANGES = {
    "tools": ("notifications/tools/list_changed", "toolsListChanged"),
    "prompts": ("notifications/prompts/list_changed", "promptsListChanged"),
    "resources": ("notifications/resources/list_changed", "resourcesListChanged"),
}
"""For each capability: the notification of a list change, and its name in a subscription."""

_ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
_URIS = "resourceSubscriptions"


class Subscriptions:
    """The client's open subscriptions.

    ``tell`` sends a notification for one of the client's requests.
    """

    def __init__(
        self,
        running: Callable[[], Sequence[Upstream]],
        schemes: Mapping[str, Upstream],
        tell: Callable[[str, Any, Id | None], None],
    ) -> None:
        self._running = running
        self._schemes = schemes
        self._tell = tell
        self.open: dict[Id, tuple[Any, dict[str, Any]]] = {}

    async def listen(self, message: Message) -> dict[str, Any]:
        """Subscribe at all servers until the client disconnects, which cancels this; servers may start and stop."""
        key, params = id_of(message), dict(message.get("params") or {})
        filter_ = dict(params.get("notifications") or {})
        if key is None:
            return {}
        self.open[key] = (message["id"], filter_)
        self._tell(_ACKNOWLEDGED, {"notifications": filter_, "_meta": {SUBSCRIPTION_ID: message["id"]}}, key)
        listening = [asyncio.ensure_future(self._listen_at(upstream, message, filter_)) for upstream in self._running()]
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.open.pop(key, None)
            for task in listening:
                task.cancel()
        return {}

    async def _listen_at(self, upstream: Upstream, message: Message, filter_: dict[str, Any]) -> None:
        uris = [split_uri(uri) for uri in filter_.get(_URIS) or ()]
        own = [uri for scheme, uri in uris if self._schemes.get(scheme) is upstream]
        asked = {key: value for key, value in filter_.items() if key != _URIS} | ({_URIS: own} if own else {})
        if upstream.is_modern:
            params = {**(message.get("params") or {}), "notifications": asked}
            try:
                await upstream.pass_on(message, params)
            except UpstreamError:
                return  # The loss of a server is announced by a list change.

    def announce(self, method: str, params: dict[str, Any] | None) -> None:
        """Send a change to its subscriptions."""
        given = params or {}
        field = next((field for name, field in LIST_CHANGES.values() if name == method), "")
        for key, (request_id, filter_) in self.open.items():
            if filter_.get(field) or given.get("uri") in (filter_.get(_URIS) or ()):
                meta = {**(given.get("_meta") or {}), SUBSCRIPTION_ID: request_id}
                self._tell(method, {**given, "_meta": meta}, key)
