"""Isolation of callers: every kind of access to an object, with every kind of server, store, transport and protocol."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.server import MCPServer
from mcp.shared.exceptions import MCPError

from coatcheck.backends import InMemoryBackend
from coatcheck.containers import Container
from coatcheck.errors import CoatcheckError
from coatcheck.lifecycle import running
from coatcheck.mcp_server.authentication import Authentication
from coatcheck.mcp_server.jwt_verifier import JwtVerifier
from coatcheck.proxy.object_resources import answer_for_object
from coatcheck.server import attach, configure_mcp_server
from coatcheck.settings import Settings
from coatcheck.store.tenancy import Caller, CallerKind
from coatcheck.tool_factory import MemoryType, ToolConfig
from coatcheck.toolsets import Toolset
from tests.preloaded_python import PYTHON
from tests.processes import state_of
from tests.results import text_of
from tests.security.identity_provider import AUDIENCE, ISSUER
from tests.security.serving import client_of, object_id_in, over_http
from tests.waiting import until

pytestmark = pytest.mark.anyio

SECRET = "the-secret-of-alice"
MISSING = "obj_neverThere1"

ACCESSES: dict[str, Callable[[str], tuple[str, dict[str, Any]]]] = {
    "get": lambda name: ("object_store_get", {"object_id": name}),
    "get with a path": lambda name: ("object_store_get", {"object_id": f"@{name}", "path": "name"}),
    "get with a wrong path": lambda name: ("object_store_get", {"object_id": name, "path": "nowhere"}),
    "get the raw text": lambda name: ("object_store_get", {"object_id": name, "raw": True}),
    "slice": lambda name: ("object_store_slice", {"object_id": name, "start": 0, "end": 1}),
    "grep": lambda name: ("object_store_grep", {"object_id": name, "pattern": "secret"}),
    "grep with a wrong pattern": lambda name: ("object_store_grep", {"object_id": name, "pattern": "("}),
    "sed": lambda name: ("object_store_sed", {"object_id": name, "pattern": "a", "replacement": "b"}),
    "query": lambda name: ("object_store_query", {"object_id": name, "filter": "."}),
    "query with a wrong filter": lambda name: ("object_store_query", {"object_id": name, "filter": "|"}),
    "query and keep": lambda name: ("object_store_query", {"object_id": name, "filter": ".name", "keep": True}),
    "a reference in what is stored": lambda name: ("object_store_put", {"value": {"x": [f"@{name}"]}}),
    "a reference as argument": lambda name: ("echo", {"value": f"@{name}"}),
    "a reference with a path as argument": lambda name: ("echo", {"value": f"@{name}.name"}),
    "delete": lambda name: ("object_store_delete", {"object_id": name}),
}


def echo(value: Any) -> str:
    """Return the value."""
    return str(value)


def ours(container: Container, authentication: Authentication | None) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("ours", **(authentication.server_options() if authentication else {}))
    tools = Toolset("echoing", lambda: {"echo": (echo, ToolConfig(memory_type=MemoryType.REFERENCEABLE))})
    configure_mcp_server(server, toolsets=[tools], container=container)
    return server


def attached(container: Container, authentication: Authentication | None) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("theirs", **(authentication.server_options() if authentication else {}))
    server.add_tool(echo)
    attach(server, container)
    return server


async def read(client: Client, name: str) -> str:
    """The response for a resource, whether it is read or refused."""
    try:
        return str(await client.read_resource(f"coatcheck://objects/{name}")).replace(name, "ID")
    except MCPError as error:
        return f"{error.error.code} {error} {error.error.data}".replace(name, "ID")


SERVERS = pytest.mark.parametrize("kind", ["ours", "attached", "wrapped"])


@contextlib.asynccontextmanager
async def serving(
    kind: str, container: Container, authentication: Authentication | None, wrapped: Callable[..., str]
) -> AsyncIterator[str]:
    """Serve coatcheck's own or an attached server over HTTP; or wrap a server, in a separate process."""
    if kind == "wrapped":
        yield wrapped(container, authenticated=authentication is not None)
        return
    build = ours if kind == "ours" else attached
    async with running(container), over_http(build(container, authentication)) as url:
        yield url


@pytest.fixture
def authentication(provider, tmp_path) -> Authentication:
    keys = str(provider.publish(tmp_path / "jwks.json"))
    return Authentication(JwtVerifier.open(keys, issuer=ISSUER, audience=AUDIENCE), ISSUER, AUDIENCE)


async def answer(client: Client, way: str, name: str) -> tuple[bool | None, str]:
    """The response of a call, without the object's id."""
    tool, arguments = ACCESSES[way](name)
    result = await client.call_tool(tool, arguments)
    return result.is_error, text_of(result).replace(name, "ID")


@SERVERS
@pytest.mark.parametrize("subjects", [("alice", "bob"), (None, None)], ids=["two-users", "one-client-without-subject"])
async def test_another_user_s_object_looks_like_a_missing_one(
    container, kind, wrapped, authentication, provider, subjects, mode
):
    new = uuid4()  # the wrapping process has served other callers before
    alices, bobs = (
        provider.token(subject and f"{subject}-{new}", jti=f"{number}-{new}") for number, subject in enumerate(subjects)
    )
    async with (
        serving(kind, container, authentication, wrapped) as url,
        client_of(url, alices, mode) as alice,
        client_of(url, bobs, mode) as bob,
    ):
        name = object_id_in(text_of(await alice.call_tool("object_store_put", {"value": {"name": SECRET}})))
        assert SECRET in text_of(await alice.call_tool("echo", {"value": f"@{name}"}))
        for way in ACCESSES:
            foreign, missing = await answer(bob, way, name), await answer(bob, way, MISSING)
            assert foreign == missing, way
            assert foreign[0] or way == "delete", way
            assert SECRET not in foreign[1], way
        assert await read(bob, name) == await read(bob, MISSING)
        assert SECRET not in await read(bob, name)
        assert SECRET in await read(alice, name)
        assert "No objects are stored" in text_of(await bob.call_tool("object_store_list", {}))
        # Bob's attempts changed nothing, and only alice's list contains the object.
        listed = text_of(await alice.call_tool("object_store_list", {}))
        assert f"1 object, newest first:\n@{name}" in listed
        assert SECRET in text_of(await alice.call_tool("object_store_get", {"object_id": name}))


@SERVERS
async def test_without_authentication_ids_cannot_be_guessed_and_nothing_is_listed(container, kind, wrapped, mode):
    # The process's own objects have short ids, which are no protection against other callers.
    own = container.store().put({"name": SECRET})
    async with (
        serving(kind, container, None, wrapped) as url,
        client_of(url, None, mode) as alice,
        client_of(url, None, mode) as bob,
    ):
        names = {
            object_id_in(text_of(await alice.call_tool("object_store_put", {"value": {"name": "hers", "n": number}})))
            for number in range(3)
        }
        assert len(names) == 3
        assert all(len(name.removeprefix("obj_")) >= 22 for name in names), names
        for client in (alice, bob):
            listed = await client.call_tool("object_store_list", {})
            assert listed.is_error
            assert not any(name in text_of(listed) for name in (*names, own))
        for way in ACCESSES:
            assert await answer(bob, way, own) == await answer(bob, way, MISSING), way
        assert await read(bob, own) == await read(bob, MISSING)
        # Callers who know an id may read the object, as documented for --unprotected.
        assert "hers" in text_of(await bob.call_tool("object_store_get", {"object_id": names.pop()}))


@SERVERS
async def test_a_token_that_is_not_accepted_reaches_no_tool(container, kind, wrapped, authentication, provider):
    import httpx2

    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "object_store_list"}}
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28"}
    refused = [None, "nonsense", provider.token("alice", iss="https://other.example"), "\u00e4" * 10]
    async with serving(kind, container, authentication, wrapped) as url, httpx2.AsyncClient() as http:
        for token in refused:
            request_headers = (
                headers if token is None else {**headers, "Authorization": f"Bearer {token}".encode("latin-1")}
            )
            response = await http.post(url, json=call, headers=request_headers)
            assert response.status_code == 401
            assert "object" not in response.text
        if kind == "wrapped":
            return
        metadata = await http.get(url.removesuffix("/mcp") + "/.well-known/oauth-protected-resource/mcp")
        assert metadata.json()["authorization_servers"] == [ISSUER]


async def test_a_session_id_of_another_user_is_refused(container, authentication, provider):
    """With one client and no subject the SDK cannot distinguish two users of a session; the token still does."""
    import httpx2

    alices, bobs = provider.token(None, jti="a"), provider.token(None, jti="b")

    async def post(http: Any, url: str, token: str, method: str, params: Any, session: str | None = None) -> Any:
        headers = {"Accept": "application/json, text/event-stream", "Authorization": f"Bearer {token}"}
        if session:
            headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-06-18"}
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if not method.startswith("notifications/"):
            message["id"] = 1
        return await http.post(url, json=message, headers=headers)

    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    async with running(container), over_http(ours(container, authentication)) as url, httpx2.AsyncClient() as http:
        session = (await post(http, url, alices, "initialize", hello)).headers["mcp-session-id"]
        await post(http, url, alices, "notifications/initialized", {}, session)
        call = {"name": "object_store_put", "arguments": {"value": {"name": SECRET}}}
        name = object_id_in((await post(http, url, alices, "tools/call", call, session)).text)
        look = {"name": "object_store_get", "arguments": {"object_id": name}}
        assert SECRET in (await post(http, url, alices, "tools/call", look, session)).text
        assert SECRET not in (await post(http, url, bobs, "tools/call", look, session)).text
        listed = await post(http, url, bobs, "tools/call", {"name": "object_store_list"}, session)
        assert name not in listed.text


async def test_a_wrapping_proxy_isolates_two_callers(container):
    interceptor = container.proxy_interceptor()
    scopes = container.tenancy()
    interceptor.learn([{"name": "echo", "inputSchema": {"type": "object", "properties": {"value": {}}}}])

    async def without_id(way: str, name: str) -> str:
        tool, arguments = ACCESSES[way](name)
        try:
            result = await interceptor.own_tool_call(tool, arguments)
            if result is None:
                result = (await interceptor.prepare(tool, arguments)).arguments
        except CoatcheckError as error:
            result = str(error)
        return str(result).replace(name, "ID")

    async def read(name: str) -> str:
        try:
            return str(await interceptor.read_object(f"coatcheck://objects/{name}")).replace(name, "ID")
        except CoatcheckError as error:
            return str(error).replace(name, "ID")

    with scopes.enter(Caller(CallerKind.PRINCIPAL, "alice")):
        name = await container.store().aput({"name": SECRET})
        assert SECRET in await without_id("a reference as argument", name)
        assert SECRET in await read(name)
    with scopes.enter(Caller(CallerKind.PRINCIPAL, "bob")):
        for way in ACCESSES:
            assert await without_id(way, name) == await without_id(way, MISSING), way
        assert await read(name) == await read(MISSING)
        assert "not found" in await read(name)
    with scopes.enter(Caller(CallerKind.PRINCIPAL, "alice")):
        assert SECRET in await without_id("get", name)


async def test_two_processes_over_stdio_share_nothing_in_memory(mode):
    parameters = StdioServerParameters(command=PYTHON, args=["-m", "coatcheck", "serve"])
    async with (
        Client(stdio_client(parameters), mode=mode) as alice,
        Client(stdio_client(parameters), mode=mode) as bob,
    ):
        name = object_id_in(text_of(await alice.call_tool("object_store_put", {"value": {"name": SECRET}})))
        assert name in text_of(await alice.call_tool("object_store_list", {}))
        for way in ACCESSES:
            if ACCESSES[way](name)[0] != "echo":
                assert await answer(bob, way, name) == await answer(bob, way, MISSING), way
        assert "No objects are stored" in text_of(await bob.call_tool("object_store_list", {}))


async def test_two_processes_over_stdio_share_a_redis_only_under_one_prefix(redis_server):
    def serving(prefix: str) -> Any:
        env = {
            "COATCHECK_OBJECT_STORE_BACKEND": "redis",
            "COATCHECK_REDIS_URL": redis_server.url,
            "COATCHECK_REDIS_TIMEOUT": "15",
        }
        env["COATCHECK_REDIS_PREFIX"] = prefix
        return stdio_client(StdioServerParameters(command=PYTHON, args=["-m", "coatcheck", "serve"], env=env))

    async with (
        Client(serving("stdio-alice:")) as alice,
        Client(serving("stdio-bob:")) as bob,
        Client(serving("stdio-alice:")) as alices_other,
    ):
        name = object_id_in(text_of(await alice.call_tool("object_store_put", {"value": {"name": SECRET}})))
        assert SECRET in text_of(await alices_other.call_tool("object_store_get", {"object_id": name}))
        for way in ACCESSES:
            if ACCESSES[way](name)[0] != "echo":
                assert await answer(bob, way, name) == await answer(bob, way, MISSING), way
        assert "No objects are stored" in text_of(await bob.call_tool("object_store_list", {}))


async def test_requests_for_another_user_s_object_never_access_its_key():
    """Timing is the same too: another user's object and a missing one are looked up under the same key, which does not exist."""
    asked: list[str] = []

    class RecordingBackend(InMemoryBackend):
        def get(self, key: str) -> bytes | None:
            asked.append(key)
            return super().get(key)

        def head(self, key: str, n: int) -> bytes | None:
            asked.append(key)
            return super().head(key, n)

        def delete(self, key: str) -> bool:
            asked.append(key)
            return super().delete(key)

    container = Container(settings=Settings(), backend=RecordingBackend())
    scopes, interceptor = container.tenancy(), container.proxy_interceptor()
    with scopes.enter(Caller(CallerKind.PRINCIPAL, "alice")):
        name = await container.store().aput({"name": SECRET})
        hers = container.store().namespace()
    with scopes.enter(Caller(CallerKind.PRINCIPAL, "bob")):
        his = container.store().namespace()
        for way, call in ACCESSES.items():
            asked.clear()
            tool, arguments = call(name)
            if tool == "echo":
                with pytest.raises(CoatcheckError):
                    await interceptor.prepare("echo", arguments)
            else:
                await interceptor.own_tool_call(tool, arguments)
            assert asked, way
            assert all(key.startswith(f"{his}:") for key in asked), way
            assert not any(hers in key for key in asked), way
    container.sandbox().close()


@pytest.mark.parametrize(
    "name",
    [
        *("HERS:obj_1", "../obj_1", "obj_1:HERS", "*", "obj_*", "obj_1\nobj_2", "HERS", "", "obj%5F1", "obj_1%00"),
        *("obj_1/", "obj_1?x", "obj_1#x", "OBJ_1", "obj_\u0661", "obj_" + "x" * 1_000_000),
    ],
)
async def test_a_malformed_id_cannot_leave_its_namespace(container, name):
    store, scopes = container.store(), container.tenancy()
    with scopes.enter(Caller(CallerKind.PRINCIPAL, "alice")):
        stored = store.put(SECRET)
        name = name.replace("HERS", store.namespace()).replace("obj_1", stored)
    for scope in (Caller(), Caller(CallerKind.ANONYMOUS), Caller(CallerKind.PRINCIPAL, "bob")):
        with scopes.enter(scope):
            assert store.get(name) is None
            assert await store.aget(name) is None
            assert not store.delete(name)
            assert not await store.adelete(name)
    with scopes.enter(Caller(CallerKind.PRINCIPAL, "alice")):
        assert store.get(stored) == SECRET
    await store.aclose()


@pytest.mark.usefixtures("own_workers")
async def test_without_authentication_no_caller_waits_for_another_s_filter():
    container = Container(settings=Settings(sandbox_timeout=3))
    explorer = container.explorer()
    with container.tenancy().enter(Caller(CallerKind.ANONYMOUS)):
        theirs, mine = [await container.store().aput([number]) for number in range(2)]
        await explorer.aquery(mine, ".")
        async with anyio.create_task_group() as tasks:
            over = anyio.Event()

            async def attack() -> None:
                with pytest.raises(CoatcheckError, match="3 s"):
                    await explorer.aquery(theirs, "def f: f; f")
                over.set()

            tasks.start_soon(attack)
            await until(lambda: "R" in map(state_of, container.sandbox().pids()), "the filter runs")
            assert await explorer.aquery(mine, ".[0]") == "1"
            assert not over.is_set()
    container.sandbox().close()


@pytest.mark.parametrize(
    "name", ["HERS:obj_1", "obj%5F1", "obj_1%0a", "../obj_1", "obj_" + "x" * 100_000, "\u2028" * 500]
)
async def test_a_malformed_uri_reads_no_key_and_gets_a_bounded_response(name):
    asked: list[str] = []

    class RecordingBackend(InMemoryBackend):
        def get(self, key: str) -> bytes | None:
            asked.append(key)
            return super().get(key)

    interceptor = asyncio.get_running_loop().create_future()
    interceptor.set_result(Container(settings=Settings(), backend=RecordingBackend()).proxy_interceptor())
    request = {"jsonrpc": "2.0", "id": 1, "params": {"uri": f"coatcheck://objects/{name}"}}

    async def server_has(_uri: str) -> bool:
        return False

    answered = await answer_for_object(request, interceptor, server_has)
    assert "not found" in answered["error"]["message"]
    assert len(str(answered)) < 2_000
    assert "\u2028" not in str(answered)
    assert asked == []
