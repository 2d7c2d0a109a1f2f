"""One of the servers behind a gateway: opened, spoken to, and opened again when it goes away."""

import asyncio
import logging
import time
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, Protocol

from coatcheck.errors import UpstreamError, excerpt
from coatcheck.proxy.background_work import MOST_IN_HAND, WorkInHand
from coatcheck.proxy.gateway.names import may_name_resources, may_name_tasks
from coatcheck.proxy.gateway.open_requests import Answer, Asked
from coatcheck.proxy.gateway.protocol_revisions import client_info, envelope_of, is_greeting
from coatcheck.proxy.jsonrpc import (
    PARSED_AT_ONCE,
    PROTOCOL_VERSION,
    SESSION_VERSIONS,
    Id,
    Message,
    is_modern,
    is_response,
    meta_of,
    number_of,
    parse,
    to_line,
)
from coatcheck.proxy.partial_parsing import aline_of, changed, glance_at_id, has_escaped_letters
from coatcheck.proxy.upstreams.base import Link

logger = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
"""Seconds until a server that went away is started again: twice as many each time, up to the longest."""

STEADY_SECONDS = 60.0
"""A server that ran so long starts again from the first wait."""

GREETING_SECONDS = 60.0
"""Seconds that a server has to greet; the client is not kept waiting so long."""


class State(Enum):
    """What a server is doing."""

    WAITING = "not started yet"
    STARTING = "starting"
    RUNNING = "running"
    DOWN = "down"


class Owner(Protocol):
    """What a member tells about itself."""

    def said(self, member: "Member", message: Message, asked: "Asked | None") -> None:
        """Take a request or notification of the server's, and the question that it belongs to if that is known."""
        ...

    def pressed(self) -> None:
        """Hear that a server has taken something, or that more waits for it."""
        ...

    def changed(self, member: "Member") -> None:
        """Hear that a server came up or went down."""
        ...


class Member:
    """One server.

    Args:
        name: Its plain name.
        make_link: Gives a new link to it.
        owner: Hears what the server says of its own accord.
    """

    def __init__(self, name: str, make_link: Callable[[], Link], owner: Owner) -> None:
        self.name = name
        self.state = State.WAITING
        self.reason = ""
        self.retry_at = 0.0
        self.modern = False
        self.is_older = False
        self.greeting: dict[str, Any] = {}
        self._make_link = make_link
        self._owner = owner
        self._link: Link | None = None
        self._client_greeting: Message | None = None
        self._open: dict[int, Asked] = {}
        self._count = 0
        self._failures = 0
        self._up_since = 0.0
        self._greeted: asyncio.Task[None] | None = None
        self._has_greeted = False
        self._retrying: asyncio.Task[None] | None = None
        self._failing: asyncio.Task[None] | None = None
        self._closed = False
        self._held = False
        self._parsing = WorkInHand(self._balance)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that the server has not taken yet."""
        return 0 if self._link is None else self._link.waiting_bytes

    @property
    def backlog_bytes(self) -> int:
        """The same without those of one long message."""
        return 0 if self._link is None else self._link.backlog_bytes

    def hold(self, *, held: bool) -> None:
        """Take nothing from the server for a while, or go on."""
        self._held = held
        self._balance()

    def _balance(self) -> None:
        if self._link is not None:
            self._link.hold(held=self._held or self._parsing.size > MOST_IN_HAND)

    @property
    def capabilities(self) -> dict[str, Any]:
        """What the server can do, as it said itself."""
        found = self.greeting.get("capabilities")
        return found if isinstance(found, dict) else {}

    def has(self, capability: str) -> bool:
        """Whether the server runs and has a capability."""
        return self.state is State.RUNNING and self.capabilities.get(capability) is not None

    def describe(self) -> str:
        """Say in a sentence how the server is."""
        if self.state is not State.DOWN:
            return str(self.state.value)
        wait = max(self.retry_at - time.monotonic(), 0)
        return f"down, tried again in {wait:.0f} s. {self.reason}"

    def open(self) -> None:
        """Start the process or make ready to connect, without greeting yet."""
        if self._link is not None or self._closed:
            return
        link = self._make_link()
        try:
            link.start(self._take, lambda text: self._ended(link, text), self._owner.pressed)
        except UpstreamError as error:
            self._went_down(str(error))
        else:
            self._link = link
            self._balance()

    # Greeting

    def greet(self, client: Message) -> asyncio.Task[None]:
        """Greet as the client greeted us, or as its first request asks; again only where the era has changed."""
        again = self._client_greeting is None or is_greeting(client) != is_greeting(self._client_greeting)
        if self._greeted is None or again or (self._greeted.done() and self.state is State.WAITING):
            before, self._client_greeting = self._greeted, client
            self._greeted = asyncio.ensure_future(self._greet(client, before))
        return self._greeted

    async def _greet(self, client: Message, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
            if self._has_greeted:
                await self._drop_link()  # What has spoken the one era may refuse the other.
        if self.state is State.DOWN:
            return  # It is tried again in its time, with this greeting.
        self.state = State.STARTING
        self.open()
        if self._link is None:
            return
        try:
            await asyncio.wait_for(self._exchange_greetings(client), GREETING_SECONDS)
        except TimeoutError:
            await self._drop_link()
            self._went_down(f"It did not greet within {GREETING_SECONDS:g} s.")
        except UpstreamError as error:
            await self._drop_link()
            self._went_down(str(error))
        else:
            if not self._has_greeted:
                self.state = State.WAITING
                return
            self.state, self.reason, self._up_since = State.RUNNING, "", time.monotonic()
            self._owner.changed(self)

    async def _exchange_greetings(self, client: Message) -> None:
        self.modern = False
        params = client.get("params")
        if is_modern(client) and not self.is_older:
            answer = await self.ask("server/discover", {"_meta": envelope_of(client)})
            result = answer.get("result")
            version = meta_of(client)[PROTOCOL_VERSION]
            if isinstance(result, dict) and version in (result.get("supportedVersions") or ()):
                self.modern, self.greeting, self._has_greeted = True, result, True
                return
            self.is_older = True
        if is_modern(client):
            if client["method"] == "server/discover":
                return  # The client will come again with the older greeting, and that is better than one of ours.
            params = {"protocolVersion": SESSION_VERSIONS[-1], "capabilities": {}, "clientInfo": client_info(client)}
        answer = await self.ask("initialize", params if isinstance(params, dict) else {})
        result = answer.get("result")
        if not isinstance(result, dict):
            error = answer.get("error")
            words = error.get("message") if isinstance(error, dict) else "it gave no answer"
            raise UpstreamError(f"It refused the greeting: {excerpt(str(words), 300)}")
        self.greeting, self._has_greeted = result, True
        self.notify("notifications/initialized", None)

    async def running(self, patience: float) -> None:
        """Wait for a server that is starting.

        Raises:
            UpstreamError: It does not run, and when it is tried again.
        """
        if self.state is State.STARTING and self._greeted is not None:
            await asyncio.wait({self._greeted}, timeout=patience)
        if self.state is not State.RUNNING:
            raise UpstreamError(f'The server "{self.name}" is {self.describe()}')

    # Talking

    async def ask(self, method: str, params: Any) -> Message:
        """Ask the server, and give its answer opened; see ``pass_on``."""
        return await (await self.pass_on({"jsonrpc": "2.0", "method": method}, params)).opened()

    async def pass_on(self, request: Message, params: Any, *, unopened: bool = False) -> Answer:
        """Ask the server what the client asks, with other parameters; a cancelled waiting is told to the server.

        Args:
            request: The client's request, or a glance at it.
            params: What to ask in its parameters' place; ``None`` for none.
            unopened: A glance at a long answer will do, where that shows that it names nothing of the server's.

        Raises:
            UpstreamError: The server is down, or goes away before it has answered.
        """
        link = self._link
        if link is None:
            raise UpstreamError(f'The server "{self.name}" is {self.describe()}')
        self._count += 1
        number = self._count
        asked = Asked(asyncio.get_running_loop().create_future(), unopened, request.get("id"))
        self._open[number] = asked
        asking = changed(request, jsonrpc="2.0", id=number, params=params)
        if params is None:
            del asking["params"]
        sent = False
        try:
            line = await aline_of(asking)
            if self._link is link:  # what comes after a server that went away is not asked this
                sent = True
                link.send(line, asking)
            return await asked.answer
        except asyncio.CancelledError:
            if sent and number in self._open and request["method"] not in {"initialize", "server/discover"}:
                self.notify("notifications/cancelled", {"requestId": number})
            raise
        finally:
            self._open.pop(number, None)

    def notify(self, method: str, params: Any) -> None:
        """Tell the server something, if it is there."""
        self._send({"jsonrpc": "2.0", "method": method} | _given(params))

    def answer(self, message: Message) -> None:
        """Bring the server an answer to a request of its own."""
        self._send(message)

    def _send(self, message: Message) -> None:
        if self._link is not None:
            self._link.send(to_line(message), message)

    def _take(self, line: bytes, related: Id | None) -> None:
        if len(line) > PARSED_AT_ONCE:
            self._parsing.start(self._take_long(line, related), len(line))
        else:
            self._taken(parse(line), line, related)

    async def _take_long(self, line: bytes, related: Id | None) -> None:
        """Hand over a long answer of which nothing but its id is to be changed; parse all else."""
        asked = self._asked_by(line)
        if asked is not None and asked.unopened:
            for names in (has_escaped_letters, may_name_resources, may_name_tasks):
                if names(line):
                    break
                await asyncio.sleep(0)  # Each search takes some 10 ms for 26 MB.
            else:
                _give(asked, Answer(line, None))
                return
        self._parsing.start_parsing(line, partial(self._taken, related=related))

    def _asked_by(self, line: bytes) -> Asked | None:
        key = glance_at_id(line)
        return self._open.get(number_of(key[1])) if key is not None else None

    def _taken(self, message: Any, line: bytes, related: Id | None) -> None:
        if message is None:  # Nested too deeply, or no JSON: who waits for it is not to wait for ever.
            _give(self._asked_by(line), Answer(b"", {}))
        for part in message if isinstance(message, list) else [message]:
            if not isinstance(part, dict):
                continue
            if is_response(part):
                _give(self._open.get(number_of(part.get("id"))), Answer(line if part is message else b"", part))
            elif isinstance(part.get("method"), str):
                self._owner.said(self, part, self._open.get(number_of(related[1])) if related else None)

    # Going away and coming back

    def _ended(self, link: Link, text: str) -> None:
        if self._link is link:
            self._link, self._has_greeted = None, False
            self._went_down(text)

    def _went_down(self, reason: str) -> None:
        if self._closed:
            return
        if reason != self.reason:  # Each further try would only say the same.
            logger.warning("%s", reason if self.name in reason else f"{self.name}: {reason}")
        if self.state is State.RUNNING and time.monotonic() - self._up_since > STEADY_SECONDS:
            self._failures = 0
        wait = min(FIRST_WAIT * 2**self._failures, LONGEST_WAIT)
        self._failures += 1
        was_running, self.state, self.reason = self.state is State.RUNNING, State.DOWN, reason
        self.retry_at = time.monotonic() + wait
        self._failing = asyncio.ensure_future(self._fail(list(self._open.values()), self.describe()))
        self._retrying = asyncio.ensure_future(self._retry(wait))
        if was_running:
            self._owner.changed(self)

    async def _fail(self, open_questions: list[Asked], how: str) -> None:
        """Give up what the server has not answered; what it wrote last may still be being parsed."""
        await self._parsing.finish()
        for asked in open_questions:
            if not asked.answer.done():
                asked.answer.set_exception(UpstreamError(f'The server "{self.name}" is {how}'))

    async def _retry(self, wait: float) -> None:
        await asyncio.sleep(wait)
        self.state = State.WAITING
        if self._client_greeting is None:
            self.open()
        else:
            self._greeted = asyncio.ensure_future(self._greet(self._client_greeting, None))

    async def _drop_link(self) -> None:
        link, self._link, self._has_greeted = self._link, None, False
        if link is not None:
            await link.close()

    async def close(self) -> None:
        """End the server for good."""
        self._closed = True
        for task in (self._retrying, self._failing, self._greeted):
            if task is not None:
                task.cancel()
        await self._drop_link()


def _give(asked: Asked | None, answer: Answer) -> None:
    if asked is not None and not asked.answer.done():
        asked.answer.set_result(answer)


def _given(params: Any) -> dict[str, Any]:
    return {} if params is None else {"params": params}
