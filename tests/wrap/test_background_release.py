"""The parsed form of a long line is released in the background, once it is unused."""

import asyncio
import json
import sys

import anyio
import pytest
from anyio.lowlevel import checkpoint

from coatcheck.proxy import background_tasks as module
from coatcheck.proxy.background_tasks import BackgroundTasks

ROWS = [{"id": number, "name": f"user {number}"} for number in range(60_000)]
MANY = 59  # thousands of rows are parsed in windows, except the first and the last
LINE = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"rows": ROWS}}).encode()


@pytest.fixture
def record_frees(monkeypatch):
    """Record for each release the number of thousands of rows, and whether they had other references."""
    frees = []

    async def free_chunks(chunks):
        rows = [row for piece in chunks for row in piece]
        frees.append(
            (len(rows) // 1000, sys.getrefcount(rows[0]) > 3 if rows else False)
        )  # the piece, our list, the argument
        chunks.clear()

    monkeypatch.setattr(module, "free_chunks", free_chunks)
    return frees


def test_a_message_that_is_worked_with_is_freed_after_that(record_frees):
    assert len(LINE) > 1 << 20
    changes = []

    async def scenario():
        work = BackgroundTasks(lambda: changes.append(work.size))
        started = []

        async def use(message):
            for _ in range(10):
                await checkpoint()
            assert not any(rows for rows, _ in record_frees)
            assert message["result"]["rows"] == ROWS

        work.start_parsing(LINE, lambda message, line: started.append(work.start(use(message), len(line))))
        await work.finish()
        started[0].result()
        assert not work

    asyncio.run(scenario())
    assert [each for each in record_frees if each[0]] == [(MANY, False)]
    assert max(changes) <= 2 * len(LINE)
    assert changes[-1] == 0


def test_a_message_that_is_no_longer_used_is_freed_immediately(record_frees):
    taken = []

    async def scenario():
        work = BackgroundTasks(lambda: None)
        work.start_parsing(LINE, lambda message, line: taken.append(len(message["result"]["rows"])))
        await work.finish()

    asyncio.run(scenario())
    assert taken == [len(ROWS)]
    assert record_frees == [(MANY, False)]


def test_work_that_fails_or_is_cancelled_frees_it_too(record_frees):
    async def scenario():
        work = BackgroundTasks(lambda: None)
        started = []

        async def fail(message):
            assert message
            raise ValueError("as it happens")

        work.start_parsing(LINE, lambda message, line: started.append(work.start(fail(message), len(line))))
        await work.finish()
        assert isinstance(started[0].exception(), ValueError)

        async def hold(message):
            assert message
            await anyio.sleep_forever()

        work.start_parsing(LINE, lambda message, line: work.start(hold(message), len(line)).cancel())
        await work.finish()

    asyncio.run(scenario())
    assert [rows for rows, _ in record_frees if rows] == [MANY] * 2
