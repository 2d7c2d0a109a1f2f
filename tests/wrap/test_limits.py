"""Size limits of results: by tool, in tokens, and for several results of one round."""

import re
import subprocess

import anyio
import pytest
from mcp import Client

from coatcheck.backends.memory import InMemoryBackend
from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.limits import WINDOW
from coatcheck.containers import Container
from coatcheck.explorer import Explorer
from coatcheck.object_store import ObjectStore
from coatcheck.settings import Settings
from tests.results import reference_in, text_of
from tests.waiting import until
from tests.wrap.running import FEATURES, WRAP, wrap_on_stdio, wrapped_over_http

pytestmark = pytest.mark.anyio
COMMAND = ["--", *FEATURES, "stdio"]


async def test_limits_never_keep_and_always_keep_depend_on_the_tool_s_name():
    flags = ["--tool-limits", "te*=500", "--inline-limit", "9000", "--never-keep", "rows", "--always-keep", "proc*"]
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*flags, *COMMAND)) as client:
            assert text_of(await client.call_tool("text", {"size": 450})).startswith("line of text")
            short = text_of(await client.call_tool("text", {"size": 3_000}))
            assert short.startswith("@obj_")
            assert len(short) <= 500
            assert (await client.call_tool("rows", {"count": 2_000})).structured_content["result"][1_999] == {
                "id": 1_999
            }
            kept = await client.call_tool("process", {})
            number, note = (block.text for block in kept.content)
            assert number.isdecimal()
            assert text_of(await client.call_tool("length", {"value": reference_in(note)})) == str(len(number))


async def test_the_general_limit_applies_to_tools_without_a_pattern():
    long = "sesame" * 1_400
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio("--inline-limit", "9000", *COMMAND, LONG=long)) as client:
            assert text_of(await client.call_tool("variable", {"name": "LONG"})) == long
        async with Client(wrap_on_stdio(*COMMAND, LONG=long)) as client:
            assert text_of(await client.call_tool("variable", {"name": "LONG"})).startswith("@obj_")


async def test_limits_in_tokens_apply_to_text_with_fewer_than_four_characters_per_token():
    prose = "The quick brown fox jumps over the lazy dog while nobody looks. " * 30  # 4.6 characters a token
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio("--limits-in-tokens", "--inline-limit", "500", *COMMAND, LONG=prose)) as client:
            assert text_of(await client.call_tool("variable", {"name": "LONG"})).startswith("The")
            assert text_of(await client.call_tool("text", {"size": 1_400})).startswith("line")
            assert text_of(await client.call_tool("text", {"size": 1_800})).startswith("@obj_")  # 560 tokens
            assert text_of(await client.call_tool("text", {"size": 2_100})).startswith("@obj_")


@pytest.mark.parametrize(("flags", "budget"), [([], 16_000), (["--round-limit", "6000"], 6_000)])
async def test_results_of_calls_made_concurrently_stay_within_a_common_budget(flags, budget):
    seen = []

    async def call(client) -> None:
        seen.append(text_of(await client.call_tool("text", {"size": 3_500})))

    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*flags, *COMMAND)) as client:
            await client.list_tools()
            async with anyio.create_task_group() as group:
                for _ in range(10):
                    group.start_soon(call, client)
            whole = [text for text in seen if text.startswith("line")]
            assert 0 < len(whole) <= budget // 3_500
            assert all(len(text) <= 1_000 for text in seen if text not in whole)
            # Omitted results are kept, and a later call has a new budget.
            assert all(text.startswith("@obj_") for text in seen if text not in whole)
            await until(lambda: is_unchanged(client), "a later call has a new budget", interval=2 * WINDOW)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_concurrent_calls_over_http_share_a_budget_too(mode):
    with wrapped_over_http("--round-limit", "6000", *COMMAND) as (_, url, _log), anyio.fail_after(60):
        async with Client(url, mode=mode) as client:
            assert await count_unchanged(client) == 1
            await until(lambda: is_unchanged(client), "a later call has a new budget", interval=2 * WINDOW)


@pytest.mark.parametrize(("mode", "whole"), [("auto", 6), ("legacy", 1)])
async def test_anonymous_callers_share_no_budget_but_calls_of_a_session_do(mode, whole):
    flags = ["--host", "0.0.0.0", "--unprotected", "--round-limit", "6000"]
    with wrapped_over_http(*flags, *COMMAND) as (_, url, _log), anyio.fail_after(60):
        async with Client(url.replace("0.0.0.0", "127.0.0.1"), mode=mode) as client:
            assert await count_unchanged(client) == whole


async def is_unchanged(client) -> bool:
    return text_of(await client.call_tool("text", {"size": 3_500})).startswith("line")


async def count_unchanged(client) -> int:
    """Make six concurrent calls; return the number of complete results."""
    seen = []

    async def call() -> None:
        seen.append(text_of(await client.call_tool("text", {"size": 3_500})))

    await client.list_tools()
    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(call)
    return sum(text.startswith("line") for text in seen)


async def test_variables_set_limits_without_flags():
    variables = {"COATCHECK_TOOL_LIMITS": "te*=500", "COATCHECK_NEVER_KEEP": "rows", "COATCHECK_ALWAYS_KEEP": "proc*"}
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*COMMAND, **variables)) as client:
            assert len(text_of(await client.call_tool("text", {"size": 3_000}))) <= 500
            assert len((await client.call_tool("rows", {"count": 2_000})).structured_content["result"]) == 2_000
            assert reference_in(text_of(await client.call_tool("process", {})))
        async with Client(wrap_on_stdio("--tool-limits", "te*=5000", *COMMAND, **variables)) as client:
            assert text_of(await client.call_tool("text", {"size": 3_000})).startswith("line")


async def test_object_tools_that_are_left_out_are_not_mentioned():
    flags = ["--object-tools", "query,list", "--tool-prefix", "kept_", "--filter-argument", "off"]
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio(*flags, *COMMAND)) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            read = [client.instructions]
            for tool, arguments in (
                ("text", {"size": 30_000}),
                ("rows", {"count": 2_000}),
                ("kept_query", {"object_id": "@obj_001", "filter": "keys"}),
                ("kept_query", {"object_id": "@obj_001", "filter": "1, ("}),
                ("kept_query", {"object_id": "@obj_002", "path": "nowhere", "filter": "."}),
                ("kept_list", {"limit": 3}),
                ("text", {"size": "@obj_404"}),
            ):
                read.append(text_of(await client.call_tool(tool, arguments)))
    assert [name for name in names if name.startswith("kept_")] == ["kept_query", "kept_list"]
    assert "closer with kept_query." in read[0]
    assert not [text for text in read if re.search(r"object_store_|kept_(get|slice|grep|sed|put|delete)|_filter", text)]


async def test_instructions_follow_the_settings_from_every_source(tmp_path):
    async def call_text(*flags, **variables):
        async with Client(wrap_on_stdio(*flags, *COMMAND, **variables)) as client:
            return client.instructions.partition("\n\n")[2]

    config = tmp_path / "coatcheck.toml"
    config.write_text('object_tools = ["list"]')
    with anyio.fail_after(60):
        assert await call_text() == Container(settings=Settings()).interceptor().instructions
        assert "kept tools" in await call_text(coatcheck_tool_prefix="kept_")
        assert "_filter" not in await call_text(COATCHECK_FILTER_ARGUMENT="advertised")
        assert "Look closer" not in await call_text(COATCHECK_CONFIG=str(config))
        assert "Look closer" not in await call_text("--config", str(config))


async def test_without_a_round_limit_results_are_independent():
    with anyio.fail_after(60):
        async with Client(wrap_on_stdio("--round-limit", "0", *COMMAND)) as client:
            for _ in range(10):
                assert text_of(await client.call_tool("text", {"size": 3_500})).startswith("line")


@pytest.mark.parametrize(
    ("flag", "given", "message"),
    [
        ("--tool-limits", "text=many", "PATTERN=NUMBER"),
        ("--tool-limits", "=5", "PATTERN=NUMBER"),
        ("--tool-limits", "*", "PATTERN=NUMBER"),
        ("--inline-limit", "many", "a whole number is expected"),
        ("--object-store-ttl", "long", "a number is expected"),
    ],
)
def test_an_invalid_limit_is_refused_before_the_server_starts(flag, given, message):
    command = [*WRAP, f"{flag}={given}", "--", "cat"]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert ended.returncode == 2
    assert flag in ended.stderr
    assert message in ended.stderr


def test_a_negative_limit_is_refused():
    command = [*WRAP, "--inline-limit=-3", "--", "cat"]
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    assert ended.returncode == 2
    assert "inline_limit" in ended.stderr


def test_the_remembered_tools_of_a_server_are_bounded(monkeypatch):
    monkeypatch.setattr("coatcheck.calls.interceptor.MAX_TOOLS", 100)
    interceptor = Interceptor(Explorer(ObjectStore(InMemoryBackend())))
    for number in range(1_000):
        interceptor.learn([{"name": "always", "inputSchema": {}}, {"name": f"tool {number}", "outputSchema": {}}])
    known = [number for number in range(1_000) if interceptor.has_listed(f"tool {number}")]
    assert known == list(range(901, 1_000))
    assert interceptor.has_listed("always")
