"""For any output of a server by URL, each call gets a response, and the next one works."""

import json

import pytest

from tests.wrap.odd_http_server import ANSWERED, FAILING, odd_server
from tests.wrap.running import calling, wrapped

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["stdio", "gateway", "http", "stateless http"])
def target(request, tmp_path_factory):
    """What a client connects to, each time it does."""
    with odd_server() as url:
        servers = tmp_path_factory.mktemp("servers") / "mcp.json"
        servers.write_text(json.dumps({"mcpServers": {"odd": {"type": "http", "url": url}}}))
        behind = ["--servers", str(servers)] if request.param == "gateway" else ["--url", url]
        with wrapped(request.param, *behind) as connect:
            yield connect


def connected(target):
    return calling(target, seconds=30)


async def test_a_response_is_found_in_every_valid_form(target):
    async with connected(target) as call:
        for name in ANSWERED:
            assert await call(name) in {"fine", "fin\ufffd"}, name


async def test_an_invalid_response_becomes_an_error_that_describes_it(target):
    async with connected(target) as call:
        for name in FAILING:
            answered = await call(name)
            assert answered.startswith("error: The "), name
            assert len(answered) < 700, name
            assert await call("fine") == "fine", name
