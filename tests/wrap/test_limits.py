"""How much passes unchanged: by tool, in tokens, and for several results of one round."""

import subprocess

import anyio
import pytest
from mcp import Client

from tests.wrap.running import FEATURES, WRAP, reference_in, words, wrap_on_stdio

pytestmark = pytest.mark.anyio
COMMAND = ["--", *FEATURES, "stdio"]


async def test_limits_never_and_always_go_by_the_tools_name():
    flags = ["--limit", "te*=500", "--limit", "9000", "--never", "rows", "--always", "proc*"]
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*flags, *COMMAND)) as client:
            assert words(await client.call_tool("text", {"size": 450})).startswith("line of text")
            short = words(await client.call_tool("text", {"size": 3_000}))
            assert short.startswith("@obj_")
            assert len(short) <= 500
            assert (await client.call_tool("rows", {"count": 2_000})).structured_content["result"][1_999] == {
                "id": 1_999
            }
            kept = await client.call_tool("process", {})
            number, note = (block.text for block in kept.content)
            assert number.isdecimal()
            assert words(await client.call_tool("length", {"value": reference_in(note)})) == str(len(number))


async def test_the_general_limit_holds_where_no_pattern_does():
    long = "sesame" * 1_000
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio("--limit", "9000", *COMMAND, LONG=long)) as client:
            assert words(await client.call_tool("variable", {"name": "LONG"})) == long
        async with Client(wrap_on_stdio(*COMMAND, LONG=long)) as client:
            assert words(await client.call_tool("variable", {"name": "LONG"})).startswith("@obj_")


async def test_limits_in_tokens_are_four_characters_each():
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio("--tokens", "--limit", "500", *COMMAND)) as client:
            assert words(await client.call_tool("text", {"size": 1_900})).startswith("line")
            assert words(await client.call_tool("text", {"size": 2_100})).startswith("@obj_")


@pytest.mark.parametrize(("flags", "budget"), [([], 16_000), (["--round-limit", "6000"], 6_000)])
async def test_results_of_calls_made_at_once_stay_within_a_common_budget(flags, budget):
    seen = []

    async def call(client) -> None:
        seen.append(words(await client.call_tool("text", {"size": 3_500})))

    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*flags, *COMMAND)) as client:
            await client.list_tools()
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(call, client)
            whole = [text for text in seen if text.startswith("line")]
            assert 0 < len(whole) <= budget // 3_500
            assert all(len(text) <= 1_000 for text in seen if text not in whole)
            # What is left out is kept, and a later call has a budget of its own.
            assert all(text.startswith("@obj_") for text in seen if text not in whole)
            await anyio.sleep(1)
            assert words(await client.call_tool("text", {"size": 3_500})).startswith("line")


async def test_without_a_round_limit_each_result_stands_for_itself():
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio("--round-limit", "0", *COMMAND)) as client:
            for _ in range(10):
                assert words(await client.call_tool("text", {"size": 3_500})).startswith("line")


@pytest.mark.parametrize("given", ["text=many", "=5", "-3", "*"])
def test_a_limit_that_is_none_is_refused(given):
    command = [*WRAP, f"--limit={given}", "--", "cat"]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert ended.returncode == 1
    assert "PATTERN=NUMBER" in ended.stderr
