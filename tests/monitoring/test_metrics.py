"""``/metrics`` of the real commands with real clients, and of custom servers."""

import contextlib
import subprocess
import sys

import pytest
from mcp import Client
from mcp.server import MCPServer

from coatcheck.backends import InMemoryBackend, RedisBackend, SQLiteBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectNotFound, ObjectTooLarge, SandboxTimeout
from coatcheck.monitoring.metrics import LONGEST_NAME, MOST_TOOLS, Metrics
from coatcheck.server import attach
from coatcheck.settings import Settings
from tests.fault_proxy import fault_proxy
from tests.monitoring.connecting import client_of, flags_of
from tests.monitoring.running import KINDS, TOKEN, served
from tests.monitoring.scraping import samples_of, value_of
from tests.results import reference_in, text_of
from tests.waiting import until, wait_until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", KINDS)
async def test_kept_and_read_objects_are_counted(kind, tmp_path):
    with served(kind, tmp_path, *flags_of(kind)) as server:
        async with client_of(server) as client:
            await client.list_tools()
            answer = text_of(await client.call_tool("many", {"rows": 2000}))
            reference = reference_in(answer)
            await client.call_tool("object_store_get", {"object_id": reference})
            await client.call_tool("object_store_get", {"object_id": "@obj_nothing"})
            if kind == "wrap":
                await client.call_tool("nobody_lists_this", {"rows": 2})
        text = server.get("/metrics").text
        assert value_of(text, "coatcheck_store_operations_total", operation="put", outcome="ok") == 1
        assert value_of(text, "coatcheck_store_operation_seconds_count", operation="put") == 1
        assert value_of(text, "coatcheck_store_hits_total") >= 1
        assert value_of(text, "coatcheck_store_misses_total") >= 1
        assert value_of(text, "coatcheck_store_written_bytes_total") > 20_000
        assert value_of(text, "coatcheck_store_read_bytes_total") > 500
        assert value_of(text, "coatcheck_store_objects") == 1
        assert value_of(text, "coatcheck_store_bytes") > 20_000
        assert value_of(text, "coatcheck_store_evictions_total") == 0
        assert value_of(text, "coatcheck_results_total", tool="many", outcome="kept") == 1
        saved = value_of(text, "coatcheck_context_saved_characters_total", tool="many")
        # The SDK writes each row on separate lines, coatcheck does not; the rest is the preview.
        written = sum(
            len(f'{{\n  "row": {number}\n}}' if kind == "wrap" else f'{{"row":{number}}},') for number in range(2000)
        )
        assert written - 4_500 < saved < written
        assert value_of(text, "coatcheck_context_saved_tokens_total", tool="many") == saved / 4
        assert {sample.labels["tool"] for sample in samples_of(text) if "tool" in sample.labels} == {"many"}


async def test_the_routes_reveal_nothing_of_users_or_the_store(protected, redis_with_password):
    async with client_of(protected, TOKEN) as client:
        await client.list_tools()
        reference = reference_in(text_of(await client.call_tool("many", {"rows": 2000})))
    backend = RedisBackend(redis_with_password.url, prefix="prefix-canary-", timeout=15)
    (namespace,) = [key.split(":")[-2] for key in backend.scan("") if key.endswith(f":{reference[1:]}")]
    backend.close()
    assert len(namespace) > 10
    output = "".join(protected.get(path).text for path in ("/healthz", "/readyz", "/metrics"))
    assert 'tool="many"' in output
    port = redis_with_password.url.rpartition(":")[2].split("/")[0]
    for secret in ("canary", reference[1:], namespace, "127.0.0.1", "localhost", "p@ss", f":{port}"):
        assert secret not in output


async def test_unknown_callers_cannot_make_the_metrics_grow():
    container = Container(settings=Settings(inline_limit=10))
    server = MCPServer("mine")

    @server.tool()
    def listed() -> str:
        return "long enough to be kept " * 100

    attach(server, container)
    metrics = container.metrics()
    async with Client(server) as client:
        await client.call_tool("listed", {})
        for number in range(20):
            await client.call_tool(f"thought_of_{number}", {})
    interceptor = container.interceptor()
    large = {"content": [{"type": "text", "text": "x" * 5000}]}
    for number in range(20):
        await interceptor.result(f"thought_of_{number}", large)
    for number in range(2 * MOST_TOOLS):
        metrics.tool_result(f"listed_{number}", kept=True, saved=1)
    metrics.tool_result("n" * (LONGEST_NAME + 1), kept=True, saved=1)
    text = metrics.exposition().decode()
    tools = {sample.labels["tool"] for sample in samples_of(text) if "tool" in sample.labels}
    assert len(tools) == MOST_TOOLS + 1
    assert "listed" in tools
    assert not any("thought_of" in tool or "nnn" in tool for tool in tools)
    assert value_of(text, "coatcheck_results_total", tool="other", outcome="kept") == 20 + MOST_TOOLS + 1 + 1


async def test_failures_have_separate_outcomes():
    container = Container(settings=Settings(max_object_bytes=100))
    metrics, store = container.metrics(), container.store()
    for _ in range(2):
        with pytest.raises(ObjectTooLarge):
            store.put("x" * 200)
    with pytest.raises(ObjectNotFound):
        await store.aread("obj_nothing")
    assert not store.delete("obj_nothing")
    name = await store.aput("small")
    assert await store.adelete(name)
    await store.alist()
    text = metrics.exposition().decode()
    for operation, outcome, count in (
        ("put", "refused", 2),
        ("put", "ok", 1),
        ("get", "missing", 1),
        ("delete", "missing", 1),
        ("delete", "ok", 1),
        ("list", "ok", 1),
    ):
        assert value_of(text, "coatcheck_store_operations_total", operation=operation, outcome=outcome) == count
    assert value_of(text, "coatcheck_store_misses_total") == 1
    assert value_of(text, "coatcheck_store_hits_total") == 0


async def test_a_result_that_the_store_refuses_counts_as_not_kept():
    container = Container(settings=Settings(max_object_bytes=100))
    metrics = container.metrics()
    container.explorable()(lambda: "x" * 50_000)()
    text = metrics.exposition().decode()
    assert [
        (sample.labels["outcome"], sample.value)
        for sample in samples_of(text)
        if sample.name == "coatcheck_results_total"
    ] == [("not_kept", 1)]


async def test_the_breaker_shows_and_closes_again(own_redis):
    with fault_proxy(own_redis.port) as network:
        container = Container(
            settings=Settings(object_store_backend="redis", redis_url=f"redis://127.0.0.1:{network.port}/0")
        )
        metrics, store = container.metrics(), container.store()

        def is_open() -> float | None:
            return value_of(metrics.exposition().decode(), "coatcheck_store_breaker_open")

        await store.aput(1)
        assert is_open() == 0
        network.refuse()
        for _ in range(4):
            await container.explorer().akeep("x", "tool")
        assert is_open() == 1
        text = metrics.exposition().decode()
        assert value_of(text, "coatcheck_store_operations_total", operation="put", outcome="unavailable") == 4
        assert value_of(text, "coatcheck_store_objects") is None
        network.heal()
        await until(lambda: not is_open(), "the breaker closes")
        await container.exit_stack().aclose()


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_evictions_and_expirations_are_those_of_the_backend(kind, tmp_path):
    backend = (
        InMemoryBackend(max_namespace_objects=2)
        if kind == "memory"
        else SQLiteBackend(tmp_path / "objects.sqlite", max_namespace_objects=2)
    )
    with contextlib.closing(backend):
        container = Container(settings=Settings(), backend=backend)
        metrics = container.metrics()
        backend.set("obj_0", b"soon gone", 0.01)
        wait_until(lambda: backend.get("obj_0") is None, "it has expired")
        for number in range(1, 5):
            backend.set(f"obj_{number}", b"12345", None)
        text = metrics.exposition().decode()
        assert value_of(text, "coatcheck_store_objects") == 2
        assert value_of(text, "coatcheck_store_bytes") == 10
        assert value_of(text, "coatcheck_store_evictions_total") == 2
        assert value_of(text, "coatcheck_store_expirations_total") == 1


@pytest.mark.parametrize("broken", [RuntimeError("no such table"), None])
def test_a_backend_with_broken_statistics_leaves_all_other_metrics(broken, caplog):
    class Custom(InMemoryBackend):
        def statistics(self):
            if broken:
                raise broken
            return ("not", "what", "was", "asked")

    container = Container(settings=Settings(), backend=Custom())
    metrics = container.metrics()
    container.store().put([1])
    text = metrics.exposition().decode()
    assert value_of(text, "coatcheck_store_operations_total", operation="put", outcome="ok") == 1
    assert "coatcheck_store_objects" not in text
    assert "Custom" in caplog.text


async def test_work_that_the_sandbox_stops_is_counted():
    container = Container(settings=Settings(sandbox_timeout=0.2))
    metrics = container.metrics()
    name = container.store().put([1])
    with pytest.raises(SandboxTimeout):
        await container.explorer().aquery(name, "[range(1e9)]")
    container.sandbox().close()
    assert value_of(metrics.exposition().decode(), "coatcheck_sandbox_stopped_total", reason="timeout") == 1


def test_nothing_is_counted_and_nothing_imported_before_it_is_requested():
    program = (
        # dependency-injector imports FastAPI if it is installed, and FastAPI imports OpenTelemetry.
        "import sys; sys.modules['fastapi'] = None\n"
        "from coatcheck.containers import Container; from coatcheck.settings import Settings\n"
        "container = Container(settings=Settings()); container.store().put(1)\n"
        "assert container.observation().observer is None\n"
        "assert not {'prometheus_client', 'opentelemetry.trace'} & set(sys.modules), sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_two_containers_share_nothing_and_a_part_can_be_exchanged():
    one, other = Container(settings=Settings()), Container(settings=Settings())
    one_metrics, other_metrics = one.metrics(), other.metrics()
    one.store().put(1)
    name = "coatcheck_store_operations_total"
    assert value_of(one_metrics.exposition().decode(), name, operation="put") == 1
    assert value_of(other_metrics.exposition().decode(), name, operation="put") is None
    mine = Metrics(one.backend)
    with one.metrics.override(mine):
        assert one.metrics() is mine


def test_without_the_package_the_route_says_what_to_install(tmp_path):
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('not here')\n")
    with served("serve", tmp_path, python=sys.executable, PYTHONPATH=str(tmp_path)) as server:
        answer = server.get("/metrics")
        assert answer.status_code == 501
        assert "pip install 'coatcheck[metrics]'" in answer.text
        assert server.get("/readyz").status_code == 200
