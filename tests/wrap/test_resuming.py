"""A client of the 2025 revisions can fetch missed events after its stream was cut."""

import json
from contextlib import asynccontextmanager

import anyio
import httpx2
import pytest
from anyio.lowlevel import checkpoint
from httpx2 import EventSource
from mcp_types import JSONRPCNotification, JSONRPCResponse

from coatcheck.proxy.front.event_store import MAX_BYTES, MAX_EVENTS, SessionEvents
from tests.waiting import until
from tests.wrap.running import FEATURES, wrapped_over_http

pytestmark = pytest.mark.anyio
VERSION = "2025-11-25"


@pytest.fixture(scope="module")
def url():
    with wrapped_over_http("--never-keep", "*", "--", *FEATURES, "stdio") as (_, url, _log):
        yield url


class RawSession:
    """A session whose streams can be cut."""

    def __init__(self, http: httpx2.AsyncClient, url: str) -> None:
        self.http, self.url = http, url
        self.headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": VERSION}

    async def open(self) -> "RawSession":
        params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        answer = await self.http.post(self.url, json=hello, headers=self.headers)
        self.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        started = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await self.http.post(self.url, json=started, headers=self.headers)
        return self

    @asynccontextmanager
    async def calling(self, tool: str, **arguments):
        params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        async with self.http.stream("POST", self.url, json=call, headers=self.headers) as response:
            yield EventSource(response, max_event_size=None)

    async def fetch_missed(self, last_id: str) -> list[dict]:
        """Fetch the events after an event, up to the response or the end."""
        headers = {**self.headers, "accept": "text/event-stream", "last-event-id": last_id}
        found = []
        async with self.http.stream("GET", self.url, headers=headers) as response:
            async for event in EventSource(response, max_event_size=None):
                if event.data:
                    found.append(json.loads(event.data))
                if found and found[-1].get("id") == 1:
                    break
        return found


@asynccontextmanager
async def session(url: str):
    async with httpx2.AsyncClient(timeout=30) as http:
        yield await RawSession(http, url).open()


async def test_events_missed_while_the_stream_was_cut_are_fetched_once(url):
    with anyio.fail_after(60):
        async with session(url) as client, session(url) as other:
            seen, last = [], ""
            async with client.calling("steps", count=30) as events:
                async for event in events:
                    last = event.id
                    assert last
                    if event.data:
                        seen.append(json.loads(event.data)["params"]["progress"])
                    if len(seen) == 3:
                        break
            *notifications, answer = await client.fetch_missed(last)
            seen += [message["params"]["progress"] for message in notifications]
            assert seen == list(range(1, 31))
            assert answer["result"]["content"][0]["text"] == "done"
            assert await other.fetch_missed(last) == []


async def test_a_response_too_large_to_be_kept_is_replaced_by_an_error(url):
    with anyio.fail_after(60):
        async with session(url) as client:
            async with client.calling("text", size=MAX_BYTES + 1) as events:
                async for event in events:
                    first = event.id  # The initial event only; the response is not read.
                    break
            await client.fetch_missed(first)  # the response has been sent by now, before or in this stream
            (answer,) = await client.fetch_missed(first)
            assert "ask again" in answer["error"]["message"]


async def test_the_kept_events_of_a_session_are_bounded():
    kept = SessionEvents()
    first = await kept.store_event("1", None)
    for number in range(3 * MAX_EVENTS):
        message = JSONRPCNotification(jsonrpc="2.0", method="notifications/x", params={"n": number})
        kept.expect(message, MAX_BYTES // 100)
        last = await kept.store_event("1", message)
    heard = []

    async def hear(event) -> None:
        heard.append(event.message)

    async with anyio.create_task_group() as group:
        assert await kept.replay_events_after(first, hear) is None
        assert heard == []
        before = f"{last.partition('-')[0]}-{int(last.partition('-')[2]) - 500}"
        group.start_soon(kept.replay_events_after, before, hear)
        await until(lambda: len(heard) == 100, "the kept events were sent")
        assert [message.params["n"] for message in heard] == list(range(3 * MAX_EVENTS - 100, 3 * MAX_EVENTS))
        answer = JSONRPCResponse(jsonrpc="2.0", id=1, result={})
        end = await kept.store_event("1", answer)
        assert heard[100:] == [answer]
    assert await kept.replay_events_after(last, hear) is None
    assert heard[101:] == [answer]
    assert await kept.replay_events_after(end, hear) is None  # nothing follows the response
    assert heard[102:] == []


async def test_events_during_a_replay_follow_in_order_and_none_is_lost():
    kept, heard = SessionEvents(), []
    first = await kept.store_event("1", None)
    notes = [JSONRPCNotification(jsonrpc="2.0", method="notifications/x", params={"n": number}) for number in range(6)]
    for note in notes[:3]:
        await kept.store_event("1", note)

    async def receive_slowly(event) -> None:
        for _ in range(10):
            await checkpoint()
        heard.append(event.message)

    async with anyio.create_task_group() as group:
        group.start_soon(kept.replay_events_after, first, receive_slowly)
        await until(lambda: heard, "the first event was sent")
        for note in notes[3:]:
            await kept.store_event("1", note)
        await kept.store_event("2", JSONRPCNotification(jsonrpc="2.0", method="notifications/y"))
        kept.close()
    assert heard == notes


async def test_a_client_that_disconnects_during_a_replay_blocks_nothing():
    kept = SessionEvents()
    first = await kept.store_event("1", None)
    sender, receiver = anyio.create_memory_object_stream(0)
    note = JSONRPCNotification(jsonrpc="2.0", method="notifications/x")
    async with anyio.create_task_group() as group:
        group.start_soon(kept.replay_events_after, first, sender.send)
        await until(lambda: kept._followers, "the client has reconnected")
        await receiver.aclose()
        await kept.store_event("1", note)
    await sender.aclose()
    heard = []

    async def hear(event) -> None:
        heard.append(event.message)

    async with anyio.create_task_group() as group:
        group.start_soon(kept.replay_events_after, first, hear)
        await until(lambda: heard, "the events that the previous stream missed were sent")
        kept.end("1")
    assert heard == [note]
