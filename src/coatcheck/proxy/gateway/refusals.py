"""Requests that end at the gateway: no server is meant, or none can be told."""

from typing import Any

from coatcheck.errors import excerpt
from coatcheck.proxy.jsonrpc import METHOD_NOT_FOUND, Message

INVALID_PARAMS = -32602
_OF_ONE = {
    "resources/subscribe": "resource",
    "resources/unsubscribe": "resource",
    "completion/complete": "prompt or resource to complete for",
    "tasks/get": "task",
    "tasks/result": "task",
    "tasks/cancel": "task",
}
"""Methods that always name what they are about."""


class RefusedError(Exception):
    """A request that ends here, as a JSON-RPC error."""

    def __init__(self, code: int, text: str, data: Any = None) -> None:
        super().__init__(text)
        self.error = {"code": code, "message": text} | ({} if data is None else {"data": data})


def of_no_server(message: Message) -> RefusedError:
    """Say that nothing in a request tells which server it is for."""
    method = str(message["method"])
    if method in _OF_ONE:
        return RefusedError(INVALID_PARAMS, f"There is no such {_OF_ONE[method]}.")
    return RefusedError(
        METHOD_NOT_FOUND,
        f'"{excerpt(method)}" is for one server, and there are several behind this one: name a tool, prompt, '
        "resource or task of that server in the parameters, with what it begins with here (server__name).",
    )
