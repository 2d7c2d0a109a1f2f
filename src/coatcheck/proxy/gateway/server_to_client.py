"""Requests from servers to the client, each with its own id and progress token."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from coatcheck.proxy.gateway.names import TASK_ID, TASK_STATUS, with_joined_tasks, with_own_tasks
from coatcheck.proxy.gateway.upstream import Upstream
from coatcheck.proxy.jsonrpc import PROGRESS_TOKEN, Id, Message, id_of, text_of, to_line
from coatcheck.proxy.pending_requests import PendingRequest, PendingRequests

CANCELLED, PROGRESS = "notifications/cancelled", "notifications/progress"
MAX_REMEMBERED = 1_000
"""Maximum number of progress tokens and client tasks that are kept."""


class ServerRequests:
    """The pending requests of servers to the client.

    ``to_client`` gets lines for the client, and the client's request that they belong to, if any.
    """

    def __init__(self, to_client: Callable[[bytes, Id | None], None]) -> None:
        self._to_client = to_client
        self._requests: PendingRequests[Upstream] = PendingRequests()
        self._related: dict[Id, Id | None] = {}
        self._tokens: OrderedDict[str, tuple[Upstream, Any]] = OrderedDict()
        self._tasks: OrderedDict[str, Upstream] = OrderedDict()

    def forward(self, upstream: Upstream, message: Message, related: Id | None) -> None:
        """Forward a server's request."""
        request = self._requests.add(message, upstream, prefix=f"{upstream.name}/")
        self._related[request.key] = related
        if PROGRESS_TOKEN in request.meta:
            _remember(self._tokens, str(request.key[1]), (upstream, request.meta[PROGRESS_TOKEN]))
        message = request.outgoing(message)
        if isinstance(message.get("params"), dict) and message["method"].partition("/")[0] != "tasks":
            # Requests of a server about tasks concern tasks of the client.
            message["params"] = with_joined_tasks(upstream.name, message["params"])
        self._to_client(to_line(message), related)

    def forward_answer(self, message: Message) -> None:
        """Forward the client's response to the server that sent the request."""
        request = self._requests.remove(self._requests.get(id_of(message)))
        if request is None:
            return
        self._related.pop(request.key, None)
        result = message.get("result")
        if isinstance(result, dict):
            task = result.get("task")
            if isinstance(task, dict) and isinstance(task.get(TASK_ID), str):
                _remember(self._tasks, task[TASK_ID], request.requester)
            elif "_meta" in result:
                message = {
                    **message,
                    "result": {**result, "_meta": with_own_tasks({"_meta": result["_meta"]})["_meta"]},
                }
        request.requester.answer({**message, "id": request.request_id})

    def forward_notification(self, message: Message) -> bool:
        """Forward the client's notification about a server's request; return whether it was one."""
        method, params = message.get("method"), message.get("params")
        params = params if isinstance(params, dict) else {}
        if method == PROGRESS:
            upstream, token = self._tokens.get(text_of(params.get(PROGRESS_TOKEN)), (None, None))
            if upstream is not None:
                upstream.notify(PROGRESS, {**params, PROGRESS_TOKEN: token})
            return True  # A notification without a request has no receiver.
        if method == TASK_STATUS:
            owner = self._tasks.get(text_of(params.get(TASK_ID)))
            if owner is not None:
                owner.notify(TASK_STATUS, params)
            return True
        return False

    def cancel(self, upstream: Upstream, params: dict[str, Any]) -> None:
        """Notify the client that a server has cancelled a request."""
        self._cancel(self._requests.cancelled(upstream, params), params)

    def forget(self, upstream: Upstream) -> None:
        """Cancel all requests of a lost server."""
        for request in self._requests.of(upstream):
            self._cancel(request, {"reason": f'The server "{upstream.name}" went away.'})

    def _cancel(self, request: PendingRequest[Upstream] | None, params: dict[str, Any]) -> None:
        if self._requests.remove(request) is None or request is None:
            return
        cancelled = {"jsonrpc": "2.0", "method": CANCELLED, "params": {**params, "requestId": request.key[1]}}
        self._to_client(to_line(cancelled), self._related.pop(request.key, None))


def _remember(found: OrderedDict[str, Any], key: str, value: Any) -> None:
    found[key] = value
    if len(found) > MAX_REMEMBERED:
        found.popitem(last=False)
