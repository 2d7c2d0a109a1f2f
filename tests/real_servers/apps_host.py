"""An MCP host with a page in a real browser that shows the views of MCP Apps."""

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from mcp import MCPError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.browsers import chromium
from tests.ports import free_port
from tests.real_servers.packages import bundled
from tests.real_servers.sessions import PATIENCE, Session

PAGE = Path(__file__).with_name("host_page.js")


async def show_view(session: Session, tool: str, profile: Path, ready: re.Pattern[str]) -> dict[str, Any]:
    """Show the view of a tool in the browser, and return the page's report once the view is ready.

    Args:
        session: The host's connection to the server.
        tool: The end of the tool's name.
        profile: A folder for the browser.
        ready: A pattern for the text of the finished view.
    """
    script = bundled(PAGE)
    reports: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def page(_request: Request) -> Response:
        return HTMLResponse(f'<!doctype html><meta charset="utf-8"><body><script type="module">{script}</script>')

    async def ask(request: Request) -> Response:
        asked = json.loads(await request.body())
        try:
            return JSONResponse({"result": await session.ask(asked["method"], asked["params"])})
        except MCPError as error:
            return JSONResponse({"error": str(error)})

    async def report(request: Request) -> Response:
        reports.put_nowait(json.loads(await request.body()))
        return Response()

    routes = [
        Route("/", page),
        Route("/ask", ask, methods=["POST"]),
        Route("/report", report, methods=["POST"]),
    ]
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=port, log_level="error", lifespan="off"))
    serving = asyncio.ensure_future(server.serve())
    url = f"http://127.0.0.1:{port}/?tool={tool}"
    browser = await asyncio.create_subprocess_exec(
        *chromium(profile), url, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    report: dict[str, Any] = {}
    try:
        with anyio.fail_after(PATIENCE):
            while "error" not in report and not ready.search(report.get("text", "")):
                report = await reports.get()
    except TimeoutError:
        raise AssertionError(f"The view does not show the expected text, but: {report.get('text')}") from None
    finally:
        browser.terminate()
        await browser.wait()
        server.should_exit = True
        await serving
    assert "error" not in report, report
    return report
