import contextlib
import json
import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.git_history import make_history
from tests.ports import free_port
from tests.preloaded_python import PYTHON
from tests.wrap.running import serving

HERE = Path(__file__).parent
PROXY = [PYTHON, str(HERE / "run_proxy.py")]
SCRIPTED = [PYTHON, str(HERE / "scripted_server.py")]
OWN_SCRIPTED = [sys.executable, *SCRIPTED[1:]]
"""In a separate process, a child of the process that starts it."""
TIMEOUT_SECONDS = 30.0


class RawClient:
    """A client that sends and receives lines of bytes, so that a test sees the exact messages."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.errors: list[bytes] = []
        self.threads = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(b"")

    def send(self, message: object) -> None:
        line = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def line(self) -> bytes:
        return self.lines.get(timeout=TIMEOUT_SECONDS)

    def answer(self, request_id: object) -> bytes:
        """Read up to the response to a request."""
        while line := self.line():
            message = json.loads(line)
            if isinstance(message, dict) and message.get("id") == request_id and "method" not in message:
                return line
        raise AssertionError("the stream ended before the response")

    def answers(self, request_ids: list[object]) -> dict[object, bytes]:
        """Read until all these requests are answered, in any order."""
        found: dict[object, bytes] = {}
        while found.keys() < set(request_ids):
            line = self.line()
            message = json.loads(line)
            if message.get("id") in request_ids and "method" not in message:
                found[message["id"]] = line
        return found

    def ask(self, method: str, params: object = None, request_id: object = 1) -> dict:
        message = {"jsonrpc": "2.0", "id": request_id, "method": method}
        self.send(message if params is None else message | {"params": params})
        return json.loads(self.answer(request_id))

    def call(self, tool: str, request_id: object = 1, **arguments: object) -> dict:
        return self.ask("tools/call", {"name": tool, "arguments": arguments}, request_id)

    def close(self) -> int:
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(TIMEOUT_SECONDS)
        for thread in self.threads:
            thread.join(TIMEOUT_SECONDS)
        return code

    @property
    def stderr(self) -> str:
        return b"".join(self.errors).decode()


@pytest.fixture
def connect():
    """Connect to the scripted server, ``wrapped`` or directly, in one of its modes."""
    clients = []

    def start(*mode: str, wrapped: bool = True, command: list[str] | None = None, verbose: bool = False) -> RawClient:
        target = command or [*SCRIPTED, *mode]
        proxy = [*PROXY, "--verbose"] if verbose else PROXY
        clients.append(RawClient([*proxy, *target] if wrapped else target))
        return clients[-1]

    yield start
    for client in clients:
        with contextlib.suppress(OSError):
            client.process.stdin.close()
        try:
            client.process.wait(5)
        except subprocess.TimeoutExpired:
            client.process.kill()
            client.process.wait()
        for thread in client.threads:
            thread.join(5)
        client.process.stdout.close()
        client.process.stderr.close()


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> Path:
    """A git repository with 2 000 commits."""
    return make_history(tmp_path_factory.mktemp("history"), 2_000)


@pytest.fixture(scope="session")
def feature_url():
    port = free_port()
    with serving("streamable-http", port=port):
        yield f"http://127.0.0.1:{port}/mcp"


@pytest.fixture(scope="session")
def sse_url():
    port = free_port()
    with serving("sse", port=port):
        yield f"http://127.0.0.1:{port}/sse"
