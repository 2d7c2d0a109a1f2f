"""The routes for operators: ``/healthz``, ``/readyz`` and ``/metrics``.

They need no authentication and expose no data of users: no names, ids, namespaces, hosts or passwords.
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
    """The parts of a container that the routes need."""

    def health(self) -> Health:
        """Return the health of the server."""
        ...

    def metrics(self) -> Any:
        """Return the metrics; raises `MissingExtra` without the extra ``metrics``."""
        ...


def monitoring_routes(container: MonitoredContainer) -> list[Route]:
    """Return the routes for your own server, and start counting; the routes need no authentication.

    Add them to the ``routes`` of a Starlette application; for an ``MCPServer``, see ``add_monitoring``.

    Args:
        container: Provides the store and the metrics.
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
        # Reading statistics from a file may take a while.
        text = await to_thread.run_sync(metrics.exposition)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8", headers=_FRESH)

    return [Route(ALIVE_PATH, alive), Route(READY_PATH, ready), Route(METRICS_PATH, measured)]


def add_monitoring(server: MCPServer[Any], container: MonitoredContainer) -> None:
    """Add the routes to a server that will listen over HTTP.

    Args:
        server: The server; over stdio the routes have no effect.
        container: Provides the store and the metrics.
    """
    for route in monitoring_routes(container):
        server.custom_route(route.path, ["GET"])(route.endpoint)


class Monitored:
    """An ASGI application with additional routes, which take precedence."""

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
