"""For any output of its server, each call gets a response, and the next call works."""

import pytest

from tests.security.odd_lines import ANSWERED, BY_NUMBER, MALFORMED, REFUSALS
from tests.security.serving import ACCESSES, wrapped_server
from tests.wrap.running import calling

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=ACCESSES)
def target(request, tmp_path_factory):
    with wrapped_server(request.param, "odd_lines.py", tmp_path_factory.mktemp("servers")) as connect:
        yield connect


def connected(target):
    return calling(target, seconds=20)


async def test_a_result_is_found_among_other_output_of_the_server(target):
    async with connected(target) as call:
        for name in ANSWERED | BY_NUMBER:
            answered = await call(name)
            assert answered in {"fine", "caf\ufffd"} or answered.startswith("@obj_"), name
            assert await call("fine") == "fine", name


async def test_an_error_of_the_server_is_unchanged(target):
    async with connected(target) as call:
        assert {await call(name) for name in REFUSALS} == {"error: refused"}


async def test_a_malformed_response_becomes_an_error_that_describes_it(target):
    async with connected(target) as call:
        for name in MALFORMED:
            answered = await call(name)
            assert answered.startswith("error: The "), name
            assert any(word in answered for word in ("malformed", "not JSON", "not a result")), name
            assert len(answered) < 500, name
            assert await call("fine") == "fine", name
