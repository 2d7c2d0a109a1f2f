"""MCP servers with an object store: `attach` for an existing server, `configure_mcp_server` for your own."""

from typing import TYPE_CHECKING, Any

from coatcheck.wiring.attaching import attach, configure_mcp_server

if TYPE_CHECKING:
    from coatcheck.wiring.fastmcp_attaching import CoatcheckMiddleware

__all__ = ["CoatcheckMiddleware", "attach", "configure_mcp_server"]


def __getattr__(name: str) -> Any:
    """Import `CoatcheckMiddleware`, which needs FastMCP, at first use.

    Raises:
        MissingExtra: FastMCP is not installed.
    """
    if name != "CoatcheckMiddleware":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from coatcheck.wiring.fastmcp_attaching import CoatcheckMiddleware
    except ImportError as error:
        from coatcheck.errors import MissingExtra

        message = f"CoatcheckMiddleware needs FastMCP 4: pip install 'coatcheck[fastmcp]' ({error})."
        raise MissingExtra(message) from None
    return CoatcheckMiddleware
