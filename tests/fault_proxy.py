"""A TCP proxy that simulates network faults: it delays, drops, cuts and resets connections."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

_CHUNK_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of 0: closing sends a reset
_CALL_SECONDS = 10.0


class FaultProxy:
    """A TCP proxy on a separate port and thread; it forwards everything until a fault is switched on.

    Attributes:
        port: Its port on 127.0.0.1.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._target = (host, port)
        self.port = 0
        self._delay = 0.0
        self._left: int | None = None
        self._silent = False
        self._forgotten: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)

    def start(self) -> None:
        """Start to listen."""
        self._thread.start()
        self._call(self._listen())

    def stop(self) -> None:
        """Close everything."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def delay(self, seconds: float) -> None:
        """Delay every chunk of a response by some seconds."""
        self._delay = seconds

    def silence(self) -> None:
        """Forward nothing any more, in open and new connections, like a pulled cable."""
        self._silent = True

    def forget(self) -> None:
        """Forward nothing in the connections that are open now (half-open), like a router that lost their state.

        New connections work; the old ones stay open until `cut` or the end.
        """
        self._call(self._forget())

    def cut_after(self, count: int) -> None:
        """Close every connection after ``count`` more bytes of responses."""
        self._left = count

    def heal(self) -> None:
        """Switch all faults off and listen again; close the silent connections."""
        silent, self._silent, self._delay, self._left = self._silent, False, 0.0, None
        if silent:
            self.cut()
        self._call(self._listen())

    def cut(self, *, reset: bool = False) -> None:
        """Close the open connections, optionally with a reset; accept new ones."""
        self._call(self._close_connections(reset=reset))

    def refuse(self) -> None:
        """Close the open connections and refuse new ones."""
        self._call(self._refuse())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        done.result(_CALL_SECONDS)

    # The methods below run in the thread.

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _forget(self) -> None:
        self._forgotten |= self._connections

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._close_connections(reset=False)

    async def _end(self) -> None:
        await self._refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _close_connections(self, *, reset: bool) -> None:
        for writer in list(self._connections):
            if reset:
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            else:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._connections.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            answers, there = await asyncio.open_connection(*self._target)
            self._connections.add(there)
            await asyncio.gather(
                self._pump(reader, there, lambda chunk: chunk, 0), self._pump(answers, writer, self._truncate, 1)
            )
        except (OSError, asyncio.CancelledError):
            pass  # the connection ends in either case
        finally:
            for end in (writer, there):
                if end is not None:
                    self._connections.discard(end)
                    self._forgotten.discard(end)
                    end.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        truncate: Callable[[bytes], bytes],
        delay_factor: float,
    ) -> None:
        while chunk := await reader.read(_CHUNK_BYTES):
            if self._delay:
                await asyncio.sleep(self._delay * delay_factor)
            if self._silent or writer in self._forgotten:
                continue
            writer.write(truncate(chunk))
            await writer.drain()
            if self._left is not None and self._left <= 0 and delay_factor:
                break
        writer.close()

    def _truncate(self, chunk: bytes) -> bytes:
        if self._left is None:
            return chunk
        chunk = chunk[: max(self._left, 0)]
        self._left -= len(chunk)
        return chunk


@contextlib.contextmanager
def fault_proxy(port: int, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> Iterator[FaultProxy]:
    """A running `FaultProxy` in front of the server at ``host`` and ``port``; with ``tls``, clients must use TLS."""
    proxy = FaultProxy(port, host, tls=tls)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
