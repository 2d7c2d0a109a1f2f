"""Small calls to real servers are answered while another call on the same pipe processes 300 000 rows."""

import re
from pathlib import Path

import pytest
from bench.large_work import SERVERS, latencies_during, server_with_rows, steps

pytestmark = pytest.mark.anyio

LONG = 0.5
"""Steps that take fewer seconds are not checked."""
FEWEST = 4
"""Sequential small calls that must be answered during a step; if a step blocked them, one or two would be."""


@pytest.mark.parametrize(
    "server",
    # A gateway of one server runs the code of a wrapped server too; `test_event_loop.py` tests the other parts.
    [name if name == "gateway" else pytest.param(name, marks=pytest.mark.long) for name in SERVERS],
)
async def test_small_calls_are_answered_while_large_results_and_references_pass(server, tmp_path: Path):
    async with server_with_rows(server, tmp_path) as client:
        small = re.search(r"obj_\w+", await client.call("object_store_put", value={"a": [1, 2, 3]})).group()
        results, blocked = {}, {}
        for step, work in steps(client, server, repeats=1).items():
            measured = await latencies_during(
                work(), lambda: client.call("object_store_get", object_id=small, path="a[1]")
            )
            results[step] = measured.result
            if measured.seconds > LONG and len(measured.latencies) < FEWEST:
                blocked[step] = f"{len(measured.latencies)} small calls were answered in {measured.seconds:.2f} s"
        assert "300,000 items" in results["previewed"]
        assert results["read by path"] == "user 299999"
        assert results["referenced by path"] == "1000 items"
        assert results["referenced as a whole"] == "300000 items"
        assert not blocked
