"""A FastAPI application with YAML settings, two MCP servers mounted in it, and a store for each.

    python examples/hosts/fastapi_two_stores.py --port 8000

The MCP servers are at /drafts/mcp and /archive/mcp; http://127.0.0.1:8000/archive/objects/ID shows an object.
"""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from dependency_injector import containers, providers
from fastapi import FastAPI, HTTPException
from mcp.server import MCPServer

from coatcheck import Container, ObjectNotFound, Settings, attach, running
from coatcheck.lifecycle import validate
from coatcheck.object_store import Caller, CallerKind

SETTINGS = Path(__file__).with_suffix(".yaml")


class Application(containers.DeclarativeContainer):
    """The host's container: its configuration, and two of coatcheck's, which share nothing."""

    config = providers.Configuration(yaml_files=[SETTINGS], strict=True)
    drafts = providers.Container(
        Container, settings=providers.ThreadSafeSingleton(Settings.model_validate, config.drafts)
    )
    archive = providers.Container(
        Container, settings=providers.ThreadSafeSingleton(Settings.model_validate, config.archive)
    )


def make_server(name: str, container: Container) -> MCPServer[Any]:
    """Make an MCP server over one of the stores."""
    server: MCPServer[Any] = MCPServer(name, log_level="WARNING")

    @server.tool()
    def rows(count: int) -> list[dict[str, int]]:
        """Return rows."""
        return [{"row": number} for number in range(count)]

    @server.tool()
    def total(rows: list[dict[str, int]]) -> int:
        """Add the numbers of rows."""
        return sum(row["row"] for row in rows)

    attach(server, container)
    return server


def make_app(application: Any) -> FastAPI:
    """Make the web application; its lifespan opens and closes both stores."""
    validate(application)
    stores = {"drafts": application.drafts(), "archive": application.archive()}
    servers = {name: make_server(name, container) for name, container in stores.items()}
    mounted = {name: server.streamable_http_app() for name, server in servers.items()}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # FastAPI does not run the lifespan of a mounted application, so its sessions are managed here.
        async with (
            running(stores["drafts"]),
            running(stores["archive"]),
            servers["drafts"].session_manager.run(),
            servers["archive"].session_manager.run(),
        ):
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/{name}/objects/{object_id}")
    async def show(name: str, object_id: str) -> dict[str, Any]:
        """Show an object; without authentication, only its id protects it."""
        if name not in stores:
            raise HTTPException(404)
        with stores[name].tenancy().enter(Caller(CallerKind.ANONYMOUS)):
            try:
                return {"value": await stores[name].store().afetch(object_id)}
            except ObjectNotFound:
                raise HTTPException(404) from None

    for name, mcp_app in mounted.items():
        app.mount(f"/{name}", mcp_app)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000)
    uvicorn.run(make_app(Application()), host="127.0.0.1", port=parser.parse_args().port, log_level="warning")
