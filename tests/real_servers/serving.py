"""Servers that listen on a port of this machine while they are needed."""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

START_SECONDS = 30.0
STOP_SECONDS = 10.0


class NotServing(Exception):
    """A server did not start; the message holds the end of what it said."""


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def serving(
    command: Sequence[str], port: int, *, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server while it is needed; it is ready when its port answers."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder, env=env)
        try:
            _await_port(port, process, said)
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_port(port: int, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            said.seek(0)
            words = said.read().decode(errors="replace")
            raise NotServing(f"{' '.join(process.args)} does not listen on {port}:\n{words[-2_000:]}")  # type: ignore[arg-type]
        time.sleep(0.02)
