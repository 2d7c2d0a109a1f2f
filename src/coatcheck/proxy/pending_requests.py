"""Pending requests: ids, requesters, progress tokens and cancellation."""

import asyncio
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from coatcheck.calls.host_profiles import Client, client_of_request
from coatcheck.calls.prepared_call import PreparedCall
from coatcheck.proxy.jsonrpc import (
    PROGRESS_TOKEN,
    Id,
    Message,
    error_response,
    id_of,
    is_modern,
    meta_of,
    number_of,
    to_line,
    tool_of,
)
from coatcheck.proxy.partial_parsing import with_members

Requester = TypeVar("Requester", bound=Hashable)


@dataclass(slots=True, eq=False)
class PendingRequest(Generic[Requester]):
    """A request without a response. It does not hold the request's parameters, which may be large."""

    key: Id  # the id that it is sent under
    requester: Requester  # the receiver of the response
    request_id: Any  # the id that the requester chose
    method: str
    tool: str  # the tool that it calls, else `""`
    meta: dict[str, Any]  # its `_meta`
    is_modern: bool  # whether it is of a modern revision
    task: asyncio.Task[None] | None = None  # the task that prepares it, until it is sent
    passes: bool = False  # whether its response passes unchanged because an outer coatcheck does the work
    call: PreparedCall | None = None  # what remains to be done with the result of a call
    is_of_view: bool = False  # whether a view of MCP Apps sent it
    objects: Sequence[str] = ()  # the addresses of stored objects that it subscribes to

    def client(self, of_session: Client) -> Client:
        """Return the client of the request, which a request of a modern revision names itself."""
        return client_of_request({"_meta": self.meta}) if self.is_modern else of_session

    def outgoing(self, message: Message) -> Message:
        """Return the request with the id that it is sent under, which is its progress token too."""
        if PROGRESS_TOKEN in self.meta:
            params = {**message["params"], "_meta": {**self.meta, PROGRESS_TOKEN: self.key[1]}}
            message = with_members(message, params=params)
        return with_members(message, id=self.key[1])

    def error(self, text: str) -> bytes:
        """Return an error response for the requester."""
        return to_line(error_response(self.request_id, text))


class PendingRequests(Generic[Requester]):
    """The unanswered requests to one receiver."""

    def __init__(self) -> None:
        self._requests: dict[Id, PendingRequest[Requester]] = {}
        self._count = 0
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    def __bool__(self) -> bool:
        return bool(self._requests)

    def __contains__(self, key: Id) -> bool:
        return key in self._requests

    def __iter__(self) -> Iterator[PendingRequest[Requester]]:
        return iter(list(self._requests.values()))

    def add(
        self, message: Message, requester: Requester, *, key: Id | None = None, prefix: str = ""
    ) -> PendingRequest[Requester]:
        """Add a request.

        ``key`` is the id that it is sent under; by default a new number, after ``prefix`` if there is one.
        """
        if key is None:
            self._count += 1
            key = ("str", f"{prefix}{self._count}") if prefix else ("int", self._count)
        request = PendingRequest(
            key,
            requester,
            message.get("id"),
            str(message.get("method", "")),
            tool_of(message),
            meta_of(message),
            is_modern(message),
        )
        self._requests[key] = request
        self._is_empty.clear()
        return request

    def get(self, key: Id | None) -> PendingRequest[Requester] | None:
        """Return the request that was sent under an id."""
        return None if key is None else self._requests.get(key)

    def find(self, value: Any) -> PendingRequest[Requester] | None:
        """Return the request that was sent under an id of ours; some servers convert the number to a string."""
        return self.get(id_of({"id": value})) or self._requests.get(("int", number_of(value)))

    def remove(self, request: PendingRequest[Requester] | None) -> PendingRequest[Requester] | None:
        """Remove a request that was answered or cancelled; return it unless it was removed before."""
        if request is None or self._requests.get(request.key) is not request:
            return None
        del self._requests[request.key]
        if not self._requests:
            self._is_empty.set()
        return request

    def clear(self) -> list[PendingRequest[Requester]]:
        """Remove all requests, cancel the tasks that prepare them, and return them."""
        requests = list(self)
        for request in requests:
            self.remove(request)
            if request.task is not None:
                request.task.cancel()
        return requests

    def of(self, requester: Requester) -> list[PendingRequest[Requester]]:
        """Return the requests of one requester."""
        return [request for request in self._requests.values() if request.requester == requester]

    def cancelled(self, requester: Requester, params: Any) -> PendingRequest[Requester] | None:
        """Return the request that the parameters of a requester's ``notifications/cancelled`` name."""
        if not isinstance(params, dict):
            return None
        key = id_of({"id": params.get("requestId")})
        if key is None:
            return None
        return next((request for request in self.of(requester) if id_of({"id": request.request_id}) == key), None)

    async def wait_until_empty(self) -> None:
        """Wait until every request is answered or cancelled."""
        await self._is_empty.wait()
