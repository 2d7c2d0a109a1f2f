"""A connection over streamable HTTP, with a session (2025 revisions) or without one (2026-07-28)."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from coatcheck.codec import dump_json
from coatcheck.proxy.jsonrpc import (
    INTERNAL_ERROR,
    LONG_LINE,
    METHOD_NOT_FOUND,
    PROTOCOL_VERSION,
    Id,
    Message,
    error_response,
    id_of,
    is_modern,
    is_request,
    is_response,
    meta_of,
    parse,
    request_key,
    to_line,
)
from coatcheck.proxy.partial_parsing import find_response_id
from coatcheck.proxy.request_headers import RequestHeaders
from coatcheck.proxy.upstreams.base import OnEnd, OnMessage, OnPressure, no_pressure
from coatcheck.proxy.upstreams.http_client import (
    HttpConnection,
    not_mcp,
    one_line,
    read_body,
    read_events,
    refusal,
    unreachable,
)
from coatcheck.proxy.upstreams.sse import SseConnection

logger = logging.getLogger(__name__)

SESSION, VERSION = "mcp-session-id", "mcp-protocol-version"
NOT_FOUND, NOT_ALLOWED, ACCEPTED = 404, 405, 202
RECONNECTIONS = 5
RETRY_MILLISECONDS = 1_000
MAX_RETRY_MILLISECONDS = 30_000
"""Maximum wait before a stream is resumed, whatever the server requests."""
_BOTH = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


@dataclass(slots=True)
class _Reading:
    """The progress of reading a stream: whether the response was received, and otherwise how to resume."""

    answered: bool = False
    last_id: str = ""
    wait: int = RETRY_MILLISECONDS


class _SessionLostError(Exception):
    """The server has dropped our session."""


class StreamableHttpConnection(HttpConnection):
    """A connection to a URL; see ``HttpConnection`` for its arguments.

    If the server has dropped the session, a new one is opened with the same `initialize`, and the request is repeated.
    """

    sends_separately = True

    def __init__(
        self,
        url: str,
        name: str,
        headers: Mapping[str, str],
        ca_file: Path | None = None,
        auth: httpx2.Auth | None = None,
    ) -> None:
        super().__init__(url, name, headers, ca_file, auth)
        self._session: str | None = None
        self._version: str | None = None
        self._handshake_message: Message | None = None
        self._repeated_handshake: Message | None = None
        self._reopening: asyncio.Task[bool] | None = None
        self._headers = RequestHeaders()
        self._posts: dict[Id, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._before: asyncio.Task[Any] | None = None
        self._sse: SseConnection | None = None

    def start(self, on_message: OnMessage, on_end: OnEnd, on_pressure: OnPressure = no_pressure) -> None:
        """Prepare the connection, which the first message opens; see ``UpstreamConnection``."""
        self._on_end = on_end  # Called only for an SSE server; otherwise each request fails on its own.
        self._open_client(on_message, on_pressure)

    def send(self, line: bytes, message: Any = None) -> None:
        """Send a line; see `UpstreamConnection`."""
        if self._sse is not None:
            self._sse.send(line, message)
            return
        if message is None or self._headers.needs_full_parsing(message):
            message = parse(line)
        if isinstance(message, dict) and message.get("method") == "notifications/cancelled" and self._abort(message):
            return
        task = asyncio.get_running_loop().create_task(self._post(message, line, self._before))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        key = request_key(message)
        if key is None:
            self._before = task  # Messages without a response must still arrive before the following ones.
        else:
            self._posts[key] = task
            task.add_done_callback(lambda done: self._posts.get(key) is done and self._posts.pop(key))

    def _abort(self, cancelled: Message) -> bool:
        """Cancel a request of 2026-07-28 by closing its response; return whether this was done."""
        params = cancelled.get("params")
        key = id_of({"id": params.get("requestId")}) if isinstance(params, dict) else None
        post = self._posts.get(key) if key is not None else None
        if self._handshake_message is not None:
            return False
        if post is not None:
            post.cancel()
        return True

    async def finish(self) -> None:
        """Wait until all requests are answered; see `UpstreamConnection`."""
        if self._sse is not None:
            await self._sse.finish()
        posts = {*self._posts.values(), *([self._before] if self._before else [])}
        if posts:
            await asyncio.wait(posts)

    async def close(self) -> None:
        """Close all streams and end the session; see `UpstreamConnection`."""
        if not hasattr(self, "_client"):
            return
        if self._sse is not None:
            await self._sse.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        if self._session is not None:
            with suppress(httpx2.HTTPError, TimeoutError):
                await asyncio.wait_for(self._client.delete(self._url, headers=self._session_headers()), 2)
        await self._client.aclose()

    # One message

    async def _post(self, message: Any, body: bytes, before: asyncio.Task[Any] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        key = request_key(message)
        try:
            try:
                await self._exchange(message, body, key)
            except _SessionLostError:
                if not await self._reopen():
                    raise
                await self._exchange(message, body, key)
        except _SessionLostError:
            self._fail(message, f"The server {self.name} ended the session. Connect again.")
        except (httpx2.HTTPError, httpx2.SSEError, httpx2.InvalidURL, OSError, ValueError) as error:
            self._fail(message, unreachable(self.name, error))
        except Exception:
            logger.exception("The exchange with %s failed", self.name)
            self._fail(message, f"The exchange with the server {self.name} failed.")

    async def _exchange(self, message: Any, body: bytes, key: Id | None) -> None:
        if isinstance(message, dict) and message.get("method") == "initialize":
            self._handshake_message, self._session, self._version = message, None, None
        async with self._open("POST", self._request_headers(message), body) as response:
            if response.status_code == NOT_FOUND and self._session is not None and not is_modern(message):
                raise _SessionLostError
            if response.is_error or response.is_redirect:
                if not await self._falls_back_to_sse(response, message, body):
                    await self._refused(response, message)
            elif key is None:
                await read_body(response)
                if isinstance(message, dict) and message.get("method") == "notifications/initialized":
                    self._start_listening()
            elif response.status_code == ACCEPTED:
                self._fail(message, f"The server {self.name} accepted the request without a response.")
            else:
                if message["method"] == "initialize":
                    self._session = response.headers.get(SESSION)
                await self._read_response(response, message, key)

    async def _read_response(self, response: httpx2.Response, message: Message, key: Id) -> None:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            body = await read_body(response)
            await self.flow.may_read.wait()
            if not self._deliver(body, message, key):
                self._fail(
                    message, f"The server {self.name} answered with something that is not a response to the request."
                )
        elif kind == "text/event-stream":
            await self._read_stream(response, message, key)
        else:
            self._fail(message, not_mcp(self.name, kind))

    async def _read_stream(self, response: httpx2.Response, message: Message, key: Id) -> None:
        """Read the response stream of a request; resume it if it breaks off and can be resumed."""
        reading = await self._read_events(response, message, key)
        for _ in range(RECONNECTIONS):
            if reading.answered or not reading.last_id or is_modern(message):
                break
            await asyncio.sleep(resume_delay(reading.wait))
            headers = {**self._session_headers(), "accept": "text/event-stream", "last-event-id": reading.last_id}
            async with self._open("GET", headers, None) as resumed:
                if resumed.is_error or resumed.is_redirect:
                    break
                reading = await self._read_events(resumed, message, key)
        if not reading.answered:
            self._fail(message, f"The server {self.name} closed the stream before its response.")

    async def _read_events(self, response: httpx2.Response, message: Message, key: Id) -> _Reading:
        """Forward the events of a stream until the answer is among them or the stream breaks off."""
        reading = _Reading()
        try:
            async for event in read_events(response):
                await self.flow.may_read.wait()
                reading.last_id = event.id or reading.last_id
                reading.wait = event.retry if event.retry is not None else reading.wait
                if event.event == "message" and event.data and self._deliver(event.data.encode(), message, key):
                    reading.answered = True
                    break
        except httpx2.SSEError:
            raise  # An event exceeds the limit.
        except (httpx2.StreamError, httpx2.TransportError):
            pass  # The stream broke off: the caller resumes it.
        return reading

    def _deliver(self, data: bytes, request: Message, key: Id) -> bool:
        """Forward a message that came in response to a request; return whether it was the response."""
        self._headers.learn(request, data)
        line = one_line(data)
        initializes = request["method"] == "initialize"
        seen = find_response_id(line) if len(line) > LONG_LINE and not initializes else None
        if seen is not None:
            if seen == key:
                self._on_message(line, key)
            return seen == key
        parsed = parse(line)
        answered = False
        for message in parsed if isinstance(parsed, list) else [parsed]:
            if is_response(message):
                if id_of(message) != key or answered:
                    continue  # The response to another request is read with that request.
                answered = True
                if initializes:
                    result = message.get("result")
                    self._version = result.get("protocolVersion") if isinstance(result, dict) else None
                    if request is self._repeated_handshake:
                        return True  # The client has received its response already.
            self._on_message(line if message is parsed else to_line(message), key)
        return answered

    async def _falls_back_to_sse(self, response: httpx2.Response, message: Any, line: bytes) -> bool:
        """Connect over SSE if the refusal of ``initialize`` is that of the older transport; return whether it was."""
        is_initialize = isinstance(message, dict) and message.get("method") == "initialize"
        if not is_initialize or response.status_code not in {400, NOT_FOUND, NOT_ALLOWED}:
            return False
        sse = SseConnection(str(self._url), self.name, self._given, self._ca_file, self._auth)
        sse.flow = self.flow
        sse.start(
            self._on_message, lambda reason: self._on_end(reason) if self._sse is sse else None, self._on_pressure
        )
        if not await sse.wait_for_endpoint():
            await sse.close()
            return False
        logger.info("%s is an SSE server: connecting by the older transport", self.name)
        self._sse = sse
        sse.send(line)
        return True

    async def _refused(self, response: httpx2.Response, message: Any) -> None:
        body = await read_body(response)
        parsed = parse(body)
        if isinstance(parsed, dict) and isinstance(parsed.get("error"), dict) and is_request(message):
            self._on_message(to_line({**parsed, "jsonrpc": "2.0", "id": message["id"]}), id_of(message))
            return
        # Without a session, older servers report an unknown method by this status.
        unknown = response.status_code in {NOT_FOUND, NOT_ALLOWED, 400} and is_modern(message)
        self._fail(message, refusal(self.name, response), METHOD_NOT_FOUND if unknown else INTERNAL_ERROR)

    def _fail(self, message: Any, text: str, code: int = INTERNAL_ERROR) -> None:
        if is_request(message):
            self._on_message(to_line(error_response(message["id"], text, code)), id_of(message))
        if not is_request(message) or message["method"] == "initialize":
            # Clients hardly show why a handshake failed.
            logger.warning("%s", text)

    # The session

    def _request_headers(self, message: Any) -> dict[str, str]:
        if isinstance(message, dict) and is_modern(message):
            return _BOTH | {VERSION: str(meta_of(message)[PROTOCOL_VERSION])} | self._headers.of(message)
        return _BOTH | self._session_headers()

    def _session_headers(self) -> dict[str, str]:
        session = {} if self._session is None else {SESSION: self._session}
        return session if self._version is None else session | {VERSION: self._version}

    def _start_listening(self) -> None:
        task = asyncio.get_running_loop().create_task(self._read_server_stream())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read_server_stream(self) -> None:
        """Receive the messages that the server sends outside of requests, while the session exists."""
        session, last, wait, failures = self._session, "", RETRY_MILLISECONDS, 0
        while failures < RECONNECTIONS and self._session == session:
            headers = {**self._session_headers(), "accept": "text/event-stream"}
            headers |= {"last-event-id": last} if last else {}
            try:
                async with self._open("GET", headers, None) as response:
                    if response.is_error or response.is_redirect:
                        return
                    async for event in read_events(response):
                        await self.flow.may_read.wait()
                        failures, last = 0, event.id or last
                        wait = event.retry if event.retry is not None else wait
                        if event.event == "message" and event.data:
                            self._on_message(one_line(event.data.encode()), None)
            except Exception as error:  # noqa: BLE001  # no request waits for it
                logger.debug("The stream of %s broke: %s", self.name, error)
                failures += 1
            await asyncio.sleep(resume_delay(wait))

    async def _reopen(self) -> bool:
        if self._handshake_message is None:
            return False
        if self._reopening is None or self._reopening.done():
            self._reopening = asyncio.ensure_future(self._repeat_initialize(self._handshake_message))
        return await asyncio.shield(self._reopening)

    async def _repeat_initialize(self, handshake_result: Message) -> bool:
        """Open a new session with the `initialize` request of the lost one."""
        logger.warning("The server %s dropped the session; opening a new one.", self.name)
        handshake_result = self._repeated_handshake = dict(handshake_result)
        key = id_of(handshake_result)
        if key is None:
            return False
        await self._exchange(handshake_result, dump_json(handshake_result), key)
        started = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await self._exchange(started, dump_json(started), None)
        return True


def resume_delay(retry: int) -> float:
    """Return the seconds to wait before a stream is resumed, from the milliseconds that the server requests."""
    return min(retry, MAX_RETRY_MILLISECONDS) / 1000
