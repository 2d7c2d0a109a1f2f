import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace

import pytest
import uvicorn
from anyio.lowlevel import checkpoint

from coatcheck.cli import main
from coatcheck.toolsets.deepset.client import DeepsetClient, RetryPolicy, Timeouts
from coatcheck.toolsets.deepset.simulator import SimulatedPlatform

KEYS = {"key-of-ada": "ada", "key-of-grace": "grace"}
FAST_RETRIES = RetryPolicy(first_delay=0.01, longest_delay=0.5)


class ReplaceableApplication:
    """An ASGI application whose platform is replaced by each test."""

    platform: SimulatedPlatform

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            await self.platform(scope, receive, send)


@contextlib.contextmanager
def listening(application, lifespan="off") -> Iterator[str]:
    """Serve an application on a local port, in a thread, and yield its URL."""
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(application, log_level="critical", lifespan=lifespan, ws="none", timeout_graceful_shutdown=1)
    )

    async def serve() -> None:
        await server.serve([bound])
        for connection in list(
            server.server_state.connections
        ):  # connections that are still open after the graceful shutdown
            connection.transport.abort()
        await checkpoint()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        bound.close()


@pytest.fixture(scope="session")
def replaceable() -> Iterator[tuple[ReplaceableApplication, str]]:
    application = ReplaceableApplication()
    with listening(application) as url:
        yield application, url


@pytest.fixture
def platform(replaceable) -> SimulatedPlatform:
    """A simulated platform for one test, which listens at `api_url`."""
    replaceable[0].platform = SimulatedPlatform(keys=KEYS, deploy_seconds=0.0)
    return replaceable[0].platform


@pytest.fixture
def api_url(replaceable, platform) -> str:
    return f"{replaceable[1]}/api"


@pytest.fixture
async def client(api_url) -> AsyncIterator[DeepsetClient]:
    async with DeepsetClient(
        "key-of-ada", base_url=api_url, timeouts=Timeouts(30, 30, 30), retries=FAST_RETRIES
    ) as made:
        yield made


@pytest.fixture
def command(monkeypatch, capsys) -> Callable[..., SimpleNamespace]:
    """Run the command in this process, for runs that exit before serving."""

    def run(*arguments: str, **variables: str) -> SimpleNamespace:
        for name in [name for name in os.environ if name.startswith(("DEEPSET_", "COATCHECK_"))]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["coatcheck", *arguments])
        code = main()
        output = capsys.readouterr()
        return SimpleNamespace(returncode=code, stdout=output.out, stderr=output.err)

    return run
