"""Imports the modules that tests need, and forks for each requested process; exits when its stdin is closed."""

import atexit
import gc
import importlib
import marshal
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
from pathlib import Path

import httpx2
from built_commands import build_commands, share_built_commands
from default_certificates import share_default_ssl_context
from sandbox_workers import start_workers_with

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
    share_default_ssl_context()
    httpx2.create_ssl_context()
    share_built_commands()
    build_commands()
    start_workers_with(str(Path(listener.getsockname()).with_name("python")))
    pace = preload()
    worker.preload = lambda: pace
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no process waits for the supervisors
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if 0 in ready:
                os._exit(0)
            connection, _ = listener.accept()
            if os.fork() == 0:
                break
            connection.close()
    listener.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    supervise(connection)


def supervise(connection: socket.socket) -> None:
    """Fork the requested process and report its id and exit; kill it when the connection ends. Returns in the fork."""
    size, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
    asked = b""
    while len(asked) < int.from_bytes(size, "big") + 1:  # The last byte: the launcher has closed its descriptors.
        part = connection.recv(1 << 16)
        if not part:
            os._exit(0)
        asked += part
    arguments, folder, environment = marshal.loads(asked[:-1])
    begins, begin = os.pipe()
    pid = os.fork()
    if pid == 0:
        connection.close()
        os.close(begin)
        os.read(begins, 1)  # until the supervisor has closed its descriptors
        os.close(begins)
        os.setpgid(0, 0)
        exec_request(descriptors, arguments, folder, environment)
        return
    for number in (*descriptors, 0, 1, 2, begins, begin):
        os.close(number)
    try:
        connection.sendall(pid.to_bytes(4, "big"))
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            selector.register(os.pidfd_open(pid), selectors.EVENT_READ)
            if any(key.fileobj is connection for key, _ in selector.select()):
                os.kill(pid, signal.SIGKILL)
        connection.sendall(os.waitpid(pid, 0)[1].to_bytes(4, "big"))
    except OSError:  # The launcher has exited.
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


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
