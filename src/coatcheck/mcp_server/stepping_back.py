"""A server of this process behind another coatcheck: it steps back, or announces that it keeps objects itself."""

from collections.abc import Callable, Collection
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

from coatcheck.calls.nesting import HANDSHAKES, announced, announces


class SteppingBackMiddleware:
    """Hides added tools from a coatcheck in front of the server, unless the server's own functions keep objects.

    Args:
        added: The tools that were added to the server: a coatcheck in front of it has them itself.
        keeps_objects: Whether the server's own functions keep objects; then its capabilities say so.
    """

    def __init__(self, added: Collection[str], keeps_objects: Callable[[], bool]) -> None:
        self._added = added
        self._keeps_objects = keeps_objects

    def steps_back(self, ctx: ServerRequestContext[Any, Any]) -> bool:
        """Whether the request comes from a coatcheck that does the work."""
        capabilities = ctx.session.client_capabilities
        if capabilities is None or self._keeps_objects():
            return False
        return announces({"experimental": capabilities.experimental})

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Handle one message."""
        result = await call_next(ctx)
        if not isinstance(result, dict):
            return result
        if ctx.method in HANDSHAKES and self._keeps_objects():
            return {**result, "capabilities": announced(result.get("capabilities"))}
        if ctx.method == "tools/list" and self.steps_back(ctx):
            listed = result.get("tools", [])
            return {**result, "tools": [tool for tool in listed if tool.get("name") not in self._added]}
        return result
