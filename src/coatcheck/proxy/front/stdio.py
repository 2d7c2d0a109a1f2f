"""Serves an upstream connection on our stdin and stdout; only a few messages are parsed."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from coatcheck.errors import output_failed
from coatcheck.proxy.background_tasks import MAX_BYTES_IN_PROGRESS, run_in_daemon_thread
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.front.standard_streams import SHUTDOWN_TIMEOUT, own_stdout, signals
from coatcheck.proxy.jsonrpc import Id
from coatcheck.proxy.line_streams import HIGH_WATER, LineReader, LineWriter
from coatcheck.proxy.send_capacity import SendCapacity
from coatcheck.proxy.upstreams.base import UpstreamConnection
from coatcheck.proxy.upstreams.process import write_to_stderr

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

IDLE_GRACE, BUSY_GRACE, FLUSH_GRACE = 1.5, 30.0, 2.0
"""Seconds after the client has closed stdin: for an idle and for a busy upstream to end, and to write the rest."""

BUILD_GRACE = 5.0
"""Seconds to wait, after the client has closed stdin, for the error of a failed interceptor."""


async def serve_stdio(
    connection: UpstreamConnection,
    make_interceptor: Callable[[], "Interceptor"],
    *,
    instructions: str | None = None,
    offer_resources: bool = False,
    shutdown_timeout: Callable[[], float] = lambda: SHUTDOWN_TIMEOUT,
    on_ready: Callable[[], None] = lambda: None,
) -> int:
    """Transfer messages between our stdin and stdout and an upstream until either ends.

    Args:
        connection: The upstream, not started yet; it is closed at the end.
        make_interceptor: Called once, in a thread, while the server starts; slow imports belong there.
        instructions: The instructions about references, if they are known before the interceptor is created.
        offer_resources: Whether to advertise resources even if the server has none, because stored objects are
            resources.
        shutdown_timeout: Returns the seconds from a signal to the end of the process, after which it is killed.
        on_ready: Called once signals end the session gracefully.

    Returns:
        The exit code: 128 plus the signal number, the server's own if it failed, 1 if the connection was lost in
        another way, else 0.

    Raises:
        UpstreamError: The server could not be started.
        CoatcheckError: The interceptor could not be created, or the output cannot be written, as on a full disk.
    """
    with own_stdout() as stdout:
        session = _StdioSession(connection, stdout, instructions, offer_resources=offer_resources)
        with signals(session.on_signal, shutdown_timeout):
            try:
                on_ready()
                code = await session.run(make_interceptor)
                session.require_output()
                return code
            finally:
                session.stop()
                await connection.close()


class _StdioSession:
    """One client on stdio and one upstream."""

    def __init__(
        self, connection: UpstreamConnection, stdout: int, instructions: str | None, *, offer_resources: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        self._connection = connection
        connection.unparsed = connection.is_gateway  # The conversation checks its responses.
        self._exit: asyncio.Future[int] = loop.create_future()
        self._interceptor: asyncio.Future[Interceptor] = loop.create_future()
        self._upstream_lost = asyncio.Event()
        self._lost_reason = ""
        self._signal_number = 0
        self._stopped = asyncio.Event()  # by a signal, or by a client that no longer reads
        self._started = False
        self._writer = LineWriter(stdout, self._apply_backpressure, self._client_disconnected)
        self._conversation = Conversation(
            self._writer.write,
            connection.send,
            self._interceptor,
            on_stray_output=connection.stray_output,
            on_change=self._apply_backpressure,
            instructions=instructions,
            offer_resources=offer_resources,
            object_readers=connection.object_readers,
            listed_name=connection.listed_name,
            is_gateway=connection.is_gateway,
            capacity=SendCapacity(lambda: connection.unsent_bytes),
        )
        self._reader = LineReader(0, self._conversation.from_client, lambda: self._end(0))
        self._building: asyncio.Task[None] | None = None

    async def run(self, make_interceptor: Callable[[], "Interceptor"]) -> int:
        """Transfer messages until the session ends; see `serve_stdio`."""
        self._connection.start(self._from_upstream, self._connection_lost, self._apply_backpressure)
        self._started = True
        self._reader.resume()
        self._building = asyncio.ensure_future(self._build(make_interceptor))
        code = await self._exit
        self._reader.stop()
        if self._upstream_lost.is_set():
            return await self._report_loss()
        return await self._finish() if code == 0 else code

    def on_signal(self, number: int) -> None:
        """End the session with the code of a signal."""
        self._signal_number = number
        self._stopped.set()
        self._end(128 + number)

    def require_output(self) -> None:
        """Raise an error if the output failed other than by a client that no longer reads."""
        fault = self._writer.fault
        if fault is not None and not isinstance(fault, ConnectionError):
            raise output_failed(fault)

    def stop(self) -> None:
        """Release our pipes."""
        self._reader.stop()
        self._writer.close()
        if self._building is not None:
            self._building.cancel()

    async def _finish(self) -> int:
        """Deliver pending messages after the client has closed stdin, and let the upstream exit."""
        await self._unless_stopped(self._finish_upstream())
        if self._stopped.is_set():
            return 128 + self._signal_number if self._signal_number else 0
        # An early disconnect must not hide a failed interceptor.
        await self._unless_stopped(asyncio.wait({self._interceptor}, timeout=BUILD_GRACE))
        if self._interceptor.done() and (fault := self._interceptor.exception()) is not None:
            raise fault
        code = self._connection.exit_code
        if self._upstream_lost.is_set() and code:
            return await self._report_loss()
        return code

    async def _finish_upstream(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._conversation.finish_work(), BUSY_GRACE)
        self._conversation.abandon_own_requests()  # The server gets no more requests.
        finishing = asyncio.ensure_future(self._connection.finish())
        busy = asyncio.ensure_future(self._conversation.wait_until_idle())
        try:
            await asyncio.wait({finishing, busy}, timeout=BUSY_GRACE, return_when=asyncio.FIRST_COMPLETED)
            if busy.done():
                await asyncio.wait({finishing}, timeout=IDLE_GRACE)
        finally:
            for task in (finishing, busy):
                task.cancel()
            await asyncio.gather(finishing, busy, return_exceptions=True)
        await self._flush()

    async def _unless_stopped(self, work: Coroutine[Any, Any, Any]) -> None:
        """Wait for something, but not beyond a signal or a client that no longer reads."""
        doing = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stopped.wait())
        await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (doing, stopped):
            task.cancel()
        await asyncio.gather(doing, stopped, return_exceptions=True)

    async def _report_loss(self) -> int:
        """Answer pending requests with errors, and report on stderr how the upstream ended."""
        self._conversation.abandon_own_requests()
        await self._flush()
        self._conversation.fail_all(self._lost_reason)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._writer.drain(), FLUSH_GRACE)
        write_to_stderr(f"coatcheck: {self._lost_reason}\n".encode())
        return self._connection.exit_code or 1

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._conversation.finish_work(), FLUSH_GRACE)
            await asyncio.wait_for(self._writer.drain(), FLUSH_GRACE)

    async def _build(self, make_interceptor: Callable[[], "Interceptor"]) -> None:
        try:
            interceptor = await run_in_daemon_thread(make_interceptor)
        except Exception as error:  # noqa: BLE001  # raised again where the session ends
            self._interceptor.set_exception(error)
            self._interceptor.exception()
            if not self._exit.done():
                self._exit.set_exception(error)
        else:
            self._interceptor.set_result(interceptor)

    def _from_upstream(self, line: bytes, request: Id | None) -> None:
        self._conversation.from_server(line, request if self._connection.is_gateway else None)

    def _connection_lost(self, reason: str) -> None:
        self._lost_reason = reason
        self._upstream_lost.set()
        self._end(1)

    def _apply_backpressure(self) -> None:
        """Read from each side only while the other side reads its messages."""
        if not self._started:
            return
        is_busy = self._conversation.bytes_in_progress > MAX_BYTES_IN_PROGRESS
        self._connection.set_paused(paused=is_busy or self._writer.backlog_bytes >= HIGH_WATER)
        if is_busy or self._connection.backlog_bytes >= HIGH_WATER or self._exit.done():
            self._reader.pause()
        else:
            self._reader.resume()

    def _client_disconnected(self) -> None:
        self._stopped.set()
        self._end(0)

    def _end(self, code: int) -> None:
        if not self._exit.done():
            self._exit.set_result(code)
