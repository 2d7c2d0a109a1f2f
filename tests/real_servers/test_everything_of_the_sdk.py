"""The Python SDK's server with every feature and both kinds of protocol: clients receive the same directly and wrapped."""

from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import pytest
from mcp.client import InputRequiredRoundsExceededError
from mcp.types import (
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    PromptReference,
    Root,
    TextContent,
)

from tests.real_servers.sessions import Session, both

pytestmark = [pytest.mark.npm, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "test_sampling": {"prompt": "a poem"},
    "test_elicitation": {"message": "Who are you?"},
    "test_x_mcp_header": {"region": "Styria"},
}
NOT_OVER_STDIO = {"test_reconnection"}
VERSIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


async def sample(_context: Any, params: Any) -> CreateMessageResult:
    asked = params.messages[0].content.text
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text=f"Re: {asked}"), model="test")


async def elicit(_context: Any, params: Any) -> ElicitResult:
    wanted = params.requested_schema["properties"]
    values: dict[str, Any] = {name: _value_for(schema) for name, schema in wanted.items()}
    return ElicitResult(action="accept", content=values)


def _value_for(schema: dict[str, Any]) -> Any:
    if "oneOf" in schema:
        return schema["oneOf"][0]["const"]
    kinds = {"integer": 3, "number": 2.5, "boolean": True, "array": []}
    return schema.get("enum", [kinds.get(schema["type"], "Ann")])[0]


async def list_roots(_context: Any) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri="file:///tmp/one", name="one")])


async def call(session: Session, tool: str) -> None:
    async def on_progress(*_: Any) -> None:
        pass

    with suppress(InputRequiredRoundsExceededError):  # One of the tools elicits endlessly.
        await session.client.call_tool(tool, ARGUMENTS.get(tool, {}), progress_callback=on_progress)


async def complete(session: Session) -> None:
    prompt = PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
    await session.client.complete(prompt, {"name": "arg1", "value": "A"})


OTHER_STEPS: dict[str, Any] = {
    "resources": lambda session: session.client.list_resources(),
    "text resource": lambda session: session.client.read_resource("test://static-text"),
    "binary resource": lambda session: session.client.read_resource("test://static-binary"),
    "template": lambda session: session.client.read_resource("test://template/7/data"),
    "no such resource": lambda session: session.client.read_resource("test://none"),
    "prompts": lambda session: session.client.list_prompts(),
    "prompt": lambda session: session.client.get_prompt("test_prompt_with_arguments", {"arg1": "one", "arg2": "two"}),
    "prompt with image": lambda session: session.client.get_prompt("test_prompt_with_image"),
    "prompt that asks back": lambda session: session.client.get_prompt("test_input_required_result_prompt"),
    "no such prompt": lambda session: session.client.get_prompt("none"),
    "completion": complete,
    "no such method": lambda session: session.ask("vendor/method", {"some": "thing"}),
    "subscribing": lambda session: session.ask("resources/subscribe", {"uri": "test://watched-resource"}),
    "log level": lambda session: session.ask("logging/setLevel", {"level": "info"}),
    "ping": lambda session: session.ask("ping"),
}


async def listen(session: Session) -> tuple[str, dict[str, Any]]:
    tools = [tool.name for tool in (await session.client.list_tools()).tools]
    steps = {name: partial(call, tool=name) for name in tools if name.startswith("test_")} | OTHER_STEPS
    received = {name: await session.received_during(step) for name, step in steps.items() if name not in NOT_OVER_STDIO}
    without_lists = {
        name: [_comparable(message) for message in messages if "tools" not in message.get("result", {})]
        for name, messages in received.items()
    }
    return session.client.protocol_version, without_lists


def _comparable(message: dict[str, Any]) -> dict[str, Any]:
    """Remove the sealed state, which is encrypted differently each time."""
    result = message.get("result", {})
    if isinstance(result.get("requestState"), str):
        return {**message, "result": {**result, "requestState": "<sealed>"}}
    return message


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_every_feature_is_the_same_with_each_kind_of_protocol(everything_of_the_sdk, mode):
    options: dict[str, Any] = {
        "mode": mode,
        "log_level": "debug",
        "input_required_max_rounds": 4,
        "sampling_callback": sample,
        "elicitation_callback": elicit,
        "list_roots_callback": list_roots,
    }
    direct, wrapped = anyio.run(partial(both, everything_of_the_sdk, listen, **options))
    assert direct[0] == wrapped[0] == VERSIONS[mode]
    assert len(direct[1]) > 35
    assert wrapped[1].keys() == direct[1].keys()
    different = {
        name: (wrapped[1][name], received) for name, received in direct[1].items() if wrapped[1][name] != received
    }
    assert different == {}
    answer = "Hello, Ann!" if mode == "auto" else "Re: a poem"
    assert answer in str(wrapped[1])
