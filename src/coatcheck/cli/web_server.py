"""The web server of ``serve`` and ``wrap``: its address, and its graceful shutdown."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from coatcheck.cli.listen_options import Listening, is_loopback, warn_of_open_tokens
from coatcheck.cli.logs import announce
from coatcheck.codec.chunked.gc_tuning import freeze_loaded_objects
from coatcheck.errors import CoatcheckError
from coatcheck.monitoring.http_routes import Monitored, monitoring_routes
from coatcheck.proxy.front.asgi_middleware import DrainingApplication, LoopbackHosts
from coatcheck.proxy.front.standard_streams import signals

if TYPE_CHECKING:
    from coatcheck.containers import Container

logger = logging.getLogger(__name__)

BACKLOG = 256

CLOSING_SECONDS = 3.0
"""Seconds of the shutdown timeout for closing upstreams and store, or half of the timeout if it is short."""

HEADER_TIMEOUT = 20.0
"""Seconds within which a connection must send the headers of a request."""

KEEP_ALIVE_TIMEOUT = 20
"""Seconds for which an idle connection stays open. Python's HTTP clients reuse one for 5 seconds, uvicorn's default, so
that now and then a request met the end of its connection."""

REQUEST_TIMEOUT = 150.0
"""Seconds within which a connection must send the body of a request; `wrap` refuses it before, with a reason."""

WRITE_TIMEOUT = 60.0
"""Seconds after which a connection is closed whose client has taken nothing of what waits for it."""


class TimedProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen at import
    """uvicorn's HTTP protocol with deadlines: for the headers and body of a request, and for the client to read."""

    _deadline: asyncio.TimerHandle | None = None
    _body_deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None
    _unsent_bytes = 0

    def connection_made(self, transport: Any) -> None:
        """Start the deadline."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Stop the deadline once a request has started."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the deadline."""
        for deadline in (self._deadline, self._body_deadline, self._write_deadline):
            if deadline is not None:
                deadline.cancel()
        super().connection_lost(error)

    def pause_writing(self) -> None:
        """Start the deadline for the client to read."""
        super().pause_writing()
        self._watch_writing()

    def resume_writing(self) -> None:
        """Stop it."""
        if self._write_deadline is not None:
            self._write_deadline.cancel()
        super().resume_writing()

    def _watch_writing(self) -> None:
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._write_deadline = self.loop.call_later(WRITE_TIMEOUT, self._close_if_unread)

    def _close_if_unread(self) -> None:
        if self.transport.get_write_buffer_size() >= self._unsent_bytes:
            self.transport.abort()
        else:
            self._watch_writing()

    def _watch(self) -> None:
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        elif not is_answering and self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_TIMEOUT, self._close_if_idle)
        if is_answering and self.cycle.more_body and self._body_deadline is None:
            self._body_deadline = self.loop.call_later(REQUEST_TIMEOUT, self._close_if_incomplete, self.cycle)

    def _close_if_idle(self) -> None:
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _close_if_incomplete(self, request: Any) -> None:
        self._body_deadline = None
        if request.more_body and not request.response_complete:
            self.transport.abort()
        else:
            self._watch()


class WebServer(uvicorn.Server):
    """A web server that leaves signals to its caller."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle none."""
        yield


async def run_web_server(
    draining: DrainingApplication,
    path: str,
    listening: Listening,
    container: "Container",
    *,
    lifespan: bool,
    verbose: bool,
) -> int | None:
    """Serve until a signal; then accept no new connections, answer the calls in flight, and return the signal.

    A second signal cancels them.

    The container has the health and the timeout of the shutdown, after which the process is killed.
    """
    health, shutdown_seconds = container.health(), container.settings().shutdown_timeout
    application: ASGIApp = Monitored(draining, monitoring_routes(container))
    bound = bind(listening)
    warn_of_open_tokens(listening)
    freeze_loaded_objects()
    announce(f"listening on {address_of(bound)}{path}")
    server = WebServer(
        uvicorn.Config(
            LoopbackHosts(application) if is_loopback(bound.getsockname()[0]) else application,
            http=TimedProtocol,
            log_config=None,
            log_level="info" if verbose else "warning",
            lifespan="on" if lifespan else "off",
            timeout_keep_alive=KEEP_ALIVE_TIMEOUT,
            # Fractions hold.
            timeout_graceful_shutdown=shutdown_seconds - min(CLOSING_SECONDS, shutdown_seconds / 2),  # type: ignore[arg-type]
        )
    )
    logging.getLogger("uvicorn.error").addFilter(_is_no_cancellation)
    serving = asyncio.ensure_future(server.serve(sockets=[bound]))
    received: list[int] = []

    def end(number: int) -> None:
        received.append(number)
        if len(received) > 1:
            serving.cancel()
            return
        logger.info("%s: ending, once the calls in flight are answered", signal.Signals(number).name)
        health.end()
        draining.begin()
        server.should_exit = True

    with signals(end, lambda: shutdown_seconds):
        try:
            await serving
        except asyncio.CancelledError:
            if not received:  # the server stops itself
                raise
    return received[0] if received else None


def _is_no_cancellation(record: logging.LogRecord) -> bool:
    """Omit the tracebacks of calls that were cancelled at shutdown; one line reports their number.

    The web server logs the traceback of an application that is cancelled as text.
    """
    if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
        return False
    return not record.getMessage().rstrip().endswith("CancelledError")


def bind(listening: Listening) -> socket.socket:
    """Listen on the address of the flags; raises ``CoatcheckError`` if the address cannot be used."""
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    # The event loop disables Nagle's algorithm only on sockets whose protocol is TCP.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listening.host.strip("[]"), listening.port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise CoatcheckError(f"Cannot listen on {listening.host}:{listening.port}: {error.strerror}.") from None
    return bound


def address_of(bound: socket.socket) -> str:
    """Return the URL of a socket that listens, without a path."""
    host, port = bound.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
