"""Subscriptions of 2026-07-28 to stored objects, which never change: the server is sent the other ones alone."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coatcheck.calls.stored_resources import is_object
from coatcheck.errors import CoatcheckError, ObjectNotFound
from coatcheck.proxy.client_requests import Pending
from coatcheck.proxy.jsonrpc import SUBSCRIPTION_ID, Id, Message, id_of, meta_of, to_line
from coatcheck.proxy.object_resources import names_object
from coatcheck.proxy.server_resources import ServerResources

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

LISTEN, ACKNOWLEDGED = "subscriptions/listen", "notifications/subscriptions/acknowledged"
_URIS = "resourceSubscriptions"
MAX_OBJECTS = 100
"""Addresses of stored objects in one subscription that are looked up; the acknowledgement leaves out all others."""

MAX_OPEN = 1_000
"""Open subscriptions of one client to stored objects alone; of more, the oldest are forgotten."""

LONGEST_ID = 1_000
"""Characters of an id up to which such a subscription is remembered."""


def concerns_objects(request: Message) -> bool:
    """Whether a request reads addresses like those of stored objects, or subscribes to them."""
    return names_object(request) or (request.get("method") == LISTEN and any(map(is_object, _uris(_filter(request)))))


class ObjectSubscriptions:
    """The subscriptions of one client that concern stored objects alone, and that no server knows.

    The cancellation of one that was forgotten is passed on: a server ignores the cancellation of an unknown request.
    """

    def __init__(self) -> None:
        self._open: dict[Id, None] = {}

    async def open(
        self,
        request: Pending,
        message: Message,
        interceptor: "asyncio.Future[Interceptor]",
        resources: ServerResources,
    ) -> Message:
        """Subscribe to stored objects; return what is left of the request, or else its acknowledgement."""
        asked = _filter(message)
        theirs: list[Any] = []
        ours: list[str] = []
        left = MAX_OBJECTS
        for uri in _uris(asked):
            if not is_object(uri):
                theirs.append(uri)
            elif left:
                left -= 1
                if await _is_stored(uri, await asyncio.shield(interceptor)):
                    ours.append(uri)
                elif await resources.have(uri, request):
                    theirs.append(uri)
        rest = {key: value for key, value in asked.items() if key != _URIS} | ({_URIS: theirs} if theirs else {})
        request.objects = ours
        if any(rest.values()):
            return {**message, "params": {**message["params"], "notifications": rest}}
        if not isinstance(request.key[1], str) or len(request.key[1]) <= LONGEST_ID:
            self._open[request.key] = None
            if len(self._open) > MAX_OPEN:
                del self._open[next(iter(self._open))]
        params = {"notifications": {_URIS: ours} if ours else {}, "_meta": {SUBSCRIPTION_ID: message["id"]}}
        return {"jsonrpc": "2.0", "method": ACKNOWLEDGED, "params": params}

    def close(self, params: Any) -> bool:
        """Close the subscription that the parameters of a cancellation name; return whether it was open."""
        key = id_of({"id": params.get("requestId")}) if isinstance(params, dict) else None
        if key is None or key not in self._open:
            return False
        del self._open[key]
        return True


def with_objects(message: Message, line: bytes, sent: Callable[[Id | None], Pending | None]) -> bytes:
    """Return the line of a server's message; to an acknowledgement the stored objects are added.

    ``sent`` returns the request that was sent under an id.
    """
    if message.get("method") != ACKNOWLEDGED:
        return line
    request = sent(id_of({"id": meta_of(message).get(SUBSCRIPTION_ID)}))
    if request is None or not request.objects:
        return line
    honored = _filter(message)
    honored = {**honored, _URIS: [*_uris(honored), *request.objects]}
    return to_line({**message, "params": {**message["params"], "notifications": honored}})


async def _is_stored(uri: str, interceptor: "Interceptor") -> bool:
    try:
        await interceptor.find_object(uri)
    except ObjectNotFound:
        return False
    except CoatcheckError:
        pass  # It may exist; no server should hear of it.
    return True


def _filter(message: Message) -> dict[str, Any]:
    params = message.get("params")
    found = params.get("notifications") if isinstance(params, dict) else None
    return found if isinstance(found, dict) else {}


def _uris(asked: dict[str, Any]) -> list[Any]:
    uris = asked.get(_URIS)
    return uris if isinstance(uris, list) else []
