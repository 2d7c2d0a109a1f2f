"""The routes for those who run a server: ``/healthz``, ``/readyz`` and ``/metrics``.

They stand outside authentication, and tell nothing that belongs to a user: no names, ids, namespaces, hosts, passwords.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from anyio import to_thread
from mcp.server import MCPServer
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from coatcheck.errors import MissingExtra
from coatcheck.monitoring.health import Health

ALIVE_PATH, READY_PATH, METRICS_PATH = "/healthz", "/readyz", "/metrics"

_FRESH = {"Cache-Control": "no-store"}


class MonitoredContainer(Protocol):
    """What the routes need of a container."""

    def health(self) -> Health:
        """Give whether the server is ready."""
        ...

    def metrics(self) -> Any:
        """Give the metrics; raises `MissingExtra` without the extra ``metrics``."""
        ...


def monitoring_routes(container: MonitoredContainer) -> list[Route]:
    """Give the routes for a server of one's own, and begin to count; the routes need no authentication.

    For a Starlette application, among its ``routes``; for an ``MCPServer``, see ``add_monitoring``.

    Args:
        container: Whose store is asked and whose metrics are shown.
    """
    health: Health = container.health()
    try:
        metrics = container.metrics()
    except MissingExtra as missing:
        metrics, instead = None, str(missing)

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive\n", headers=_FRESH)

    async def ready(_request: Request) -> Response:
        reason = await health.why_not_ready()
        return PlainTextResponse(
            f"not ready: {reason}\n" if reason else "ready\n", 503 if reason else 200, headers=_FRESH
        )

    async def measured(_request: Request) -> Response:
        if metrics is None:
            return PlainTextResponse(f"{instead}\n", 501, headers=_FRESH)
        # Asking a file for what it holds may take its time.
        text = await to_thread.run_sync(metrics.exposition)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8", headers=_FRESH)

    return [Route(ALIVE_PATH, alive), Route(READY_PATH, ready), Route(METRICS_PATH, measured)]


def add_monitoring(server: MCPServer[Any], container: MonitoredContainer) -> None:
    """Add the routes to a server that will listen over HTTP.

    Args:
        server: The server; nothing changes where it serves over stdio.
        container: Whose store is asked.
    """
    for route in monitoring_routes(container):
        server.custom_route(route.path, ["GET"])(route.endpoint)


class Monitored:
    """An ASGI application with routes before it.

    Args:
        application: What answers every other request.
        routes: The routes; a request for the path of one goes no further.
    """

    def __init__(self, application: ASGIApp, routes: Sequence[Route]) -> None:
        self._application = application
        self._routes = {route.path: route for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if route is None or route.matches(scope)[0] is Match.NONE:
            await self._application(scope, receive, send)
        else:
            await route.handle(scope, receive, send)
