"""``/healthz`` and ``/readyz`` of the real commands, with a real Redis that stops and restarts."""

import asyncio
import gc
from uuid import uuid4

import anyio
import httpx2
import pytest
from anyio.lowlevel import checkpoint
from mcp.server import MCPServer
from starlette.applications import Starlette

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.monitoring import Health
from coatcheck.monitoring.http_routes import add_monitoring, monitoring_routes
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
from tests.fault_proxy import fault_proxy
from tests.monitoring.running import KINDS, served

pytestmark = pytest.mark.anyio


async def ask(application, path: str, method: str = "GET") -> httpx2.Response:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=application), base_url="http://anything.example"
    ) as client:
        return await client.request(method, path)


def test_a_server_is_alive_and_ready_without_a_token_and_reveals_nothing_else(protected):
    assert httpx2.get(protected.mcp, timeout=10).status_code == 401
    alive, ready = protected.get("/healthz"), protected.get("/readyz")
    assert (alive.status_code, alive.text) == (200, "alive\n")
    assert (ready.status_code, ready.text) == (200, "ready\n")
    assert httpx2.head(protected.base + "/readyz").status_code == 200
    assert httpx2.post(protected.base + "/readyz").status_code == 405


@pytest.mark.parametrize("kind", KINDS)
def test_readiness_follows_the_store_and_reveals_no_host(kind, own_redis, tmp_path):
    with fault_proxy(own_redis.port) as network:
        environment = {
            "COATCHECK_OBJECT_STORE_BACKEND": "redis",
            "COATCHECK_REDIS_URL": f"redis://127.0.0.1:{network.port}/0",
            "COATCHECK_REDIS_PREFIX": f"{uuid4()}:",
        }
        with served(kind, tmp_path, **environment) as server:
            assert server.get("/readyz").status_code == 200
            for trouble in (network.refuse, network.silence):
                trouble()
                answer = server.get("/readyz")
                assert (answer.status_code, answer.text) == (503, "not ready: the store does not answer\n")
                assert server.get("/healthz").status_code == 200
                network.heal()
                assert server.get("/readyz").status_code == 200


class HangingBackend(InMemoryBackend):
    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def aping(self) -> None:
        self.asked += 1
        await anyio.sleep_forever()


async def test_a_hanging_store_is_pinged_once_for_concurrent_requests():
    backend = HangingBackend()
    health = Health(lambda: ObjectStore(backend), seconds=0.05)
    answers = await asyncio.gather(*(health.why_not_ready() for _ in range(20)))
    assert set(answers) == {"the store has not answered for 0.05 s"}
    assert await health.why_not_ready() == answers[0]
    assert backend.asked == 1


async def test_a_late_ping_failure_is_not_reported_by_the_event_loop():
    class LateBackend(InMemoryBackend):
        def __init__(self) -> None:
            super().__init__()
            self.may_fail, self.failed = asyncio.Event(), asyncio.Event()

        async def aping(self) -> None:
            await self.may_fail.wait()
            self.failed.set()
            raise ObjectStoreUnavailable("gone")

        async def fail(self) -> None:
            self.may_fail.set()
            await self.failed.wait()
            for _ in range(5):  # until the loop has processed it
                await checkpoint()
            self.may_fail.clear()
            self.failed.clear()

    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["message"]))
    backend = LateBackend()
    health = Health(lambda: ObjectStore(backend), seconds=0.01)
    assert await health.why_not_ready() == "the store has not answered for 0.01 s"
    await backend.fail()
    assert await health.why_not_ready() == "the store has not answered for 0.01 s"
    gc.collect()
    assert complaints == []
    await backend.fail()


async def test_a_custom_server_gets_the_routes():
    container = Container(settings=Settings())
    server = MCPServer("mine")
    add_monitoring(server, container)
    for application in (Starlette(routes=monitoring_routes(container)), server.streamable_http_app()):
        assert (await ask(application, "/healthz")).text == "alive\n"
        assert (await ask(application, "/readyz")).text == "ready\n"
    container.health().end()
    assert (await ask(server.streamable_http_app(), "/readyz")).text == "not ready: the server is ending\n"
    assert (await ask(server.streamable_http_app(), "/healthz")).status_code == 200


async def test_the_message_of_a_broken_store_is_not_revealed(caplog):
    class BrokenBackend(InMemoryBackend):
        def ping(self) -> None:
            raise RuntimeError("password at host.example")

    container = Container(settings=Settings(), backend=BrokenBackend())
    answer = await ask(Starlette(routes=monitoring_routes(container)), "/readyz")
    assert (answer.status_code, answer.text) == (503, "not ready: the store does not answer\n")
