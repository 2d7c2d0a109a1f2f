"""A server on our stdin and stdout in front of a link: a URL, or several servers behind a gateway."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from coatcheck.errors import UpstreamError
from coatcheck.proxy.background_tasks import MAX_BYTES_IN_PROGRESS
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.front.standard_streams import own_stdout, signals
from coatcheck.proxy.front.stdio import BUSY_GRACE, FLUSH_GRACE
from coatcheck.proxy.jsonrpc import Id
from coatcheck.proxy.line_streams import HIGH_WATER, LineReader, LineWriter
from coatcheck.proxy.upstreams.base import UpstreamConnection
from coatcheck.proxy.upstreams.process import write_to_stderr

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor


async def serve_connection(
    connection: UpstreamConnection, make_interceptor: Callable[[], "Interceptor"], *, offer_resources: bool = False
) -> int:
    """Carry messages between our stdin and stdout and a link, until either ends.

    Args:
        connection: The link, not started yet; it is closed at the end.
        make_interceptor: Called once, in a thread; what is slow to import belongs in there.
        offer_resources: Say that there are resources although the server has none: stored objects are.

    Returns:
        The exit code: 0 when the client ended, 128 and the number after a signal, 1 when the server went away.

    Raises:
        UpstreamError: The server could not be started, or went away without a message.
        CoatcheckError: The interceptor could not be made.
    """
    with own_stdout() as stdout:
        session = _ConnectionSession(connection, stdout, offer_resources=offer_resources)
        try:
            return await session.run(make_interceptor)
        finally:
            session.stop()
            await connection.close()


class _ConnectionSession:
    """One run."""

    def __init__(self, connection: UpstreamConnection, stdout: int, *, offer_resources: bool) -> None:
        loop = asyncio.get_running_loop()
        self._connection = connection
        connection.unparsed = connection.is_gateway  # their answers are checked by the conversation
        self._over: asyncio.Future[int] = loop.create_future()
        self._interceptor: asyncio.Future[Interceptor] = loop.create_future()
        self._lost = ""
        self._started = False
        self._writer = LineWriter(stdout, self._balance, lambda: self._end(0))
        self._conversation = Conversation(
            self._writer.write,
            connection.send,
            self._interceptor,
            on_stray_output=write_to_stderr,
            on_change=self._balance,
            offer_resources=offer_resources,
        )
        self._reader = LineReader(0, self._conversation.from_client, lambda: self._end(0))
        self._building: asyncio.Task[None] | None = None

    async def run(self, make_interceptor: Callable[[], "Interceptor"]) -> int:
        with signals(lambda number: self._end(128 + number)):
            self._connection.start(self._from_connection, self._connection_ended, self._balance)
            self._started = True
            self._reader.resume()
            self._building = asyncio.ensure_future(self._build(make_interceptor))
            code = await self._over
            self._reader.stop()
            if code == 0 and not self._lost:
                await self._let_answers_come()
        if self._lost:
            self._conversation.abandon_prefetch()
            self._conversation.fail_all(self._lost)
            await self._flush()
            if not self._conversation.has_server_message:
                raise UpstreamError(self._lost)
            write_to_stderr(f"coatcheck: {self._lost}\n".encode())
        return code

    def stop(self) -> None:
        """Let go of our pipes."""
        self._reader.stop()
        self._writer.close()
        if self._building is not None:
            self._building.cancel()

    def _from_connection(self, line: bytes, request: Id | None) -> None:
        self._conversation.from_server(line, request if self._connection.is_gateway else None)

    def _connection_ended(self, text: str) -> None:
        self._lost = text
        self._end(1)

    async def _let_answers_come(self) -> None:
        """Hand on what the client asked before it closed its side."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._conversation.finish_work(), BUSY_GRACE)
        await self._connection.finish(BUSY_GRACE)
        await self._flush()

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._conversation.finish_work(), FLUSH_GRACE)
            await asyncio.wait_for(self._writer.drain(), FLUSH_GRACE)

    async def _build(self, make_interceptor: Callable[[], "Interceptor"]) -> None:
        try:
            made = await asyncio.to_thread(make_interceptor)
        except Exception as error:  # noqa: BLE001  # it is raised again where the session ends
            self._interceptor.set_exception(error)
            self._interceptor.exception()
            if not self._over.done():
                self._over.set_exception(error)
        else:
            self._interceptor.set_result(made)

    def _balance(self) -> None:
        """Read from each side only while the other takes what is written to it."""
        if not self._started:
            return
        in_progress = self._conversation.bytes_in_progress > MAX_BYTES_IN_PROGRESS
        self._connection.hold(held=in_progress or self._writer.backlog_bytes >= HIGH_WATER)
        if in_progress or self._connection.backlog_bytes >= HIGH_WATER or self._over.done():
            self._reader.pause()
        else:
            self._reader.resume()

    def _end(self, code: int) -> None:
        if not self._over.done():
            self._over.set_result(code)
