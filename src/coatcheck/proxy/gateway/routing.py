"""Routes requests to upstreams; reports those that name none."""

from collections.abc import Mapping
from typing import Any

from coatcheck.errors import quoted, quoted_name
from coatcheck.proxy.gateway.names import TASK_ID, joined, split, split_uri
from coatcheck.proxy.gateway.upstream import Upstream
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
"""Methods whose parameters always name their subject."""
_NAMES = ("name", "tool", "toolName", "prompt", TASK_ID)
_URIS = ("uri", "uriTemplate")


class RefusedError(Exception):
    """The gateway answers a request with a JSON-RPC error."""

    def __init__(self, code: int, text: str, data: Any = None) -> None:
        super().__init__(text)
        self.error = {"code": code, "message": text} | ({} if data is None else {"data": data})


def no_server_named(message: Message) -> RefusedError:
    """Report that a request does not name a server."""
    method = str(message["method"])
    if method in _OF_ONE:
        return RefusedError(INVALID_PARAMS, f"There is no such {_OF_ONE[method]}.")
    return RefusedError(
        METHOD_NOT_FOUND,
        f"{quoted(method)} is for one server, and there are several behind this one: name a tool, prompt, "
        "resource or task of that server in the parameters, with what it begins with here (server__name).",
    )


class Routes:
    """The servers by the prefixes of names and addresses."""

    def __init__(self, upstreams: Mapping[str, Upstream], schemes: Mapping[str, Upstream]) -> None:
        self._upstreams = upstreams
        self._schemes = schemes

    def of(self, params: Any) -> tuple[Upstream, dict[str, Any]] | None:
        """Find the server of parameters; return it with the parameters in its own names.

        Names in ``ref``, as used by completion, count too. ``None`` if the parameters name no server or several.
        """
        given = params if isinstance(params, dict) else {}
        found: set[Upstream] = set()
        own = self._own(given, found)
        if isinstance(given.get("ref"), dict):
            own["ref"] = self._own(given["ref"], found)
        return (found.pop(), own) if len(found) == 1 else None

    def listed_name(self, tool: str) -> str:
        """Return the listed name of a tool that is named without a prefix, if exactly one server has it.

        The views of a server (MCP Apps) call its tools by their own names.
        """
        names = self._listed_names(tool)
        return names[0] if len(names) == 1 and split(tool)[0] not in self._upstreams else tool

    def no_tool(self, tool: str) -> RefusedError:
        """Report that there is no such tool."""
        names = ", ".join(map(quoted_name, self._listed_names(tool)))
        several = f" Several servers have one: {names}." if names else ""
        return RefusedError(INVALID_PARAMS, f"There is no tool {quoted(tool)}.{several}")

    def _listed_names(self, tool: str) -> list[str]:
        return [joined(each.name, tool) for each in self._upstreams.values() if tool in (each.tools or ())]

    def only_upstream(self, params: Any) -> tuple[Upstream, Any] | None:
        """Return the only server, with the parameters, if there is just one."""
        upstreams = list(self._upstreams.values())
        return (upstreams[0], params) if len(upstreams) == 1 else None

    def _own(self, given: dict[str, Any], found: set[Upstream]) -> dict[str, Any]:
        own = dict(given)
        for keys, upstreams, parted in ((_NAMES, self._upstreams, split), (_URIS, self._schemes, split_uri)):
            for key in keys:
                if not isinstance(given.get(key), str):
                    continue
                server, rest = parted(given[key])
                upstream = upstreams.get(server)
                if upstream is not None:
                    found.add(upstream)
                    own[key] = rest
        return own
