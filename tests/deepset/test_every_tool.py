"""Every tool through a real MCP client and the real command, in all ways of giving the key and the workspace."""

import contextlib
from collections.abc import Iterator
from typing import Any

import anyio
import httpx2
import pytest
from mcp.server import MCPServer

from coatcheck.lifecycle import running
from coatcheck.server import configure_mcp_server
from coatcheck.tool_factory import WorkspaceMode
from coatcheck.toolsets.deepset.simulator import SimulatedPlatform
from tests.deepset.conftest import KEYS, listening
from tests.deepset.scenario import PARTS, PIPELINE, Session
from tests.deepset.serving import client_of, over_http, over_stdio
from tests.results import reference_in, text_of

pytestmark = pytest.mark.anyio


async def every_tool(client, workspace, tag="one") -> Session:
    session = Session(client, workspace, tag)
    for part in PARTS:
        await part(session)
    listed = {tool.name for tool in (await client.list_tools()).tools}
    assert listed - set(session.called) == {
        "object_store_get", "object_store_slice", "object_store_put", "object_store_delete", "object_store_list",
    }  # fmt: skip
    return session


async def test_over_stdio_with_a_fixed_workspace(api_url, platform):
    flags = ["--api-url", api_url, "--workspace", "default", "--docs-share-url", platform.share_url()]
    async with over_stdio(*flags, DEEPSET_API_KEY="key-of-ada") as client:
        assert not platform.requests  # no request is sent at the start
        session = await every_tool(client, None)
    keys = {request.headers["authorization"] for request in platform.requests}
    assert "Bearer key-of-ada" in keys
    assert "Bearer key-of-grace" not in keys
    assert "key-of-ada" not in "".join(session.answers)


async def test_over_stdio_where_the_model_names_the_workspace(api_url, platform):
    variables = {
        "DEEPSET_API_KEY": "key-of-ada",
        "DEEPSET_API_URL": api_url,
        "DEEPSET_DOCS_SHARE_URL": platform.share_url(),
        "DEEPSET_CLIENT_TIMEOUT": "30",
    }
    async with over_stdio(mode="legacy", **variables) as client:
        await every_tool(client, "default")


@contextlib.contextmanager
def serve_in_process(**given: Any) -> Iterator[str]:
    """Serve the result of `configure_mcp_server` over HTTP, and yield the URL."""
    containers: list[Any] = []
    server: MCPServer[Any] = MCPServer("deepset", lifespan=lambda _: running(containers[0]))
    containers.append(configure_mcp_server(server, **given))
    with listening(server.streamable_http_app(host="127.0.0.1"), lifespan="on") as url:
        yield f"{url}/mcp"


@pytest.fixture(scope="module")
def url_for_keys_of_requests(replaceable) -> Iterator[str]:
    """The command, with keys from requests and one workspace."""
    flags = [
        "--api-key-from-auth-header",
        "--workspace",
        "default",
        "--docs-share-url",
        SimulatedPlatform().share_url(),
    ]
    with over_http(*flags, "--api-url", f"{replaceable[1]}/api") as url:
        yield url


async def test_over_http_two_users_with_separate_keys_are_isolated(url_for_keys_of_requests, api_url, platform):
    await two_users(url_for_keys_of_requests, None, "auto", platform)


async def test_over_http_two_users_name_the_workspace_themselves(api_url, platform):
    given = {
        "workspace_mode": WorkspaceMode.DYNAMIC,
        "get_api_key_from_authorization_header": True,
        "deepset_api_url": api_url,
        "deepset_docs_shareable_prototype_url": platform.share_url(),
    }
    with serve_in_process(**given) as url:
        await two_users(url, "default", "legacy", platform)


async def two_users(url, workspace, mode, platform):
    async with client_of(url, "key-of-ada", mode) as ada, client_of(url, "key-of-grace", mode) as grace:
        sessions: dict[str, Session] = {}

        async def work(name, client):
            sessions[name] = await every_tool(client, workspace, name)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work, "ada", ada)
            tasks.start_soon(work, "grace", grace)

        for name, other, client in (("ada", "grace", grace), ("grace", "ada", ada)):
            theirs = {reference_in(text) for text in sessions[name].answers if text.startswith("@obj_")}
            listed = text_of(await client.call_tool("object_store_list", {}))
            assert not [reference for reference in theirs if f"{reference} " in listed]
            refused = await client.call_tool("object_store_get", {"object_id": min(theirs)})
            assert refused.is_error, other
            assert "not found" in text_of(refused)
    pipelines = platform.state.workspaces["default"].pipelines
    made = {name: pipelines[f"faq/{name}"].record["created_by"]["given_name"] for name in ("ada", "grace")}
    assert made == {"ada": "Ada", "grace": "Grace"}


@pytest.mark.parametrize(
    "workspace", [None, pytest.param("default", marks=pytest.mark.long)], ids=["static", "dynamic"]
)
async def test_over_http_a_server_may_have_its_own_key(workspace, api_url, platform):
    given = {
        "deepset_api_key": "key-of-grace",
        "deepset_workspace": "default" if workspace is None else None,
        "deepset_api_url": api_url,
        "deepset_docs_shareable_prototype_url": platform.share_url(),
    }
    with serve_in_process(**given) as url:
        async with client_of(url, None) as client:
            await Session(client, workspace).call("get_pipeline", "config_yaml", pipeline_name=PIPELINE)
            listing = await client.call_tool("object_store_list", {})
            assert listing.is_error  # callers are anonymous: an id is an object's only protection
            await every_tool(client, workspace)
    keys = {request.headers["authorization"] for request in platform.requests}
    assert "Bearer key-of-grace" in keys
    assert "Bearer key-of-ada" not in keys


async def test_a_request_without_a_key_is_refused_before_anything_is_called(url_for_keys_of_requests, platform):
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_pipelines", "arguments": {}}}
    async with httpx2.AsyncClient(timeout=60) as http:
        accept = {"Accept": "application/json, text/event-stream"}
        for key in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
            answered = await http.post(url_for_keys_of_requests, json=call, headers={**accept, **key})
            assert answered.status_code == 401
    async with client_of(url_for_keys_of_requests, "unknown-key") as client:
        refused = await client.call_tool("list_pipelines", {})
        assert refused.is_error
        assert "ask the user to check the deepset API key" in text_of(refused)
    assert [request.headers["authorization"] for request in platform.requests] == ["Bearer unknown-key"]
    assert "unknown-key" not in KEYS


async def test_a_session_of_one_key_refuses_another_key(url_for_keys_of_requests, platform):
    hello = {
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}
        },
    }  # fmt: skip
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_pipelines", "arguments": {}}}
    url = url_for_keys_of_requests
    async with httpx2.AsyncClient(timeout=60) as http:
        accept = {"Accept": "application/json, text/event-stream"}
        ada = {**accept, "Authorization": "Bearer key-of-ada"}
        session = (await http.post(url, json=hello, headers=ada)).headers["mcp-session-id"]
        grace = {**accept, "Authorization": "Bearer key-of-grace", "mcp-session-id": session}
        answered = await http.post(url, json=call, headers=grace)
        assert answered.status_code in {401, 403, 404}
    assert not platform.requests


async def test_requests_are_independent_behind_a_load_balancer(api_url, platform):
    flags = ["--api-key-from-auth-header", "--workspace", "default", "--api-url", api_url, "--stateless"]
    with over_http(*flags) as url:
        async with client_of(url, "key-of-ada") as ada, client_of(url, "key-of-grace", "legacy") as grace:
            kept = reference_in(await Session(ada, None).call("list_pipelines"))
            await Session(ada, None).call("object_store_get", object_id=kept)
            refused = await grace.call_tool("object_store_get", {"object_id": kept})
            assert refused.is_error
