"""Servers that listen on a local port during a test."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.ports import wait_until_listening

STOP_SECONDS = 10.0


@contextlib.contextmanager
def serving(
    command: Sequence[str], port: int, *, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server, and wait until its port answers."""
    with tempfile.TemporaryFile() as output:

        def log() -> str:
            output.seek(0)
            return output.read().decode(errors="replace")

        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder, env=env)
        try:
            wait_until_listening(port, process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
