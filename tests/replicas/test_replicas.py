"""Three replicas behind nginx with one Redis are one server: what one keeps all have, and any of them may go away."""

import contextlib
import hashlib
import random
import signal

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.replicas import kinds
from tests.replicas.calling import NEWER, OLDER, Caller, CallFailed, reference_in
from tests.replicas.deployment import deployed

pytestmark = pytest.mark.anyio
USERS = ("ann", "bob")


@pytest.fixture(scope="module", params=["serve", "wrap"])
def kind(request, tmp_path_factory):
    return kinds.serve() if request.param == "serve" else kinds.wrap(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def deployment(kind, tmp_path_factory):
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    hashes = (f"{name} {hashlib.sha256(token_of(name).encode()).hexdigest()}\n" for name in USERS)
    tokens.write_text("".join(hashes))
    command = [kind.command[0], "--auth-tokens", str(tokens), *kind.command[1:]]
    with deployed(command) as running:
        yield running


def token_of(name: str) -> str:
    return f"token of {name}"


def caller(url: str, name: str = "ann", version: str = OLDER) -> Caller:
    return Caller(url, version, token_of(name))


@contextlib.asynccontextmanager
async def sdk_client(url: str, mode: str):
    headers = {"authorization": f"Bearer {token_of('ann')}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_reference_made_at_one_replica_is_used_at_all(deployment, kind, mode):
    (tool, arguments), expected = kind.make(1)
    with anyio.fail_after(60):
        async with sdk_client(deployment.url, mode) as client:
            reference = reference_in((await client.call_tool(tool, arguments)).content[0].text)
            # What a client sends of its own accord beside its calls goes to replicas too.
            while len(set(deployment.ports_that_answered(3))) < 3:
                used = await client.call_tool(*kind.use(reference))
                assert expected in used.content[0].text


@pytest.mark.parametrize("version", [OLDER, NEWER])
async def test_users_stay_apart_over_replicas(deployment, kind, version):
    call, expected = kind.make(2)
    async with caller(deployment.url, "ann", version) as ann, caller(deployment.url, "bob", version) as bob:
        reference = reference_in(await ann.call(*call))
        for _ in range(3):
            with pytest.raises(CallFailed, match="not found"):
                await bob.call(*kind.use(reference))
            assert reference not in await bob.call("object_store_list", {})
        for _ in range(3):
            assert expected in await ann.call(*kind.use(reference))
            assert reference in await ann.call("object_store_list", {})
    assert len(set(deployment.ports_that_answered(3))) == 3


async def test_nobody_comes_in_without_a_token_or_by_another_name(deployment):
    async with Caller(deployment.url) as stranger:
        with pytest.raises(CallFailed, match="HTTP 401"):
            await stranger.call("object_store_list", {})
    async with httpx2.AsyncClient() as http:
        assert (await http.post(deployment.url, headers={"host": "evil.example"})).status_code == 421
        base = deployment.url.removesuffix("/mcp")
        assert (await http.get(f"{base}/readyz")).status_code == 200
        assert (await http.get(f"{base}/metrics")).status_code == 404


class Load:
    """Clients that make and use objects, and call again while no replica answers."""

    def __init__(self, url: str, kind: kinds.Kind) -> None:
        self.kept: list[tuple[str, str]] = []
        self.calls = self.repeated = 0
        self._url = url
        self._kind = kind
        self._over = False

    @contextlib.asynccontextmanager
    async def running(self, clients: int):
        """Run this many clients meanwhile; whatever fails in one of them fails here."""
        async with anyio.create_task_group() as tasks:
            for number in range(clients):
                tasks.start_soon(self._client, number)
            yield
            self._over = True

    async def several_calls(self) -> None:
        """Wait until each client has come to make some calls more."""
        goal = self.calls + 20
        while self.calls < goal:  # noqa: ASYNC110
            await anyio.sleep(0.01)

    async def _client(self, number: int) -> None:
        chance = random.Random(number)
        async with caller(self._url, version=(OLDER, NEWER)[number % 2]) as client:
            while not self._over:
                call, expected = self._kind.make(self.calls)
                self.kept.append((reference_in(await client.call(*call, again=True)), expected))
                reference, expected = chance.choice(self.kept)
                assert expected in await client.call(*self._kind.use(reference), again=True)
                self.calls += 2
            self.repeated += client.repeated

    async def check(self) -> None:
        """Use every object that a client was told of."""
        async with caller(self._url) as client:
            for reference, expected in self.kept:
                assert expected in await client.call(*self._kind.use(reference))


async def replaced_under_load(deployment, kind, how, clients: int) -> Load:
    """Replace replicas one after the other, each by a signal, while clients work."""
    load = Load(deployment.url, kind)
    with anyio.fail_after(300):
        async with load.running(clients):
            await load.several_calls()
            for replica, number in zip(deployment.replicas, how, strict=True):
                code = await anyio.to_thread.run_sync(replica.end, number)
                assert code in ({-signal.SIGKILL} if number == signal.SIGKILL else {-signal.SIGTERM, 128 + 15})
                await load.several_calls()  # … with two
                replica.start()
                await anyio.to_thread.run_sync(replica.wait_until_ready)
                await load.several_calls()
        await load.check()
    assert len(load.kept) >= 40
    return load


async def test_nothing_is_lost_and_no_call_fails_while_each_replica_is_replaced(deployment, kind):
    await replaced_under_load(deployment, kind, (signal.SIGKILL, signal.SIGTERM, signal.SIGTERM), clients=4)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_nothing_is_lost_in_round_after_round(deployment, kind, number):
    for _ in range(3):
        await replaced_under_load(deployment, kind, (number,) * 3, clients=16)


async def test_a_rolling_restart_goes_unseen_where_nothing_is_in_flight(deployment, kind):
    call, expected = kind.make(3)
    async with caller(deployment.url) as client:
        reference = reference_in(await client.call(*call))
        replica = deployment.replicas[0]
        await anyio.to_thread.run_sync(replica.end)
        try:
            for _ in range(6):  # nginx itself goes to another one: no replica has seen the request
                assert expected in await client.call(*kind.use(reference))
            assert replica.port not in deployment.ports_that_answered(6)
        finally:
            replica.start()
            await anyio.to_thread.run_sync(replica.wait_until_ready)
