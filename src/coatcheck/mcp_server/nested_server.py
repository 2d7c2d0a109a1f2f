"""A server in this process behind an outer coatcheck: it defers to it, or announces that it keeps objects itself."""

from collections.abc import Callable, Collection
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from coatcheck.calls.nesting import HANDSHAKES, announces_coatcheck, with_announcement


class NestedServerMiddleware:
    """Hides added tools from an outer coatcheck, unless the server's own functions keep objects.

    Args:
        added: Names of the tools that were added to the server; an outer coatcheck has its own tools.
        keeps_objects: Whether the server's own functions keep objects. If so, its capabilities announce it.
    """

    def __init__(self, added: Collection[str], keeps_objects: Callable[[], bool]) -> None:
        self._added = added
        self._keeps_objects = keeps_objects

    def defers_to_client(self, ctx: ServerRequestContext[Any, Any]) -> bool:
        """Whether the request comes from an outer coatcheck that does the work."""
        capabilities = ctx.session.client_capabilities
        if capabilities is None or self._keeps_objects():
            return False
        return announces_coatcheck({"experimental": capabilities.experimental})

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle one message."""
        result = await call_next(ctx)
        if not isinstance(result, dict):
            return result
        if ctx.method in HANDSHAKES and self._keeps_objects():
            return {**result, "capabilities": with_announcement(result.get("capabilities"))}
        if ctx.method == "tools/list" and self.defers_to_client(ctx):
            listed = result.get("tools", [])
            return {**result, "tools": [tool for tool in listed if tool.get("name") not in self._added]}
        return result
