"""What is specific to a Redis cluster; the contract and failover are tested elsewhere."""

import asyncio
import socket
import traceback
from urllib.parse import quote

import pytest
from redis.asyncio import RedisCluster
from redis.crc import key_slot

from coatcheck.backends import RedisBackend
from coatcheck.containers import Container
from coatcheck.settings import Settings
from tests.backends.backend_errors import prompt_refusals
from tests.redis_groups import redis_cluster as start_cluster
from tests.server_fixtures import PASSWORD
from tests.waiting import wait_until

LARGE = b"0123456789" * 500_000  # 5 MB: read in chunks, in a transaction


@pytest.fixture
def backend(redis_cluster):
    backend = RedisBackend(redis_cluster.url, timeout=15)
    yield backend
    backend.close()


def owner(cluster, slot):
    share = -(-16384 // 3)
    return cluster.primaries[slot // share]


def test_keys_are_spread_over_all_primaries_and_a_listing_contains_all(redis_cluster, backend):
    names = {f"spread:{number}" for number in range(60)}
    for name in names:
        backend.set(name, b"x", 60.0)
    owners = {owner(redis_cluster, key_slot(f"coatcheck:{name}".encode())).port for name in names}
    assert owners == {server.port for server in redis_cluster.primaries}
    assert sorted(backend.scan("spread:")) == sorted(names)

    async def listed():
        return sorted([name async for name in backend.ascan("spread:")])

    assert asyncio.run(listed()) == sorted(names)


def test_one_node_that_answers_is_enough(redis_cluster):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        credentials = f":{quote(PASSWORD, safe='')}@"
        nodes = f"127.0.0.1:{taken.getsockname()[1]},127.0.0.1:{redis_cluster.primaries[2].port}"
        backend = RedisBackend(f"redis+cluster://{credentials}{nodes}")
        for number in range(10):
            backend.set(f"a:{number}", b"1", None)
            assert asyncio.run(backend.aget(f"a:{number}")) == b"1"
        backend.close()


def test_unreachable_nodes_and_wrong_passwords_are_reported(redis_cluster):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        for error in prompt_refusals(RedisBackend(f"redis+cluster://127.0.0.1:{port}")):
            assert error.kind == "refused"
            assert f"cluster 127.0.0.1:{port}" in str(error)
    port = redis_cluster.primaries[0].port
    for error in prompt_refusals(RedisBackend(f"redis+cluster://:wr0ng@127.0.0.1:{port}")):
        assert error.kind == "authentication"
        assert "wr0ng" not in "".join(traceback.format_exception(error))


def test_a_single_server_is_not_a_cluster_and_a_node_is_not_a_single_server(redis_server, redis_cluster):
    for error in prompt_refusals(RedisBackend(f"redis+cluster://127.0.0.1:{redis_server.port}")):
        assert error.kind == "no_cluster"
        assert "redis://" in str(error)
    slot = key_slot(b"coatcheck:a")
    other = next(server for server in redis_cluster.primaries if server is not owner(redis_cluster, slot))
    for error in prompt_refusals(RedisBackend(other.url)):
        assert error.kind == "cluster"
        assert "redis+cluster://" in str(error)


def test_many_callers_share_few_connections(redis_cluster):
    backend = RedisBackend(f"{redis_cluster.url}?client_name=few", max_connections=3, timeout=15)

    async def many():
        await asyncio.gather(*(backend.aset(f"few:{number}", b"x", None) for number in range(200)))
        return await backend._loops.run(lambda client: client.client_list(target_nodes="primaries"))

    listed = asyncio.run(many())
    assert len(listed) == 3
    ours = [[client for client in clients if client["name"] == "few"] for clients in listed.values()]
    assert all(1 <= len(clients) <= 3 + 2 for clients in ours)  # two connections discover the slots of the nodes
    assert len(list(backend.scan("few:"))) == 200
    backend.close()


def test_connections_close_with_their_event_loop(redis_cluster, backend):
    async def use():
        await asyncio.gather(*(backend.aset(f"a:{number}", b"x", None) for number in range(20)))

    def connected():
        counts = backend._clients.client().info("clients", target_nodes="primaries")
        return sum(int(count["connected_clients"]) for count in counts.values())

    backend.set("a", b"", None)
    before = connected()
    asyncio.run(use())
    wait_until(lambda: connected() <= before, "the connections of the loop are closed")


@pytest.fixture(scope="module")
def moving():
    """A cluster whose slots may move."""
    with start_cluster() as cluster:
        yield cluster


@pytest.mark.parametrize("finish", [True, False], ids=["moved", "on its way"])
def test_a_slot_that_moves_is_followed(moving, finish):
    name = f"moves:{finish}"
    slot = key_slot(f"coatcheck:{name}".encode())
    source = owner(moving, slot)
    target = next(server for server in moving.primaries if server is not source)
    backend = RedisBackend(moving.url, timeout=15)

    async def scenario():
        async def concurrent_reads():
            return await asyncio.gather(*(backend.aget(name) for _ in range(4)))

        backend.set(name, LARGE, None)
        assert await concurrent_reads() == [LARGE] * 4
        moving.move_slot(slot, source, target, finish=finish)
        assert backend.head(name, 10) == LARGE[:10]
        assert await asyncio.gather(*(backend.ahead(name, 10) for _ in range(4))) == [LARGE[:10]] * 4
        for _ in range(4):
            assert await backend.ahead(name, 10) == LARGE[:10]
        assert backend.get(name) == LARGE
        assert await concurrent_reads() == [LARGE] * 4
        backend.set(name, b"1", None)
        assert await concurrent_reads() == [b"1"] * 4
        for _ in range(4):
            await backend.aset(name, b"2", None)
        assert backend.get(name) == b"2"
        assert [found async for found in backend.ascan("moves:") if found == name] == [name]
        assert await backend.adelete(name) is True
        assert backend.get(name) is None

    asyncio.run(scenario())
    backend.close()


def test_slots_that_move_close_no_connection_in_use(moving):
    source, target = moving.primaries[:2]
    names = [name for name in map(str, range(100)) if owner(moving, key_slot(f"coatcheck:{name}".encode())) is source]
    names = names[:8]
    backend = RedisBackend(f"{moving.url}?client_name=staying", timeout=15)

    async def connected():
        listed = await backend._loops.run(lambda client: client.client_list(target_nodes="primaries"))
        return {client["addr"] for clients in listed.values() for client in clients if client["name"] == "staying"}

    async def scenario():
        for name in names:
            await backend.aset(name, name.encode(), None)
        before = await connected()
        for name in names:
            moving.move_slot(key_slot(f"coatcheck:{name}".encode()), source, target)
        assert [await backend.aget(name) for name in names] == [name.encode() for name in names]
        assert before <= await connected()

    asyncio.run(scenario())
    backend.close()


def test_the_settings_reach_the_cluster(redis_cluster):
    container = Container(settings=Settings(object_store_backend="redis", redis_url=redis_cluster.url))
    store = container.store()

    async def scenario():
        object_id = await store.aput([1])
        assert await store.afetch(object_id) == [1]
        await container.exit_stack().aclose()

    asyncio.run(scenario())


@pytest.mark.anyio
@pytest.mark.parametrize("meets", ["reads", "writes"])
async def test_a_command_whose_connection_another_one_closed_is_repeated(redis_cluster, monkeypatch, meets):
    lost = []
    original = RedisCluster.execute_command

    async def counting_close(self, *args, **options):
        if args[0] == "SET" and not lost:
            lost.append(args)
            stream = None
            stream.readexactly(1) if meets == "reads" else stream()  # the resulting error
        return await original(self, *args, **options)

    monkeypatch.setattr(RedisCluster, "execute_command", counting_close)
    backend = RedisBackend(redis_cluster.url, timeout=15)
    await backend.aset("obj_1", b"value", 60)
    assert await backend.aget("obj_1") == b"value"
    assert lost
    await backend.aclose()
