"""The requests of one client that the server has not answered, among our own."""

import asyncio
from collections.abc import Callable
from typing import Any

from coatcheck.calls.limits import CallBudget
from coatcheck.proxy.jsonrpc import Id, Message, id_of, is_response, number_of
from coatcheck.proxy.pending_requests import PendingRequest, PendingRequests
from coatcheck.proxy.view_calls import CALL, ViewCalls

TASK_RESULT = "tasks/result"  # of a call made as a task; without the tool's name

Pending = PendingRequest[asyncio.Future[Message] | None]
"""A request of the client (``None``) or one of the proxy's, whose response resolves the future."""


class ClientRequests(PendingRequests[asyncio.Future[Message] | None]):
    """Pending requests that count in a call budget while the server processes them."""

    def __init__(self, budget: CallBudget, listed_name: Callable[[str], str]) -> None:
        super().__init__()
        self._budget, self._listed_name = budget, listed_name
        self._views = ViewCalls()

    def add_prepared(self, message: Message, key: Id) -> Pending:
        """Add a request of the client that is prepared before it is sent to the server."""
        request = self.add(message, None, key=key)
        request.is_of_view = self._views.is_view_call(message)
        return request

    def add_sent(self, message: Message, key: Id, *, passes: bool) -> None:
        """Add a request of the client that is sent to the server unchanged."""
        request = self.add_prepared(message, key)
        request.tool, request.passes = self._listed_name(request.tool), passes
        request.method = CALL if request.method == TASK_RESULT else request.method
        if request.method == CALL:
            self._budget.call_started()

    def sent_as_prepared(self, request: Pending) -> None:
        """Record that a prepared request was sent to the server."""
        request.task = None
        if request.method == CALL:
            self._budget.call_started()

    def answered_by(self, message: Any) -> Pending | None:
        """Return the request that a message from the server answers; some servers convert a number to a string."""
        if not is_response(message):
            return None
        value = message.get("id")
        request = self.sent(id_of(message))
        if request is None and isinstance(value, str) and (value == "0" or number_of(value)):
            return self.sent(("int", number_of(value)))
        return request

    def sent(self, key: Id | None) -> Pending | None:
        """Return the request that was sent to the server under an id."""
        request = self.get(key)
        return request if request is not None and request.task is None else None

    def remove(self, request: Pending | None) -> Pending | None:
        """Remove a request; see ``PendingRequests``."""
        removed = super().remove(request)
        if removed is not None and removed.method == CALL and removed.task is None and removed.requester is None:
            self._budget.call_ended()
        return removed

    def fail(self, key: Id | None, reason: str, to_client: Callable[[bytes], None]) -> bool:
        """Answer the request that was sent under an id with an error; return whether there is one."""
        request = self.remove(self.sent(key))
        if request is None:
            return False
        if request.requester is None:
            to_client(request.error(reason))
        elif not request.requester.done():
            request.requester.set_result({})
        return True

    def cancel(self, params: Any) -> bool:
        """Drop a cancelled request; return whether it ends here because it was never sent."""
        request = self.remove(self.cancelled(None, params))
        return request is not None and request.task is not None and request.task.cancel()
