"""Imports the modules that tests need, and forks for each requested process; exits when its stdin is closed."""

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import runpy
import select
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import httpx2
from built_commands import build_commands, share_built_commands
from default_certificates import share_default_ssl_context
from sandbox_workers import start_workers_with

from coatcheck.explorer.late_patterns import LatePattern
from coatcheck.explorer.operations import preload
from coatcheck.explorer.sandbox import worker

IMPORTED = (
    "anyio._backends._asyncio",
    "coatcheck.cli.serve_runner",
    "coatcheck.cli.servers_file",
    "coatcheck.cli.terminal_notice",
    "coatcheck.cli.upstream_options",
    "coatcheck.cli.wrap_http",
    "coatcheck.cli.wrap_runner",
    "coatcheck.containers",
    "coatcheck.mcp_server.attach",
    "coatcheck.mcp_server.authentication",
    "coatcheck.monitoring.metrics",
    "coatcheck.object_store",
    "coatcheck.proxy.front.stdio",
    "coatcheck.proxy.gateway.gateway",
    "coatcheck.proxy.upstreams.oauth",
    "coatcheck.proxy.upstreams.streamable_http",
    "coatcheck.tool_factory",
    "coatcheck.toolsets.deepset.containers",
    "coatcheck.wiring.running",
    "concurrent.futures.thread",
    "ctypes",
    "fastmcp.server.server",
    "mcp.server.mcpserver",
    "mcp.server.streamable_http_manager",
    "redis.asyncio",
    "redis.asyncio.cluster",
    "rich.console",
    "rich.logging",
    "sqlite3",
    "typer._click.decorators",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)


def main(listener: socket.socket) -> None:
    """Serve requests; in a fork, run the requested program."""
    for name in IMPORTED:
        importlib.import_module(name)
    for module in [module for name, module in sys.modules.items() if name.startswith("coatcheck.explorer.")]:
        for pattern in [value for value in vars(module).values() if isinstance(value, LatePattern)]:
            pattern.search("")
    share_default_ssl_context()
    httpx2.create_ssl_context()
    share_built_commands()
    build_commands()
    start_workers_with(str(Path(listener.getsockname()).with_name("python")))
    pace = preload()
    worker.preload = lambda: pace
    gc.collect()
    gc.freeze()
    connection = serve(listener)
    descriptors, asked = receive(connection)
    connection.close()
    os.setpgid(0, 0)
    exec_request(descriptors, *asked)


class Forked(NamedTuple):
    """A process, and the connection of the launcher that requested it."""

    pid: int
    connection: socket.socket
    exited: int  # a descriptor that is readable when the process has exited

    def close(self) -> None:
        """Close both descriptors."""
        self.connection.close()
        os.close(self.exited)


def serve(listener: socket.socket) -> socket.socket:
    """Fork for each connection and report id and exit; kill a process when its connection ends.

    Returns in the fork, with the connection.
    """
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(0, select.POLLIN)
    running: dict[int, Forked] = {}
    while True:
        ready = {number for number, _ in poll.poll()}
        if 0 in ready:
            for forked in running.values():
                os.kill(forked.pid, signal.SIGKILL)
            os._exit(0)
        for forked in {running[number] for number in ready & running.keys()}:
            if forked.exited not in ready:
                os.kill(forked.pid, signal.SIGKILL)
            report(forked.connection, os.waitpid(forked.pid, 0)[1])
            for descriptor in (forked.connection.fileno(), forked.exited):
                poll.unregister(descriptor)
                del running[descriptor]
            forked.close()
        if listener.fileno() in ready:
            connection, _ = listener.accept()
            pid = os.fork()
            if pid == 0:
                listener.close()
                for forked in set(running.values()):
                    forked.close()
                return connection
            forked = Forked(pid, connection, os.pidfd_open(pid))
            running[connection.fileno()] = running[forked.exited] = forked
            poll.register(connection, 0)  # only its end: the process reads what the launcher sends
            poll.register(forked.exited, select.POLLIN)
            report(connection, pid)


def report(connection: socket.socket, number: int) -> None:
    """Send a number to a launcher, which may have exited."""
    with contextlib.suppress(OSError):
        connection.sendall(number.to_bytes(4, "big"))


def receive(connection: socket.socket) -> tuple[list[int], tuple[list[str], str, dict[bytes, bytes]]]:
    """Receive descriptors, arguments, folder and environment; exit if the launcher does."""
    size, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    asked = b""
    while len(asked) < int.from_bytes(size, "big") + 1:  # The last byte: the launcher has closed its descriptors.
        part = connection.recv(1 << 16)
        if not part:
            os._exit(0)
        asked += part
    return descriptors, marshal.loads(asked[:-1])


def exec_request(descriptors: list[int], arguments: list[str], folder: str, environment: dict[bytes, bytes]) -> None:
    """Apply the descriptors, the environment and the working directory, and run the module, code or script."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(environment)
    sys.executable = os.environ.pop("PRELOADED_EXECUTABLE", sys.executable)
    # Those of the fork server remember what kind of files theirs were.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    while arguments[0] not in {"-m", "-c"} and arguments[0].startswith("-"):
        arguments = arguments[2 if arguments[0] == "-W" else 1 :]
    sys.path[1:1] = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    if arguments[0] == "-m":
        sys.path[0] = folder
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif arguments[0] == "-c":
        sys.path[0] = ""
        sys.argv = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


def end(code: int) -> None:
    """Exit like an interpreter, but without freeing imported modules, which takes longer than a start.

    Reference cycles of the process itself are still collected, so that unclosed resources are reported.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as an interpreter does first
    atexit._run_exitfuncs()
    gc.collect()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # the interpreter prints the error
    os._exit(code)


if __name__ == "__main__":
    try:
        main(socket.socket(fileno=int(sys.argv[1])))
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        end(ended.code or 0)
    end(0)
