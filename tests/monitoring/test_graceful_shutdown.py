"""On SIGTERM, a server over HTTP completes the calls in flight first; tested with the real commands and a slow call."""

import contextlib
import os
import signal

import anyio
import httpx2
import pytest
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError

from tests.monitoring.connecting import client_of, flags_of
from tests.monitoring.running import served
from tests.results import text_of
from tests.waiting import until
from tests.wrap.running import appears

pytestmark = pytest.mark.anyio

EXIT = {"wrap": 128 + signal.SIGTERM, "serve": -signal.SIGTERM, "sse": -signal.SIGTERM}
MODES = [
    ("serve", "legacy"),
    ("sse", "legacy"),
    ("wrap", "auto"),
    pytest.param("serve", "auto", marks=pytest.mark.long),
    pytest.param("wrap", "legacy", marks=pytest.mark.long),
]


async def until_ended(process, seconds: float = 20.0) -> int:
    await until(lambda: process.poll() is not None, "the server ends", seconds=seconds)
    return process.returncode


async def refuses_connections(server) -> list[int]:
    """Wait until a server refuses new connections; return its readiness answers until then."""
    found: list[int] = []

    def is_refused() -> bool:
        try:
            found.append(server.get("/readyz").status_code)
        except httpx2.ConnectError:
            return True
        except (httpx2.RemoteProtocolError, httpx2.ReadError):
            return False  # the server received the signal after the connection but before reading the request
        return False

    await until(is_refused, "the server refuses connections")
    return found


async def listen(client, *, task_status) -> None:
    """Hold a stream open indefinitely."""
    with contextlib.suppress(MCPError, SubscriptionLost):
        async with client.listen(tools_list_changed=True) as events:
            task_status.started()
            async for _ in events:
                pass


@contextlib.asynccontextmanager
async def client_of_ending_server(connecting):
    """A client whose server may exit first; errors of the client are ignored."""
    async with contextlib.AsyncExitStack() as stack:
        yield await stack.enter_async_context(connecting)
        with contextlib.suppress(Exception, BaseExceptionGroup):
            await stack.aclose()


@pytest.mark.parametrize(("kind", "mode"), MODES)
async def test_a_call_in_flight_is_answered_new_connections_are_refused_and_it_is_never_ready_again(
    kind, mode, tmp_path
):
    began, pipe = tmp_path / "began", tmp_path / "pipe"
    os.mkfifo(pipe)
    answers = []
    with served(kind, tmp_path, *flags_of(kind), "--shutdown-timeout", "60") as server:
        assert server.get("/readyz").status_code == 200
        async with client_of_ending_server(client_of(server, mode=mode)) as client, anyio.create_task_group() as tasks:
            if mode == "auto":  # legacy clients open a stream at the start
                await tasks.start(listen, client)
            await (
                client.list_tools()
            )  # else it requests the schema of the result when the server no longer accepts requests

            async def call() -> None:
                answers.append(await client.call_tool("slow", {"began": str(began), "pipe": str(pipe)}))

            tasks.start_soon(call)
            await appears(began)
            server.process.send_signal(signal.SIGTERM)
            found = await refuses_connections(server)
            assert found == sorted(found)  # 200 until it has received the signal, then only 503
            assert set(found) <= {200, 503}
            assert not answers
            pipe.write_text("waited")
            code = await until_ended(server.process)  # and nothing else is waited for
        assert text_of(answers[0]) == "waited"
        assert code == EXIT[kind]
        assert "Traceback" not in server.log
        assert "ERROR" not in server.log


async def call_without_answer(server, began) -> None:
    """Make a call that is never answered; errors of the client are ignored."""
    with contextlib.suppress(Exception, BaseExceptionGroup):
        async with client_of(server, mode="legacy") as client:
            await client.call_tool("slow", {"began": str(began)})


SHORT_AND_LONG = ["serve", "wrap", pytest.param("sse", marks=pytest.mark.long)]


@pytest.mark.parametrize("kind", SHORT_AND_LONG)
async def test_a_call_that_exceeds_the_shutdown_timeout_is_cancelled(kind, tmp_path):
    began = tmp_path / "began"
    with served(kind, tmp_path, *flags_of(kind), "--shutdown-timeout", "1") as server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call_without_answer, server, began)
            await appears(began)
            server.process.send_signal(signal.SIGTERM)
            # If closing takes too long on a busy machine, it is ended by force, with the other of the two codes.
            assert await until_ended(server.process) in {EXIT[kind], 128 + signal.SIGTERM}
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("kind", SHORT_AND_LONG)
async def test_a_second_signal_ends_the_server_immediately(kind, tmp_path):
    began = tmp_path / "began"
    with served(kind, tmp_path, *flags_of(kind), "--shutdown-timeout", "60") as server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call_without_answer, server, began)
            await appears(began)
            server.process.send_signal(signal.SIGTERM)
            await refuses_connections(server)
            assert server.process.poll() is None
            server.process.send_signal(signal.SIGTERM)
            assert await until_ended(server.process) == EXIT[kind]
            tasks.cancel_scope.cancel()


def test_an_idle_server_ends_immediately_and_an_interrupt_has_its_exit_code(tmp_path):
    with served("serve", tmp_path) as server, httpx2.Client() as client:
        client.get(server.base + "/healthz")  # a connection that stays open
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(5) == 130
        assert server.log == f"coatcheck: listening on {server.mcp}\n"
