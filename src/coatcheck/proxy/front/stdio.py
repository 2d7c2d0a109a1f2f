"""Serves an upstream on our stdin and stdout: bytes pass, and a few messages are parsed."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import TYPE_CHECKING

from coatcheck.errors import CoatcheckError, UpstreamError
from coatcheck.proxy.background_tasks import MAX_BYTES_IN_PROGRESS
from coatcheck.proxy.conversation import Conversation
from coatcheck.proxy.front.standard_streams import own_stdout, signals
from coatcheck.proxy.line_streams import HIGH_WATER, LineReader, LineWriter
from coatcheck.proxy.upstreams.process import ServerProcess, start_server, write_to_stderr
from coatcheck.proxy.upstreams.process_shutdown import has_ended, stop_server

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

QUIET_GRACE, BUSY_GRACE, FLUSH_GRACE = 1.5, 30.0, 2.0
"""Seconds for the server to end once its stdin is closed, without and with open requests; for writing the rest."""

BUILD_GRACE = 5.0
"""Seconds to wait, when the client has left, for what could not be made to say why."""


class Cause(Enum):
    """Why a session ends."""

    CLIENT_ENDED = auto()
    CLIENT_BROKE = auto()
    SERVER_ENDED = auto()
    SIGNALLED = auto()
    NOT_BUILT = auto()


async def serve_stdio(
    command: Sequence[str] | ServerProcess,
    make_interceptor: Callable[[], "Interceptor"],
    *,
    verbose: bool = False,
    offer_resources: bool = False,
) -> int:
    """Carry messages between our stdin and stdout and a server, until either ends.

    Args:
        command: The server's command, or a server that was started already.
        make_interceptor: Called once, in a thread, while the server starts; what is slow to import belongs in there.
        offer_resources: Say that there are resources although the server has none: stored objects are.
        verbose: Also write to stderr what the server writes to stdout that is no message.

    Returns:
        The exit code: 0 when the client ended, 128 and the number after a signal, the server's own (or 1) when it died.

    Raises:
        UpstreamError: The server could not be started, or ended without a message.
        CoatcheckError: The interceptor could not be made.
    """
    upstream = command if isinstance(command, ServerProcess) else start_server(command)
    with own_stdout() as stdout:
        return await _Session(upstream, stdout, verbose=verbose, offer_resources=offer_resources).run(make_interceptor)


class _Session:
    """One run of the pump."""

    def __init__(self, upstream: ServerProcess, stdout: int, *, verbose: bool, offer_resources: bool) -> None:
        stdin, source = upstream.process.stdin, upstream.process.stdout
        if stdin is None or source is None:
            raise UpstreamError("The server was started without pipes.")
        self.loop = asyncio.get_running_loop()
        self.upstream = upstream
        self.verbose = verbose
        self.signal_number = 0
        self.cause: asyncio.Future[Cause] = self.loop.create_future()
        self.server_gone = asyncio.Event()
        self.interceptor: asyncio.Future[Interceptor] = self.loop.create_future()
        self.to_server = LineWriter(stdin.fileno(), self._balance, lambda: None)
        self.to_client = LineWriter(stdout, self._balance, lambda: self._end(Cause.CLIENT_BROKE))
        self.conversation = Conversation(
            self.to_client.write,
            lambda line, _message: self.to_server.write(line),
            self.interceptor,
            on_stray_output=self._stray_output,
            on_change=self._balance,
            offer_resources=offer_resources,
        )
        self.client = LineReader(0, self.conversation.from_client, lambda: self._end(Cause.CLIENT_ENDED))
        self.server = LineReader(source.fileno(), self.conversation.from_server, self._server_ended)

    async def run(self, make_interceptor: Callable[[], "Interceptor"]) -> int:
        building = asyncio.ensure_future(self._build(make_interceptor))
        watching = asyncio.ensure_future(self._watch_process())
        try:
            with signals(self._signalled):
                self._balance()
                cause = await self.cause
                self.client.stop()
                return await self._finish(cause)
        finally:
            self.server.stop()
            for task in (building, watching):
                task.cancel()
            self.to_client.close()
            self.to_server.close()
            await stop_server(self.upstream)

    async def _finish(self, cause: Cause) -> int:
        if cause is Cause.NOT_BUILT:
            raise self.interceptor.exception() or CoatcheckError("The interceptor could not be made.")
        if cause is Cause.CLIENT_ENDED:
            await self._let_server_end()
            # A client that left early must not hide that we could not have served it.
            await asyncio.wait({self.interceptor}, timeout=BUILD_GRACE)
            if self.interceptor.done() and (fault := self.interceptor.exception()) is not None:
                raise fault
            if self.server_gone.is_set() and not self.conversation.has_server_message and await self._exit_code() > 0:
                return await self._report_death()  # That no one asked it anything is not why it ended.
        if cause is Cause.SERVER_ENDED:
            return await self._report_death()
        return 128 + self.signal_number if cause is Cause.SIGNALLED else 0

    async def _let_server_end(self) -> None:
        """Hand on what is under way, close the server's stdin and pass what it still says."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.conversation.finish_work(), BUSY_GRACE)
            await asyncio.wait_for(self.to_server.drain(), BUSY_GRACE)
        self._close_server_stdin()
        waited = 0.0
        while not self.server_gone.is_set() and waited < (BUSY_GRACE if self.conversation.is_waiting else QUIET_GRACE):
            if self.signal_number or self.to_client.is_broken:
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self.server_gone.wait(), 0.1)
            waited += 0.1
        await self._flush()

    async def _report_death(self) -> int:
        """Answer what the server has left open, and say how it ended."""
        self.conversation.abandon_prefetch()
        await self._flush()
        code = await self._exit_code()
        words = self.upstream.stderr_words()
        ended = f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        if self.conversation.has_server_message:
            text = f'The server "{self.upstream.name}" {ended}.'
        else:
            text = f'The server "{self.upstream.name}" did not start: it {ended} before its first message.'
        text += f" It said: {words}" if words else " It said nothing on stderr."
        self.conversation.fail_all(text)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.to_client.drain(), FLUSH_GRACE)
        if not self.conversation.has_server_message:
            raise UpstreamError(text)
        write_to_stderr(f"coatcheck: {text}\n".encode())
        return code if code > 0 else 1

    async def _flush(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.conversation.finish_work(), FLUSH_GRACE)
            await asyncio.wait_for(self.to_client.drain(), FLUSH_GRACE)

    async def _exit_code(self) -> int:
        await stop_server(self.upstream)
        return self.upstream.process.returncode or 0

    async def _build(self, make_interceptor: Callable[[], "Interceptor"]) -> None:
        try:
            made = await asyncio.to_thread(make_interceptor)
        except Exception as error:  # noqa: BLE001  # it is raised again where the session ends
            self.interceptor.set_exception(error)
            self.interceptor.exception()
            self._end(Cause.NOT_BUILT)
        else:
            self.interceptor.set_result(made)

    async def _watch_process(self) -> None:
        """Notice the server's end also where something it started keeps its stdout open."""
        await has_ended(self.upstream)
        before = -1
        while before != self.server.bytes_read or not self.server.is_reading:
            # What it wrote last may still be in the pipe.
            before = self.server.bytes_read
            await asyncio.sleep(0.2)
            if self.server_gone.is_set():
                return
        self._server_ended()

    def _server_ended(self) -> None:
        self.server_gone.set()
        self._end(Cause.SERVER_ENDED)

    def _end(self, cause: Cause) -> None:
        if not self.cause.done():
            self.cause.set_result(cause)

    def _close_server_stdin(self) -> None:
        self.to_server.close()
        if self.upstream.process.stdin is not None:
            with suppress(OSError):
                self.upstream.process.stdin.close()

    def _balance(self) -> None:
        """Read from each side only while the other takes what is written to it."""
        if not hasattr(self, "server"):
            return
        in_progress = self.conversation.bytes_in_progress > MAX_BYTES_IN_PROGRESS
        _read_while(self.client, self.to_server.backlog_bytes < HIGH_WATER and not in_progress)
        _read_while(self.server, self.to_client.backlog_bytes < HIGH_WATER and not in_progress)

    def _stray_output(self, line: bytes) -> None:
        self.upstream.remember(line)
        if self.verbose:
            write_to_stderr(line)

    def _signalled(self, number: int) -> None:
        self.signal_number = number
        self._end(Cause.SIGNALLED)


def _read_while(reader: LineReader, wanted: bool) -> None:
    if wanted:
        reader.resume()
    else:
        reader.pause()
