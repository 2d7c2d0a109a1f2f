"""A connection over the older HTTP+SSE transport: a stream of events, and an endpoint for POST requests."""

import asyncio
import logging
from typing import Any

import httpx2

from coatcheck.proxy.jsonrpc import error_response, is_request, parse, to_line
from coatcheck.proxy.upstreams.base import OnEnd, OnMessage, OnPressure, no_pressure
from coatcheck.proxy.upstreams.http_client import (
    HttpConnection,
    not_mcp,
    one_line,
    read_body,
    read_events,
    refusal,
    same_origin,
    unreachable,
)

logger = logging.getLogger(__name__)

ENDPOINT_TIMEOUT = 10.0
"""Seconds within which a server must name its endpoint."""
NOT_SSE = frozenset({400, 405, 406})
"""With these a server of the other transport refuses to open a stream."""


class SseConnection(HttpConnection):
    """A connection to a URL with a stream of events; see ``HttpConnection`` for its arguments."""

    sends_separately = True

    def start(self, on_message: OnMessage, on_end: OnEnd, on_pressure: OnPressure = no_pressure) -> None:
        """Open the stream; see `UpstreamConnection`."""
        self._open_client(on_message, on_pressure)
        self._on_end, self._closed = on_end, False
        loop = asyncio.get_running_loop()
        self._endpoint: asyncio.Future[str] = loop.create_future()
        self._reading = loop.create_task(self._read_stream())
        self._posts: set[asyncio.Task[None]] = set()
        self._before: asyncio.Task[None] | None = None

    async def wait_for_endpoint(self) -> bool:
        """Wait until the server has named its endpoint; return whether it did."""
        either: set[asyncio.Future[Any]] = {self._endpoint, self._reading}
        await asyncio.wait(either, timeout=ENDPOINT_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        return self._endpoint.done()

    def send(self, line: bytes, message: Any = None) -> None:
        """Send a line; see `UpstreamConnection`."""
        message = parse(line) if message is None else message
        self._count_unsent(line, len(line))
        post = asyncio.get_running_loop().create_task(self._post(line, message, self._before))
        self._posts.add(post)
        post.add_done_callback(self._posts.discard)
        if not is_request(message):
            self._before = post  # It has no response to wait for, and must still arrive before later messages.

    async def finish(self) -> None:
        """Wait until all messages have been sent; see `UpstreamConnection`."""
        if self._posts:
            await asyncio.wait(set(self._posts))

    async def close(self) -> None:
        """Close the stream; see `UpstreamConnection`."""
        self._closed = True
        if hasattr(self, "_reading"):
            tasks = [self._reading, *self._posts]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._client.aclose()

    async def _read_stream(self) -> None:
        try:
            async with self._client.stream("GET", self._url, headers={"accept": "text/event-stream"}) as response:
                if response.is_error or response.is_redirect:
                    other = response.status_code in NOT_SSE
                    self._end(refusal(self.name, response) + other * " Leave out --sse if it uses streamable HTTP.")
                    return
                kind = response.headers.get("content-type", "").partition(";")[0].strip()
                if kind.lower() != "text/event-stream":
                    self._end(not_mcp(self.name, kind))
                    return
                deadline = asyncio.get_running_loop().call_later(ENDPOINT_TIMEOUT, self._check_endpoint)
                async for event in read_events(response):
                    await self.flow.may_read.wait()
                    if event.event == "endpoint" and not self._endpoint.done():
                        deadline.cancel()
                        self._endpoint.set_result(self._checked(str(response.url.join(event.data.strip()))))
                    elif event.event == "message" and event.data:
                        self._on_message(one_line(event.data.encode()), None)
            self._end(f"The server {self.name} closed the connection.")
        except (httpx2.HTTPError, httpx2.SSEError, httpx2.InvalidURL, OSError, ValueError) as error:
            self._end(unreachable(self.name, error))
        except Exception:
            logger.exception("The stream of %s failed", self.name)
            self._end(f"The stream of the server {self.name} failed.")

    def _checked(self, endpoint: str) -> str:
        if not same_origin(str(self._url), endpoint):
            raise ValueError("it requests messages to be sent to another server")
        return endpoint

    def _check_endpoint(self) -> None:
        if not self._endpoint.done():
            self._end(f"The server {self.name} named no endpoint within {ENDPOINT_TIMEOUT:g} s.")

    async def _post(self, line: bytes, message: Any, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:
                await asyncio.wait({before})
            endpoint = await asyncio.shield(self._endpoint)
            headers = {"content-type": "application/json"}
            async with self._client.stream("POST", endpoint, content=line.strip(), headers=headers) as response:
                if response.is_error or response.is_redirect:
                    self._fail(message, refusal(self.name, response))
                    return
                kind = response.headers.get("content-type", "").partition(";")[0].strip()
                if is_request(message) and kind.lower() == "application/json":
                    self._on_message(one_line(await read_body(response)), None)  # Some servers respond here.
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            self._fail(message, unreachable(self.name, error))
        except Exception:
            logger.exception("A message could not be sent to %s", self.name)
            self._fail(message, f"The message could not be sent to the server {self.name}.")
        finally:
            self._count_unsent(line, -len(line))

    def _fail(self, message: Any, text: str) -> None:
        if is_request(message):
            self._on_message(to_line(error_response(message["id"], text)), None)

    def _end(self, text: str) -> None:
        if not self._closed:
            self._closed = True
            self._on_end(text)
