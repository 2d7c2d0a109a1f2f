"""Replicas of coatcheck behind nginx with one Redis, as processes on this machine; nginx has the example's config."""

import contextlib
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.debian_packages import debian_program
from tests.ports import free_port, wait_until_serving
from tests.preloaded_python import PYTHON
from tests.redis_servers import redis_server

EXAMPLE = Path(__file__).parents[2] / "examples" / "replicas"
EXAMPLE_PORTS = (8001, 8002, 8003)
EXAMPLE_LISTEN = 8000
EXAMPLE_LOG = "/var/log/nginx/coatcheck.log"
ANSWERED_BY = "X-Answered-By"
STOP_SECONDS = 20.0
COATCHECK = ["-W", "ignore", "-m", "coatcheck"]


class Replica:
    """A coatcheck process on its own port, which stays the same over restarts."""

    def __init__(self, python: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.port = free_port()
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        at = ["--transport", "streamable-http", "--stateless", "--port", str(self.port)]
        self._command = [python, *COATCHECK, command[0], *at, *command[1:]]
        self._environment = {**os.environ, **environment}

    @property
    def pid(self) -> int:
        """The id of its process, 0 if it does not run."""
        return 0 if self.process is None else self.process.pid

    def start(self) -> None:
        """Start it; it is not ready yet."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )

    def wait_until_ready(self) -> None:
        """Wait until its readiness check succeeds."""
        wait_until_serving(
            lambda: _is_ready(self.port), self.process, f"the replica at {self.port}", self.log.read_text
        )

    def send_signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.process is not None:
            self.process.send_signal(number)

    def wait_until_ended(self) -> int:
        """Wait for its exit after a signal; return its exit code, 0 if it did not run."""
        process, self.process = self.process, None
        if process is None:
            return 0
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"The replica at {self.port} did not end within {STOP_SECONDS:g} s.") from None


class Deployment:
    """Three replicas behind nginx.

    Attributes:
        url: The URL for clients.
        replicas: The replicas.
    """

    def __init__(self, url: str, replicas: list[Replica]) -> None:
        self.url = url
        self.replicas = replicas

    @property
    def ports(self) -> set[int]:
        """The ports of all replicas."""
        return {replica.port for replica in self.replicas}


@contextlib.contextmanager
def deployed(command: Sequence[str], *, python: str = PYTHON, **environment: str) -> Iterator[Deployment]:
    """Run three replicas of a command of coatcheck behind nginx, with a new Redis.

    Args:
        command: The command, ``serve`` or ``wrap``, and its arguments, without the options for its address.
        python: The interpreter that runs it.
        environment: Variables of the replicas.
    """
    with (
        TemporaryDirectory(prefix="coatcheck-replicas-") as name,
        redis_server(arguments=("--maxmemory", "512mb", "--maxmemory-policy", "volatile-lru")) as redis,
    ):
        folder = Path(name)
        variables = {
            **{name: value for name, value in example_environment().items() if name.startswith("MALLOC_")},
            "COATCHECK_OBJECT_STORE_BACKEND": "redis",
            "COATCHECK_REDIS_URL": redis.url,
            "COATCHECK_NAMESPACE_SECRET": "the same for all",
            **environment,
        }
        replicas = [Replica(python, command, variables, folder / f"replica-{number}.log") for number in range(3)]
        try:
            for replica in replicas:
                replica.start()
            with _nginx(folder, [replica.port for replica in replicas]) as port:
                for replica in replicas:
                    replica.wait_until_ready()
                yield Deployment(f"http://127.0.0.1:{port}/mcp", replicas)
        finally:
            for replica in replicas:
                replica.send_signal(signal.SIGTERM)
            for replica in replicas:
                replica.wait_until_ended()


def example_environment() -> dict[str, str]:
    """Return the variables of the example."""
    lines = (EXAMPLE / "environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def nginx_config(folder: Path, ports: Sequence[int], port: int) -> Path:
    """Write the example's config with other addresses and a main file into a folder; return the main file.

    The main file corresponds to the one of a distribution: paths and number of processes. It also adds a header with
    the replica to each response.
    """
    text = (EXAMPLE / "nginx.conf").read_text()
    for example, own in ((EXAMPLE_LISTEN, port), *zip(EXAMPLE_PORTS, ports, strict=True)):
        for before in ("127.0.0.1:", "listen "):
            text = text.replace(f"{before}{example}", f"{before}{own}")
    text = text.replace(EXAMPLE_LOG, str(folder / "coatcheck.log"))
    (folder / "coatcheck.conf").write_text(text)
    places = "\n".join(
        f"    {name}_temp_path {folder / name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"pid {folder / 'nginx.pid'};\nerror_log stderr warn;\nworker_processes 2;\n"
        f"events {{ worker_connections 2048; }}\nhttp {{\n    access_log off;\n    add_header {ANSWERED_BY} $upstream_addr always;\n{places}\n    include {folder / 'coatcheck.conf'};\n}}\n"
    )
    return main


def nginx_command(config: Path) -> tuple[list[str], dict[str, str]]:
    """Return the command of nginx in the foreground, and its environment."""
    program = debian_program("nginx", "usr/sbin/nginx")
    command = [program.path, "-p", str(config.parent), "-c", str(config), "-e", "stderr"]
    return command, {**os.environ, **program.environment}


@contextlib.contextmanager
def _nginx(folder: Path, ports: Sequence[int]) -> Iterator[int]:
    port = free_port()
    command, environment = nginx_command(nginx_config(folder, ports, port))
    log = folder / "nginx.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "-g", "daemon off;"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
        )
    try:
        wait_until_serving(lambda: _answers(port), process, "nginx", log.read_text)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def port_in(headers: Mapping[str, str]) -> int:
    """Return the port of the replica that responded, among those that nginx tried; 0 if none did."""
    return int(headers.get(ANSWERED_BY, "").rpartition(":")[2] or 0)


def _is_ready(port: int) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
        return answer.status == 200
    return False


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
