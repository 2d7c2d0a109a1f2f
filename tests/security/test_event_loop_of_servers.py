"""The same through real servers: small calls over the pipe on which another caller's 300 000 rows are processed."""

import re
from pathlib import Path

import pytest
from bench.large_work import SERVERS, meanwhile, server_with_rows, steps

pytestmark = pytest.mark.anyio

LONG = 0.5
"""Seconds that a step takes at least for a claim to be made about it."""
FEWEST = 4
"""Small calls, one after the other, that are answered meanwhile; if a step held them up, one or two would be."""


@pytest.mark.parametrize("server", SERVERS)
async def test_small_calls_are_answered_while_large_results_and_references_pass(server, tmp_path: Path):
    async with server_with_rows(server, tmp_path) as client:
        small = re.search(r"obj_\w+", await client.call("object_store_put", value={"a": [1, 2, 3]})).group()
        said, held = {}, {}
        for step, work in steps(client, server, repeats=1).items():
            found = await meanwhile(lambda: client.call("object_store_get", object_id=small, path="a[1]"), work())
            said[step] = found.result
            if found.seconds > LONG and len(found.waits) < FEWEST:
                held[step] = f"{len(found.waits)} small calls were answered in {found.seconds:.2f} s"
        assert "300,000 items" in said["previewed"]
        assert said["looked into"] == "user 299999"
        assert said["referenced by path"] == "1000 items"
        assert said["referenced as a whole"] == "300000 items"
        assert not held
