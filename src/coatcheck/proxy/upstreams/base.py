"""Connections to upstream servers: lines go in and come out, whatever transport carries them."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from coatcheck.errors import UpstreamError
from coatcheck.proxy.jsonrpc import Id, looks_like_json
from coatcheck.proxy.line_streams import LineReader, LineWriter
from coatcheck.proxy.upstreams.process import ServerProcess, start_server
from coatcheck.proxy.upstreams.process_shutdown import has_ended, stop_server

OnMessage = Callable[[bytes, Id | None], None]
"""Takes a line from the server, and the id of the request that it belongs to where the transport tells."""

OnEnd = Callable[[str], None]
"""Takes the sentence that says how the connection was lost; called once, and not after `close`."""


OnPressure = Callable[[], None]
"""Called when ``unsent_bytes`` or ``backlog_bytes`` grows or shrinks."""


def no_pressure() -> None:
    """Ignore the call."""


class UpstreamConnection(Protocol):
    """A connection to one upstream. `start` is called once, on the event loop, before anything else."""

    name: str

    sends_separately: bool
    """Whether each request is sent separately, so that one that is not JSON after all affects no other."""

    is_gateway: bool
    """Whether several servers are behind it: a response then comes with its request's id."""

    unparsed: bool
    """Whether a long response from one of several servers may come unparsed. Set by a caller that checks it with
    `as_answer_to`."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were sent and that the server has not taken yet."""
        ...

    @property
    def backlog_bytes(self) -> int:
        """The same without those of one long message, which alone is no reason to send no more."""
        ...

    def start(self, on_message: OnMessage, on_end: OnEnd, on_pressure: OnPressure = no_pressure) -> None:
        """Start or connect to the server.

        Raises:
            UpstreamError: It cannot be started.
        """
        ...

    def hold(self, *, held: bool) -> None:
        """Pause or resume reading from the server: the receiver of its messages is slow."""
        ...

    def send(self, line: bytes, message: Any = None) -> None:
        """Send a line; order is kept where the transport has one.

        Args:
            line: The message.
            message: The same where it has been parsed already: it need not be parsed again. A long call may be a
                `PartialCall`, and long values in its arguments may be ``Spliced``.
        """
        ...

    async def finish(self, seconds: float) -> None:
        """Wait, for so long at most, until what was sent has been taken and answered."""
        ...

    async def close(self) -> None:
        """End the server or the connection to it."""
        ...


class ProcessConnection:
    """A connection to a child process by its stdin and stdout.

    Args:
        command: The program and its arguments.
        environment: Variables that it gets beside ours.
        folder: Its working directory.
        on_noise: Takes what it writes to stdout that is not a message.
    """

    sends_separately = is_gateway = unparsed = False

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: str | None = None,
        on_stray_output: Callable[[bytes], None] = lambda _line: None,
    ) -> None:
        self._command = command
        self._environment = environment
        self._folder = folder
        self._on_stray_output = on_stray_output
        self._upstream: ServerProcess | None = None
        self._closed = False
        self._heard = False
        self.name = " ".join(command[:1])

    @property
    def unsent_bytes(self) -> int:
        """What its stdin has not taken yet; see `UpstreamConnection`."""
        return self._writer.unsent_bytes

    @property
    def backlog_bytes(self) -> int:
        """What waits behind the line that its stdin is taking; see `UpstreamConnection`."""
        return self._writer.backlog_bytes

    def hold(self, *, held: bool) -> None:
        """Read its stdout no further, or go on; see `UpstreamConnection`."""
        if held:
            self._reader.pause()
        else:
            self._reader.resume()

    def start(self, on_message: OnMessage, on_end: OnEnd, on_pressure: OnPressure = no_pressure) -> None:
        """Start the process; see `UpstreamConnection`."""
        upstream = start_server(self._command, environment=self._environment, folder=self._folder)
        stdin, stdout = upstream.process.stdin, upstream.process.stdout
        if stdin is None or stdout is None:
            raise UpstreamError("The server was started without pipes.")
        self.name = upstream.name
        self._upstream, self._on_message, self._on_end = upstream, on_message, on_end
        self._writer = LineWriter(stdin.fileno(), on_pressure, lambda: None)
        self._reader = LineReader(stdout.fileno(), self._take, self._stdout_ended)
        self._reader.resume()
        self._watching = asyncio.ensure_future(self._watch(upstream))

    def _take(self, line: bytes) -> None:
        if looks_like_json(line):
            self._heard = True
            self._on_message(line, None)
        elif line.strip() and self._upstream is not None:
            self._upstream.remember(line)
            self._on_stray_output(line)

    def send(self, line: bytes, message: Any = None) -> None:
        """Send a line; see `UpstreamConnection`."""
        del message
        self._writer.write(line if line.endswith(b"\n") else line + b"\n")

    async def finish(self, seconds: float) -> None:
        """Wait until the process has taken what was sent; see `UpstreamConnection`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._writer.drain(), seconds)

    def _stdout_ended(self) -> None:
        # A process that closed its stdout is of no use, even where it lives on.
        if self._upstream is not None and self._upstream.process.poll() is None:
            self._upstream.signal_group(signal.SIGTERM)

    async def _watch(self, upstream: ServerProcess) -> None:
        await has_ended(upstream)
        before = -1
        while not self._reader.has_ended and (before != self._reader.bytes_read or not self._reader.is_reading):
            before = self._reader.bytes_read  # What it wrote last may still be in the pipe.
            await asyncio.sleep(0.05)
        self._reader.stop()
        await asyncio.shield(stop_server(upstream))
        if not self._closed:
            self._closed = True
            self._on_end(self._last_words(upstream))

    def _last_words(self, upstream: ServerProcess) -> str:
        code = upstream.process.returncode or 0
        ended = f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
        words = upstream.stderr_words()
        said = f" It said: {words}" if words else " It said nothing on stderr."
        if self._heard:
            return f'The server "{self.name}" {ended}.{said}'
        return f'The server "{self.name}" did not start: it {ended} before its first message.{said}'

    async def close(self) -> None:
        """End the process and all that it has started; see `UpstreamConnection`."""
        if self._upstream is None:
            return
        self._closed = True
        self._watching.cancel()
        self._reader.stop()
        self._writer.close()
        await stop_server(self._upstream)
