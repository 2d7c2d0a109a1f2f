"""Checks whether a server starts: it is started as its client would start it and receives an ``initialize`` request."""

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coatcheck.errors import excerpt, quoted
from coatcheck.installer.server_reader import UnreadableServer, fill_variables, read_server
from coatcheck.user_folders import home_folder

TIMEOUT = 30.0
"""Seconds within which a server must answer; ``npx`` and ``uvx`` may have to download it first."""

_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "coatcheck status", "version": "1"},
    },
}
_MOST_OUTPUT = 1 << 22
_TAIL = 2_000
_GRACE = 3.0


@dataclass(frozen=True, slots=True)
class Start:
    """The result of a start."""

    works: bool | None  # whether the server answered; `None`: it could not be checked
    says: str  # its name and version, or what went wrong; contains no secret


def try_start(entry: Any, timeout: float = TIMEOUT) -> Start:
    """Start the server of an entry, send ``initialize``, and stop it; it must answer within the timeout."""
    try:
        server = read_server(entry, fill_variables(os.environ, home_folder))
    except UnreadableServer as error:
        return Start(None, str(error))
    words, environment, folder = server.command, server.environment, server.folder
    if not words:
        return Start(None, "it is at a URL")
    if folder is not None and not Path(folder).is_dir():
        return Start(False, f"its working directory {excerpt(folder)} does not exist")
    try:
        process = subprocess.Popen(  # noqa: S603  # the client runs the same
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            cwd=folder,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return Start(False, f"{excerpt(words[0])} could not be started: {reason}")
    try:
        start = _handshake(process, timeout)
    finally:
        _end(process)
    return Start(start.works, _without(start.says, environment))


def _handshake(process: "subprocess.Popen[bytes]", timeout: float) -> Start:
    """Send the request and read until it is answered, the output ends or the timeout expires."""
    assert process.stdin is not None  # noqa: S101  # both were asked for
    with suppress(OSError):
        process.stdin.write(json.dumps(_INITIALIZE).encode() + b"\n")
        process.stdin.flush()
    deadline = time.monotonic() + timeout
    output = {"stdout": b"", "stderr": b""}
    with selectors.DefaultSelector() as selector:
        for name in output:
            selector.register(getattr(process, name), selectors.EVENT_READ, name)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                chunk = os.read(key.fd, 1 << 16)
                if not chunk:
                    selector.unregister(key.fileobj)
                output[key.data] += chunk
            if (answer := _answer(output["stdout"])) is not None:
                return answer
            output["stderr"] = output["stderr"][-_TAIL:]
            if len(output["stdout"]) > _MOST_OUTPUT:
                break
        ended = not selector.get_map()
    words = " | ".join(output["stderr"].decode("utf-8", "replace").strip().splitlines()[-3:])
    reason = "it ended without an answer" if ended else f"it did not answer in {timeout:g} s"
    return Start(False, f"{reason}{': ' + quoted(words, 300) if words else ''}")


def _answer(output: bytes) -> Start | None:
    for line in output.split(b"\n")[:-1]:
        try:
            message: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict) and message.get("id") == 1:
            result, error = message.get("result"), message.get("error")
            if isinstance(result, dict):
                server = result.get("serverInfo")
                server = server if isinstance(server, dict) else {}
                named = f"{server.get('name', '')} {server.get('version', '')}".strip()
                return Start(True, excerpt(named) or "it has no name")
            text = error.get("message", "") if isinstance(error, dict) else ""
            return Start(False, f"it answered with an error: {quoted(str(text), 200)}")
    return None


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let it exit, then stop everything that it started."""
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _without(text: str, environment: Mapping[str, str]) -> str:
    for value in environment.values():
        if len(value) > 3:  # noqa: PLR2004  # shorter ones are in any text
            text = text.replace(value, "•••")
    return text
