"""A server that never answers ``tools/list`` blocks neither calls nor the lists of other servers."""

import asyncio
import logging

import pytest

from coatcheck.proxy import list_prefetch
from coatcheck.proxy.gateway import merging
from coatcheck.proxy.gateway.upstream import State, Upstream
from coatcheck.proxy.list_prefetch import LIST, ToolListPrefetch
from coatcheck.proxy.own_requests import OwnRequests
from coatcheck.proxy.pending_requests import PendingRequests

pytestmark = pytest.mark.anyio
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "unknown"}}


class NoKnownTools:
    def has_listed(self, _tool: str) -> bool:
        return False


async def test_the_list_is_prefetched_once_and_again_when_the_tools_change(monkeypatch):
    monkeypatch.setattr(list_prefetch, "LIST_TIMEOUT", 0.01)
    asked = []
    prefetch = ToolListPrefetch(OwnRequests(lambda _line, message: asked.append(message["method"]), PendingRequests()))
    call = PendingRequests().add(CALL, None)
    for _ in range(3):
        await prefetch.learn_tools(NoKnownTools(), call)
    assert asked == [LIST]

    prefetch.list_again()
    await prefetch.learn_tools(NoKnownTools(), call)
    assert asked == [LIST, LIST]


async def test_the_tools_of_other_servers_are_still_listed(monkeypatch, caplog):
    monkeypatch.setattr(merging, "PAGE_TIMEOUT", 0.01)
    silent, other = (Upstream(name, lambda: None, None) for name in ("silent", "other"))
    for upstream in (silent, other):
        upstream.state, upstream.handshake_result = State.RUNNING, {"capabilities": {"tools": {}}}

    async def ask(upstream, _message, _params):
        if upstream is silent:
            await asyncio.Event().wait()
        return {"tools": [{"name": "add"}]}

    with caplog.at_level(logging.WARNING):
        listed = await merging.merged_list({"id": 1, "method": LIST}, [silent, other], ask)
    assert [tool["name"] for tool in listed["tools"]] == ["other__add", merging.SERVERS_TOOL]
    assert "silent did not list its tools" in caplog.text
