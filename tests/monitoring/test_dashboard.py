"""The dashboard and the documented metrics agree with the metrics of real servers."""

import contextlib
import json
import re
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import anyio
import httpx2
import pytest

from tests.debian_packages import debian_program
from tests.monitoring.connecting import client_of
from tests.monitoring.running import Served, served
from tests.monitoring.scraping import samples_of
from tests.ports import free_port
from tests.results import reference_in, text_of

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
DASHBOARD = json.loads((ROOT / "examples" / "grafana" / "coatcheck.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
START_SECONDS = 60.0


async def generate_traffic(server: Served) -> None:
    """Cause every kind of event that is counted."""
    async with client_of(server) as client:
        reference = reference_in(text_of(await client.call_tool("many", {"rows": 2000})))
        await client.call_tool("object_store_get", {"object_id": reference})
        await client.call_tool("object_store_get", {"object_id": "obj_nothing"})
        await client.call_tool("object_store_query", {"object_id": reference, "filter": "[range(1e9)]"})


@pytest.fixture(scope="module")
def servers(redis_server, tmp_path_factory):
    """A server over Redis and one over memory: no single store has all metrics."""
    folder = tmp_path_factory.mktemp("servers")
    redis = {
        "COATCHECK_OBJECT_STORE_BACKEND": "redis",
        "COATCHECK_REDIS_URL": redis_server.url,
        "COATCHECK_REDIS_TIMEOUT": "15",
        "COATCHECK_REDIS_PREFIX": f"{uuid4()}:",
    }
    flags = ["--toolset", "slow_server:toolset"]
    with (
        served("serve", folder, *flags, COATCHECK_SANDBOX_TIMEOUT="0.2", **redis) as first,
        served("serve", folder, *flags, COATCHECK_SANDBOX_TIMEOUT="0.2") as second,
    ):
        yield [first, second]


@pytest.fixture(scope="module")
def samples(servers):
    for server in servers:
        anyio.run(generate_traffic, server)
    return [sample for server in servers for sample in samples_of(server.get("/metrics").text)]


def metrics_in_query(query: str) -> list[tuple[str, set[str]]]:
    """The metrics of a query, each with the labels that it matches or groups by."""
    grouped = {label.strip() for inside in re.findall(r"\bby \(([^)]*)\)", query) for label in inside.split(",")}
    return [
        (name, grouped | set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers or "")))
        for name, matchers in re.findall(r"\b((?:coatcheck|process)_\w+)(?:\{([^}]*)\})?", query)
    ]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_uses_existing_metrics_and_labels(query, samples):
    asked = metrics_in_query(query)
    assert asked
    for name, labels in asked:
        found = [sample for sample in samples if sample.name == name]
        assert found, name
        # Prometheus itself adds the labels of the target.
        assert labels - {"instance", "job"} <= found[0].labels.keys(), name


def test_the_label_values_of_queries_exist(samples):
    wanted = {pair for query in QUERIES for pair in re.findall(r'(\w+)="(\w+)"', query)}
    assert wanted
    assert wanted <= {pair for sample in samples for pair in sample.labels.items()}


def test_the_documented_metrics_are_the_existing_ones(samples):
    page = (ROOT / "docs" / "operations.md").read_text()
    documented = dict(re.findall(r"^\| `(coatcheck_\w+)` \|([^|]*)\|", page, flags=re.MULTILINE))
    real: dict[str, set[str]] = {}
    for sample in samples:
        if sample.name.startswith("coatcheck_") and not sample.name.endswith("_created"):
            name = re.sub(r"_seconds_(bucket|count|sum)$", "_seconds", sample.name)
            real.setdefault(name, set()).update(sample.labels.keys() - {"le"})
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in documented.items()} == real


def runnable(query: str) -> str:
    return query.replace("$__rate_interval", "10s").replace("$__range", "60s").replace("$instance", ".*")


@contextlib.contextmanager
def prometheus(targets: list[str], folder: Path):
    """A real Prometheus that scrapes the targets each quarter of a second; yields its address."""
    (folder / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"},
                "scrape_configs": [{"job_name": "coatcheck", "static_configs": [{"targets": targets}]}],
            }
        )
    )
    port = free_port()
    program = debian_program("prometheus", "usr/bin/prometheus")
    with (folder / "said").open("wb") as output:
        process = subprocess.Popen(
            [program.path]
            + [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
            + [f"--web.listen-address=127.0.0.1:{port}"],
            stdout=output,
            stderr=output,
            env=program.environment,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.long
async def test_a_real_prometheus_answers_every_query(servers, tmp_path):
    with prometheus([server.base.removeprefix("http://") for server in servers], tmp_path) as address:
        unanswered = set(QUERIES)
        ends = time.monotonic() + START_SECONDS
        while unanswered:
            for server in servers:
                await generate_traffic(server)
            for query in sorted(unanswered):
                with contextlib.suppress(httpx2.TransportError):
                    answer = httpx2.get(f"{address}/api/v1/query", params={"query": runnable(query)}, timeout=10).json()
                    assert answer["status"] == "success", answer
                    values = [float(one["value"][1]) for one in answer["data"]["result"]]
                    if values and all(value == value for value in values):  # noqa: PLR0124 - no NaN among them
                        unanswered.discard(query)
            assert time.monotonic() < ends, unanswered
