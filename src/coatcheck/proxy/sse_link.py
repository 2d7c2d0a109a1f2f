"""A link to a server by the older transport over HTTP: one stream of events, and an address to post to."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
from httpx2 import EventSource

from coatcheck.proxy.links import OnEnd, OnMessage
from coatcheck.proxy.messages import error_response, is_request, parse, to_line
from coatcheck.proxy.web import open_client, refusal, same_origin


class SseLink:
    """A link to one URL that gives a stream of events.

    Args:
        url: The address of the stream.
        name: The address as it may be shown.
        headers: Headers of every request.
        ca_file: Certificates to trust in place of the usual ones.
    """

    def __init__(self, url: str, name: str, headers: Mapping[str, str], ca_file: Path | None = None) -> None:
        self.name = name
        self._url = url
        self._given = headers
        self._ca_file = ca_file
        self._closed = False

    def start(self, on_message: OnMessage, on_end: OnEnd) -> None:
        """Open the stream; see ``Link``."""
        self._on_message, self._on_end = on_message, on_end
        loop = asyncio.get_running_loop()
        self._endpoint: asyncio.Future[str] = loop.create_future()
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._client = open_client(self._given, self._ca_file)
        self._tasks = [loop.create_task(self._hear()), loop.create_task(self._post_all())]

    def send(self, line: bytes) -> None:
        """Send a line; see ``Link``."""
        self._waiting.put_nowait(line)

    async def finish(self, seconds: float) -> None:
        """Wait until what was sent has been taken; see ``Link``."""
        await asyncio.wait({asyncio.ensure_future(self._waiting.join())}, timeout=seconds)

    async def close(self) -> None:
        """Close the stream; see ``Link``."""
        self._closed = True
        if hasattr(self, "_tasks"):
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._client.aclose()

    async def _hear(self) -> None:
        try:
            async with self._client.stream("GET", self._url, headers={"accept": "text/event-stream"}) as response:
                if response.is_error or response.is_redirect:
                    self._end(refusal(self.name, response))
                    return
                async for event in EventSource(response, max_event_size=None):
                    if event.event == "endpoint" and not self._endpoint.done():
                        self._endpoint.set_result(self._checked(str(response.url.join(event.data.strip()))))
                    elif event.event == "message" and event.data:
                        self._on_message(to_line(parse(event.data.encode())), None)
            self._end(f"The server {self.name} closed the connection.")
        except (httpx2.HTTPError, OSError, ValueError) as error:
            self._end(f"The server {self.name} cannot be reached: {str(error) or type(error).__name__}.")

    def _checked(self, endpoint: str) -> str:
        if not same_origin(self._url, endpoint):
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
            except (httpx2.HTTPError, OSError) as error:
                self._fail(parse(line), f"The server {self.name} cannot be reached: {error}.")
            finally:
                self._waiting.task_done()

    def _fail(self, message: Any, text: str) -> None:
        if is_request(message):
            self._on_message(to_line(error_response(message["id"], text)), None)

    def _end(self, text: str) -> None:
        if not self._closed:
            self._closed = True
            self._on_end(text)
