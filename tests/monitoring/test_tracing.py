"""Spans around the store's operations, where the host has set up tracing, seen by a real exporter."""

import subprocess
import sys

import pytest
from mcp import Client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import ObjectNotFound, ObjectStoreUnavailable, ObjectTooLarge
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
from tests.results import reference_in, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def exporter():
    """Sets tracing up like a host; this is possible once in a process, so all tests share it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def spans(exporter):
    exporter.clear()
    return exporter.get_finished_spans


async def test_an_operation_is_a_span_within_that_of_the_sdks_request(spans):
    container = Container(settings=Settings())
    async with Client(container.server()) as client:
        stored = await client.call_tool("object_store_put", {"value": [1]})
        await client.call_tool("object_store_get", {"object_id": reference_in(text_of(stored))})
    found = {span.name: span for span in spans()}
    request = found["tools/call object_store_put"]
    put = found["object_store put"]
    assert put.parent.span_id == request.context.span_id
    assert put.instrumentation_scope.name == "coatcheck"
    assert dict(put.attributes) == {
        "coatcheck.operation": "put",
        "coatcheck.outcome": "ok",
        "coatcheck.bytes": put.attributes["coatcheck.bytes"],
    }
    assert put.attributes["coatcheck.bytes"] > 0
    assert put.status.is_unset
    assert found["object_store peek"].parent.span_id in {
        span.context.span_id for span in spans() if span.name == "tools/call object_store_get"
    }


async def test_failed_operations_are_marked_without_the_error_message(spans):
    class UnavailableBackend(InMemoryBackend):
        def get(self, key: str) -> bytes | None:
            raise ObjectStoreUnavailable("redis-canary.example:6379 does not answer")

    store = ObjectStore(UnavailableBackend(), max_object_bytes=10)
    with pytest.raises(ObjectStoreUnavailable):
        await store.aread("obj_canary")
    with pytest.raises(ObjectTooLarge):
        store.put("x" * 100)
    with pytest.raises(ObjectNotFound):
        ObjectStore(InMemoryBackend()).read("obj_canary")
    unavailable, large, missing = spans()
    assert unavailable.attributes["error.type"] == "ObjectStoreUnavailable"
    assert large.attributes["error.type"] == "ObjectTooLarge"
    assert not unavailable.status.is_ok
    assert not unavailable.status.is_unset
    assert missing.attributes["coatcheck.outcome"] == "missing"
    assert missing.status.is_unset
    assert "canary" not in "".join(span.to_json() for span in spans())


def test_without_tracing_no_span_is_created():
    program = (
        "from opentelemetry import trace\n"
        "from coatcheck.store.events import Observation, UNWATCHED\n"
        "assert Observation().watch('put') is UNWATCHED\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "observation = Observation()\n"
        "assert observation.watch('put') is UNWATCHED\n"
        "trace.set_tracer_provider(TracerProvider())\n"
        "assert observation.watch('put') is not UNWATCHED\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
