"""Real clients, connected to a server directly or through coatcheck, that record all messages of the server."""

import os
import re
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import Request
from pydantic import TypeAdapter, ValidationError

from tests.preloaded_python import PYTHON

PATIENCE = 60.0
_ANY_RESULT = TypeAdapter(dict[str, Any])
_CHANGES_BY_ITSELF = (
    (re.compile(r"\b\d{1,2}:\d\d:\d\d [AP]M\b"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<moment>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (
        re.compile(r"\b00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b"),
        "<trace>",
    ),  # if a test in this process has switched tracing on
    (re.compile(r"\b[0-9a-f]{32}\b"), "<random>"),
)
_RANDOM_LOG = re.compile(r"(Debug|Info|Notice|Warning|Error|Critical|Emergency)-level message|Alert level-message")


class RawRequest(Request[dict[str, Any] | None, str]):
    """Any method with any parameters."""


@dataclass
class Session:
    """A connected client and the unparsed messages of its server."""

    client: Client
    messages: list[dict[str, Any]] = field(default_factory=list)
    _news: anyio.Event = field(default_factory=anyio.Event)

    def received(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a matching message of the server, and return it."""
        with anyio.fail_after(PATIENCE):
            while True:
                for message in self.messages:
                    if found(message):
                        return message
                await self._news.wait()

    async def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request of any method and return the result unchanged, even if the client rejects it."""
        start = len(self.messages)
        try:
            return await self.client.session.send_request(RawRequest(method=method, params=params), _ANY_RESULT)
        except ValidationError:
            results: list[dict[str, Any]] = [
                message["result"] for message in self.messages[start:] if "result" in message
            ]
            return results[-1]

    async def received_during(self, step: Callable[["Session"], Awaitable[object]]) -> list[dict[str, Any]]:
        """Return the messages of the server during a step, until it has answered all earlier requests."""
        start = len(self.messages)
        try:
            with anyio.fail_after(PATIENCE):
                await step(self)
        except MCPError:
            pass  # The response is among the recorded messages.
        return [normal(message) for message in self.messages[start:]]


class _TappedStream:
    """A stream that records the received messages."""

    def __init__(self, stream: Any, seen: Callable[[dict[str, Any]], None]) -> None:
        self._stream = stream
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive(self) -> Any:
        item = await self._stream.receive()
        if not isinstance(item, Exception):
            self._seen(item.message.model_dump(by_alias=True, exclude_unset=True, mode="json"))
        return item

    def __aiter__(self) -> "_TappedStream":
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> Any:
        return await self._stream.__aexit__(*exc)


@asynccontextmanager
async def tapped(transport: Any, seen: Callable[[dict[str, Any]], None]) -> AsyncIterator[Any]:
    """Record all messages that a transport receives."""
    async with transport as (read, write):
        yield _TappedStream(read, seen), write


def coatcheck(*command: str) -> list[str]:
    """Return the command that runs another with coatcheck in front of it."""
    return [PYTHON, "-m", "coatcheck", "wrap", "--", *command]


@asynccontextmanager
async def connected(
    command: Sequence[str],
    *,
    wrapped: bool = True,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    **client_options: Any,
) -> AsyncIterator[Session]:
    """Connect a client to a server over stdio; ``client_options`` are the client's callbacks and mode."""
    program, *arguments = coatcheck(*command) if wrapped else command
    parameters = StdioServerParameters(command=program, args=arguments, env=dict(env or {}), cwd=cwd)
    with open(os.devnull, "w") as quiet:  # noqa: ASYNC230, PTH123
        async with _connected(stdio_client(parameters, errlog=quiet), client_options) as session:
            yield session


@asynccontextmanager
async def connected_to(url: str, **client_options: Any) -> AsyncIterator[Session]:
    """Connect a client to a server over streamable HTTP."""
    async with _connected(streamable_http_client(url), client_options) as session:
        yield session


@asynccontextmanager
async def _connected(transport: Any, client_options: Mapping[str, Any]) -> AsyncIterator[Session]:
    early: list[dict[str, Any]] = []
    session: Session | None = None

    def seen(message: dict[str, Any]) -> None:
        if session is None:
            early.append(message)
        else:
            session.received(message)

    async with Client(tapped(transport, seen), **client_options) as client:
        session = Session(client, early)
        yield session


async def both(command: Sequence[str], steps: Callable[[Session], Awaitable[Any]], **options: Any) -> tuple[Any, Any]:
    """Take the same steps directly and wrapped, concurrently, and return both outcomes."""
    outcomes: dict[bool, Any] = {}

    async def run(*, wrapped: bool) -> None:
        async with connected(command, wrapped=wrapped, **options) as session:
            outcomes[wrapped] = await steps(session)

    async with anyio.create_task_group() as group:
        group.start_soon(lambda: run(wrapped=False))
        group.start_soon(lambda: run(wrapped=True))
    return outcomes[False], outcomes[True]


def normal(value: Any) -> Any:
    """Replace values that differ between runs: times, random ids and random log messages."""
    if isinstance(value, dict):
        if value.get("method") == "notifications/message" and _RANDOM_LOG.match(str(value["params"].get("data"))):
            return {**value, "params": sorted(value["params"])}
        opened = {key: _opened(text) if key == "blob" else text for key, text in value.items()}
        return {key: normal(part) for key, part in opened.items()}
    if isinstance(value, list):
        return [normal(part) for part in value]
    if isinstance(value, str):
        for pattern, word in _CHANGES_BY_ITSELF:
            value = pattern.sub(word, value)
    return value


def _opened(blob: Any) -> Any:
    """Return the decoded text of a blob, in which the time of day can then be replaced."""
    try:
        return "blob: " + b64decode(blob, validate=True).decode()
    except (ValueError, TypeError):
        return blob
