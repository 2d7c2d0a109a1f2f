"""A coatcheck that leads back to itself by URLs: the handshake fails at once, with an error that says so."""

import json

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from coatcheck.calls.nested_coatchecks import MAX_CHAIN, chain_of, loop_in, params_with_announcement
from tests.ports import free_port
from tests.results import text_of
from tests.wrap.running import FEATURES, WRAP, wrap_on_stdio, wrapped_over_http

pytestmark = pytest.mark.anyio
SAYS = "is its own upstream"


def url_of(port: int) -> str:
    return f"http://127.0.0.1:{port}/mcp"


async def assert_refused(connect, mode: str) -> None:
    with anyio.fail_after(60), pytest.RaisesGroup(MCPError, flatten_subgroups=True, allow_unwrapped=True) as raised:
        async with Client(connect(), mode=mode):
            pass
    assert SAYS in repr(raised.value.exceptions if isinstance(raised.value, ExceptionGroup) else raised.value)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("flags", [[], ["--stateless"]], ids=["sessions", "stateless"])
async def test_its_own_url_is_refused_directly_through_another_and_through_a_process(flags, mode):
    one, other = free_port(), free_port()
    with wrapped_over_http("--url", url_of(one), *flags, port=one) as (_, url, said):
        await assert_refused(lambda: url, mode)
        await assert_refused(lambda: wrap_on_stdio("--url", url), mode)
        assert "Traceback" not in "".join(said)
    with (
        wrapped_over_http("--url", url_of(other), *flags, port=one) as (_, url, _said),
        wrapped_over_http("--url", url_of(one), *flags, port=other),
    ):
        await assert_refused(lambda: url, mode)
    with wrapped_over_http(*flags, "--", *WRAP, "--url", url_of(one), port=one) as (_, url, _said):
        await assert_refused(lambda: url, mode)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("flags", [[], ["--stateless"]], ids=["sessions", "stateless"])
async def test_of_a_gateway_the_other_servers_work(flags, mode, tmp_path):
    port, servers = free_port(), tmp_path / "servers.json"
    entries = {"again": {"url": url_of(port)}, "other": {"command": FEATURES[0], "args": [*FEATURES[1:], "stdio"]}}
    servers.write_text(json.dumps({"mcpServers": entries}))
    with wrapped_over_http("--servers", str(servers), *flags, port=port) as (_, url, _said), anyio.fail_after(60):
        async with Client(url, mode=mode) as client:
            assert "other__text" in [tool.name for tool in (await client.list_tools()).tools]
            assert SAYS in text_of(await client.call_tool("coatcheck_servers", {}))


def test_a_chain_of_many_is_refused_and_its_own_id_stands_in_it_once():
    hello = {"method": "initialize", "params": {"capabilities": {"experimental": {"other": {}}}}}
    assert not chain_of(hello)
    params = params_with_announcement(hello)
    assert params["capabilities"]["experimental"]["other"] == {}
    chain = chain_of({**hello, "params": params})
    assert SAYS in loop_in(chain)
    assert chain_of({**hello, "params": params_with_announcement({**hello, "params": params})}) == chain
    assert not loop_in(["x"] * (MAX_CHAIN - 1))
    assert str(MAX_CHAIN) in loop_in(["x"] * MAX_CHAIN)


@pytest.mark.parametrize("announced", [None, True, [], {"chain": 7}, {"chain": [7, None, {}]}, {"chain": {}}])
def test_a_malformed_chain_is_none(announced):
    hello = {"method": "initialize", "params": {"capabilities": {"experimental": {"coatcheck": announced}}}}
    assert chain_of(hello) == []
