"""Requests from servers to the client, each under an id and a progress token of its own."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from coatcheck.proxy.gateway.names import TASK_ID, TASK_STATUS, with_joined_tasks, with_own_tasks
from coatcheck.proxy.gateway.upstream import Upstream
from coatcheck.proxy.jsonrpc import PROGRESS_TOKEN, Id, Message, id_of, meta_of, to_line

CANCELLED, PROGRESS = "notifications/cancelled", "notifications/progress"
MAX_REMEMBERED = 1_000
"""Progress tokens, and tasks of the client's, whose server is remembered."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that the client has not answered yet: whose, and the id that it has there."""

    upstream: Upstream
    original: Any
    related: Id | None


class ServerRequests:
    """The requests that servers have open at the client.

    Args:
        to_client: Takes lines for the client, and the request of the client's that they belong to, if any.
    """

    def __init__(self, to_client: Callable[[bytes, Id | None], None]) -> None:
        self._to_client = to_client
        self._open: dict[str, _Asked] = {}
        self._tokens: OrderedDict[str, tuple[Upstream, Any]] = OrderedDict()
        self._tasks: OrderedDict[str, Upstream] = OrderedDict()
        self._count = 0

    def ask(self, upstream: Upstream, message: Message, related: Id | None) -> None:
        """Pass a server's request on."""
        self._count += 1
        own = f"{upstream.name}/{self._count}"
        self._open[own] = _Asked(upstream, message["id"], related)
        message = {**message, "id": own}
        meta = meta_of(message)
        if PROGRESS_TOKEN in meta:
            _remember(self._tokens, own, (upstream, meta[PROGRESS_TOKEN]))
            message["params"] = {**message["params"], "_meta": {**meta, PROGRESS_TOKEN: own}}
        if isinstance(message.get("params"), dict) and message["method"].partition("/")[0] != "tasks":
            # What a server asks about tasks is about the client's own.
            message["params"] = with_joined_tasks(upstream.name, message["params"])
        self._to_client(to_line(message), related)

    def answered(self, message: Message) -> None:
        """Bring the client's answer to who asked."""
        key = id_of(message)
        asked = self._open.pop(str(key[1]), None) if key is not None else None
        if asked is None:
            return
        result = message.get("result")
        if isinstance(result, dict):
            task = result.get("task")
            if isinstance(task, dict) and isinstance(task.get(TASK_ID), str):
                _remember(self._tasks, task[TASK_ID], asked.upstream)
            elif "_meta" in result:
                message = {
                    **message,
                    "result": {**result, "_meta": with_own_tasks({"_meta": result["_meta"]})["_meta"]},
                }
        asked.upstream.answer({**message, "id": asked.original})

    def noticed(self, message: Message) -> bool:
        """Take a notification of the client's about what it was asked; say whether it is one."""
        method, params = message.get("method"), message.get("params")
        params = params if isinstance(params, dict) else {}
        if method == PROGRESS:
            upstream, token = self._tokens.get(str(params.get(PROGRESS_TOKEN)), (None, None))
            if upstream is not None:
                upstream.notify(PROGRESS, {**params, PROGRESS_TOKEN: token})
            return True  # What belongs to no request is no one's.
        if method == TASK_STATUS:
            owner = self._tasks.get(str(params.get(TASK_ID)))
            if owner is not None:
                owner.notify(TASK_STATUS, params)
            return True
        return False

    def withdraw(self, upstream: Upstream, params: dict[str, Any]) -> None:
        """Tell the client that a server waits no longer for an answer."""
        for own, asked in list(self._open.items()):
            if asked.upstream is upstream and asked.original == params.get("requestId"):
                self._cancel(own, params)

    def forget(self, upstream: Upstream) -> None:
        """Withdraw all that a server has asked: it is gone, and the one that comes after asks for itself."""
        for own, asked in list(self._open.items()):
            if asked.upstream is upstream:
                self._cancel(own, {"reason": f'The server "{upstream.name}" went away.'})

    def _cancel(self, own: str, params: dict[str, Any]) -> None:
        asked = self._open.pop(own)
        told = {"jsonrpc": "2.0", "method": CANCELLED, "params": {**params, "requestId": own}}
        self._to_client(to_line(told), asked.related)


def _remember(found: OrderedDict[str, Any], key: str, value: Any) -> None:
    found[key] = value
    if len(found) > MAX_REMEMBERED:
        found.popitem(last=False)
