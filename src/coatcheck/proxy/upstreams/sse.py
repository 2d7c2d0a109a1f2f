"""A connection over the older HTTP+SSE transport: a stream of events, and an endpoint for POST requests."""

import asyncio
from typing import Any

import httpx2
from httpx2 import EventSource

from coatcheck.proxy.jsonrpc import error_response, is_request, parse, to_line
from coatcheck.proxy.upstreams.base import OnEnd, OnMessage, OnPressure, no_pressure
from coatcheck.proxy.upstreams.http_client import (
    MAX_RESPONSE_BYTES,
    HttpConnection,
    check_encoding,
    not_mcp,
    one_line,
    refusal,
    same_origin,
    unreachable,
)

ENDPOINT_TIMEOUT = 10.0
"""Seconds within which a server must name its endpoint."""


class SseConnection(HttpConnection):
    """A connection to a URL with a stream of events; see ``HttpConnection`` for its arguments."""

    sends_separately = True

    def start(self, on_message: OnMessage, on_end: OnEnd, on_pressure: OnPressure = no_pressure) -> None:
        """Open the stream; see `UpstreamConnection`."""
        self._open_client(on_message, on_pressure)
        self._on_end, self._closed = on_end, False
        loop = asyncio.get_running_loop()
        self._endpoint: asyncio.Future[str] = loop.create_future()
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._tasks = [loop.create_task(self._read_stream()), loop.create_task(self._post_all())]

    async def wait_for_endpoint(self) -> bool:
        """Wait until the server has named its endpoint; return whether it did."""
        hearing = self._tasks[0]
        either: set[asyncio.Future[Any]] = {self._endpoint, hearing}
        await asyncio.wait(either, timeout=ENDPOINT_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        return self._endpoint.done()

    def send(self, line: bytes, message: Any = None) -> None:
        """Send a line; see `UpstreamConnection`."""
        del message
        self._waiting.put_nowait(line)
        self._count_unsent(line, len(line))

    async def finish(self) -> None:
        """Wait until all messages have been sent; see `UpstreamConnection`."""
        await self._waiting.join()

    async def close(self) -> None:
        """Close the stream; see `UpstreamConnection`."""
        self._closed = True
        if hasattr(self, "_tasks"):
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._client.aclose()

    async def _read_stream(self) -> None:
        try:
            async with self._client.stream("GET", self._url, headers={"accept": "text/event-stream"}) as response:
                if response.is_error or response.is_redirect:
                    self._end(refusal(self.name, response))
                    return
                kind = response.headers.get("content-type", "").partition(";")[0].strip()
                if kind.lower() != "text/event-stream":
                    self._end(not_mcp(self.name, kind))
                    return
                check_encoding(response)
                async for event in EventSource(response, max_event_size=MAX_RESPONSE_BYTES):
                    await self.flow.may_read.wait()
                    if event.event == "endpoint" and not self._endpoint.done():
                        self._endpoint.set_result(self._checked(str(response.url.join(event.data.strip()))))
                    elif event.event == "message" and event.data:
                        self._on_message(one_line(event.data.encode()), None)
            self._end(f"The server {self.name} closed the connection.")
        except (httpx2.HTTPError, httpx2.SSEError, httpx2.InvalidURL, OSError, ValueError) as error:
            self._end(unreachable(self.name, error))

    def _checked(self, endpoint: str) -> str:
        if not same_origin(str(self._url), endpoint):
            raise ValueError("it wants messages sent to another server")
        return endpoint

    async def _post_all(self) -> None:
        endpoint = await self._endpoint
        while True:
            line = await self._waiting.get()
            try:
                response = await self._client.post(
                    endpoint, content=line.strip(), headers={"content-type": "application/json"}
                )
                if response.is_error or response.is_redirect:
                    self._fail(parse(line), refusal(self.name, response))
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
                self._fail(parse(line), unreachable(self.name, error))
            finally:
                self._waiting.task_done()
                self._count_unsent(line, -len(line))

    def _fail(self, message: Any, text: str) -> None:
        if is_request(message):
            self._on_message(to_line(error_response(message["id"], text)), None)

    def _end(self, text: str) -> None:
        if not self._closed:
            self._closed = True
            self._on_end(text)
