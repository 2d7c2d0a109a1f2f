"""What is specific to Redis behind sentinels; the contract and failover are tested elsewhere."""

import asyncio
import contextlib
import signal
import socket
import time
import traceback
from urllib.parse import quote

import pytest

from coatcheck.backends import RedisBackend, RedisUnavailable
from coatcheck.containers import Container
from coatcheck.errors import SettingsError
from coatcheck.settings import Settings
from tests.backends.backend_errors import prompt_refusals
from tests.fault_proxy import fault_proxy
from tests.server_fixtures import PASSWORD
from tests.waiting import wait_until

SENTINELS = "for sentinels"


SENTINEL_OPTION = f"?sentinel_password={quote(SENTINELS)}"


def address(service, *, nodes=None, name="mymaster", option=SENTINEL_OPTION, password=PASSWORD):
    nodes = nodes or ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in service.sentinels)
    return f"redis+sentinel://:{quote(password, safe='')}@{nodes}/{name}{option}"


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_address_of_the_sentinels_is_shown_without_passwords(sentinel_service):
    shown = repr(RedisBackend(address(sentinel_service)))
    ports = [sentinel.port for sentinel in sentinel_service.sentinels]
    nodes = ", ".join(f"127.0.0.1:{port}" for port in ports)
    assert shown == f"RedisBackend('mymaster of sentinels {nodes}', prefix='coatcheck:')"


@pytest.mark.parametrize(
    ("options", "trouble"),
    [
        ({"name": "nobody"}, "no_primary"),
        ({"option": "?sentinel_password=wr0ng"}, "sentinel_authentication"),
        ({"option": ""}, "sentinel_authentication"),
        ({"password": "wr0ng"}, "authentication"),
    ],
)
def test_faults_in_the_address_are_distinguished(sentinel_service, options, trouble):
    for error in prompt_refusals(RedisBackend(address(sentinel_service, **options))):
        assert error.kind == trouble
        assert f"127.0.0.1:{sentinel_service.sentinels[0].port}" in str(error)
        text = "".join(traceback.format_exception(error))
        assert [secret for secret in ("wr0ng", PASSWORD, SENTINELS) if secret in text] == []


def test_unreachable_sentinels_are_reported():
    port = unused_port()
    for error in prompt_refusals(RedisBackend(f"redis+sentinel://127.0.0.1:{port}/mymaster")):
        assert error.kind == "no_sentinel"
        assert f"127.0.0.1:{port}" in str(error)


def test_a_server_that_is_not_a_sentinel_is_reported(redis_server):
    for error in prompt_refusals(RedisBackend(f"redis+sentinel://127.0.0.1:{redis_server.port}/mymaster")):
        assert error.kind == "no_sentinel"
        assert f"127.0.0.1:{redis_server.port}" in str(error)


def test_one_sentinel_that_answers_is_enough(sentinel_service):
    with fault_proxy(sentinel_service.sentinels[0].port) as hanging:
        hanging.silence()
        nodes = f"127.0.0.1:{unused_port()},127.0.0.1:{hanging.port},127.0.0.1:{sentinel_service.sentinels[1].port}"
        backend = RedisBackend(address(sentinel_service, nodes=nodes), timeout=6)
        backend.set("a", b"1", None)
        assert asyncio.run(backend.aget("a")) == b"1"
        backend.close()


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["blocking", "asynchronous"])
async def test_no_sentinel_is_dropped_under_concurrent_requests(sentinel_service, form):
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(fault_proxy(sentinel.port)) for sentinel in sentinel_service.sentinels[:2]]
        nodes = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies)
        backend = RedisBackend(address(sentinel_service, nodes=nodes), timeout=10.0)

        async def many():
            if form == "asynchronous":
                await backend._loops.run(lambda client: client.close_idle())
                return await asyncio.gather(*(backend.aget("a") for _ in range(10)))
            backend.close()
            return await asyncio.gather(*(asyncio.to_thread(backend.get, "a") for _ in range(10)))

        backend.set("a", b"1", None)
        for away in (0, 1, 0, 1):
            proxies[away].refuse()
            assert await many() == [b"1"] * 10
            proxies[away].heal()
        await backend.aclose()


def test_hanging_sentinels_do_not_exceed_the_timeout_of_an_operation(sentinel_service):
    with fault_proxy(sentinel_service.sentinels[0].port) as hanging:
        hanging.silence()
        nodes = ",".join([f"127.0.0.1:{hanging.port}"] * 8)
        for error in prompt_refusals(RedisBackend(address(sentinel_service, nodes=nodes))):
            assert error.kind in {"no_sentinel", "timeout"}


def test_the_settings_reach_the_sentinels(sentinel_service):
    url = address(sentinel_service, option="")
    container = Container(
        settings=Settings(object_store_backend="redis", redis_url=url, redis_sentinel_password=SENTINELS)
    )
    assert container.store().fetch(container.store().put([1])) == [1]
    asyncio.run(container.exit_stack().aclose())
    with pytest.raises(SettingsError, match=r"redis\+sentinel"):
        RedisBackend("redis://127.0.0.1/0", sentinel_password=SENTINELS)


def test_connections_to_sentinels_and_primary_are_bounded_and_close_with_their_loop(sentinel_service):
    backend = RedisBackend(address(sentinel_service), max_connections=3, timeout=15)

    async def many():
        await asyncio.gather(*(backend.aset(f"a:{number}", b"x", None) for number in range(100)))

    def clients():
        # Only the backend's clients: sentinels and replicas keep theirs.
        listed = backend._clients.client().client_list()
        return len([each for each in listed if each["cmd"].startswith(("set", "client"))])

    backend.set("a", b"", None)
    asyncio.run(many())
    wait_until(lambda: clients() == 1, "the connections of the loop are closed")
    backend.close()


def test_a_primary_that_hangs_is_replaced(sentinel_service):
    """The operating system still accepts connections and data for it, so that only a timeout detects it."""
    backend = RedisBackend(address(sentinel_service))
    backend.set("before", b"1", None)
    old = sentinel_service.primary()
    old.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(RedisUnavailable) as caught:
            backend.get("before")
        assert caught.value.kind == "timeout"
        sentinel_service.wait_for_other_primary(old)
        failed_over = time.monotonic()
        while True:
            try:
                assert backend.get("before") == b"1"
                assert asyncio.run(backend.aget("before")) == b"1"
                break
            except RedisUnavailable:
                assert time.monotonic() - failed_over < 5
    finally:
        old.process.send_signal(signal.SIGCONT)
    backend.set("after", b"2", None)
    assert asyncio.run(backend.aget("after")) == b"2"
    backend.close()
