"""The official server with every feature, step by step: a client receives the same directly and wrapped."""

import json
import os
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import jsonschema
import pytest
from mcp.types import (
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    PromptReference,
    ResourceTemplateReference,
    Root,
    TextContent,
)

from tests.real_servers.sessions import Session, both

pytestmark = [pytest.mark.npm, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]
OWN_PREFIX = "object_store_"
DOCUMENT = "demo://resource/static/document/features.md"
TEXT_RESOURCE = "demo://resource/dynamic/text/{resourceId}"


async def sample(_context: Any, params: Any) -> CreateMessageResult:
    asked = params.messages[0].content.text
    return CreateMessageResult(
        role="assistant", content=TextContent(type="text", text=f"An answer to: {asked}"), model="test"
    )


async def elicit(_context: Any, params: Any) -> ElicitResult:
    if params.mode == "url":
        return ElicitResult(action="accept")
    properties = params.requested_schema["properties"]
    if "interpretation" in properties:
        return ElicitResult(action="accept", content={"interpretation": "snake"})
    return ElicitResult(action="accept", content={"name": "Ann", "check": True, "integer": 7, "number": 2.5})


async def list_roots(_context: Any) -> ListRootsResult:
    return ListRootsResult(roots=[Root(uri="file:///tmp/one", name="one"), Root(uri="file:///tmp/two")])


CLIENT: dict[str, Any] = {
    "sampling_callback": sample,
    "elicitation_callback": elicit,
    "list_roots_callback": list_roots,
}


def call(tool: str, **arguments: Any) -> Any:
    return lambda session: session.client.call_tool(tool, arguments)


def ask(method: str, **params: Any) -> Any:
    return lambda session: session.ask(method, params or None)


async def call_and_ping(session: Session, tool: str, **arguments: Any) -> None:
    """Call a tool that sends messages after its result, and wait for them."""
    await session.client.call_tool(tool, arguments)
    await session.client.send_ping()


async def call_with_progress(session: Session) -> None:
    async def on_progress(*_: Any) -> None:
        pass

    arguments = {"duration": 0.2, "steps": 4}
    await session.client.call_tool("trigger-long-running-operation", arguments, progress_callback=on_progress)


async def cancel_a_call(session: Session) -> None:
    """Cancel a call at its first progress notification; the server completes it, but must not respond."""
    async with anyio.create_task_group() as group:

        async def on_progress(*_: Any) -> None:
            group.cancel_scope.cancel()

        arguments = {"duration": 0.6, "steps": 3}
        await session.client.call_tool("trigger-long-running-operation", arguments, progress_callback=on_progress)
    start = len(session.messages)
    await session.until(lambda message: message in session.messages[start - 1 :] and _progress(message) == 3)
    await session.client.send_ping()


def _progress(message: dict[str, Any]) -> Any:
    return message.get("params", {}).get("progress") if message.get("method") == "notifications/progress" else None


async def get_subscribed_updates(session: Session) -> None:
    await session.client.subscribe_resource(DOCUMENT)
    await session.client.call_tool("toggle-subscriber-updates", {})
    await session.client.send_ping()
    await session.client.call_tool("toggle-subscriber-updates", {})
    await session.client.unsubscribe_resource(DOCUMENT)
    await session.client.send_ping()


async def get_logs(session: Session) -> None:
    await session.client.set_logging_level("debug")
    await session.client.call_tool("toggle-simulated-logging", {})
    await session.client.send_ping()
    await session.client.call_tool("toggle-simulated-logging", {})


async def list_and_read_all_resources(session: Session) -> None:
    listed = await session.client.list_resources()
    for resource in listed.resources:
        await session.client.read_resource(resource.uri)


async def complete(session: Session) -> None:
    template = ResourceTemplateReference(type="ref/resource", uri=TEXT_RESOURCE)
    prompt = PromptReference(type="ref/prompt", name="completable-prompt")
    await session.client.complete(template, {"name": "resourceId", "value": "12"})
    await session.client.complete(prompt, {"name": "department", "value": "E"})
    await session.client.complete(prompt, {"name": "name", "value": "A"}, {"department": "Engineering"})


async def run_a_task(session: Session) -> None:
    """Run a tool as a task that elicits input; the client does not know these older methods."""
    arguments = {"topic": "python", "ambiguous": True}
    params = {"name": "simulate-research-query", "arguments": arguments, "task": {"ttl": 60_000}}
    made = await session.ask("tools/call", params)
    task = {"taskId": made["task"]["taskId"]}
    await session.ask("tasks/get", task)
    await session.ask("tasks/list")
    await session.ask("tasks/result", task)
    await session.ask("tasks/get", task)
    await session.ask("tasks/cancel", task)


GZIPPED = {"name": "a.gz", "data": "data:text/plain,hello"}
STEPS: dict[str, Any] = {
    "text": call("echo", message="grüße \u2028 \U0001f9e5"),
    "numbers": call("get-sum", a=1, b=2.5),
    "annotated": call("get-annotated-message", messageType="error", includeImage=True),
    "annotated differently": call("get-annotated-message", messageType="debug"),
    "image": call("get-tiny-image"),
    "structured content": call("get-structured-content", location="Chicago"),
    "resource links": call("get-resource-links", count=10),
    "embedded text": call("get-resource-reference", resourceType="Text", resourceId=2),
    "embedded blob": call("get-resource-reference", resourceType="Blob", resourceId=3),
    "environment": call("get-env"),
    "new resource": partial(call_and_ping, tool="gzip-file-as-resource", outputType="resource", **GZIPPED),
    "new resource's link": partial(call_and_ping, tool="gzip-file-as-resource", outputType="resourceLink", **GZIPPED),
    "progress": call_with_progress,
    "no progress wanted": call("trigger-long-running-operation", duration=0.05, steps=2),
    "cancelling": cancel_a_call,
    "logging": get_logs,
    "subscription": get_subscribed_updates,
    "resources": list_and_read_all_resources,
    "template read": ask("resources/read", uri="demo://resource/dynamic/blob/7"),
    "prompts": ask("prompts/list"),
    "prompt": ask("prompts/get", name="simple-prompt"),
    "prompt with arguments": ask("prompts/get", name="args-prompt", arguments={"city": "Graz", "state": "Styria"}),
    "prompt with resource": ask(
        "prompts/get", name="resource-prompt", arguments={"resourceType": "Blob", "resourceId": "1"}
    ),
    "completion": complete,
    "ping": ask("ping"),
    "tool error": call("get-sum", a="one", b=2),
    "tool refuses": call("get-resource-reference", resourceId=-1),
    "no such tool": call("no-such-tool"),
    "no such resource": ask("resources/read", uri="demo://resource/none"),
    "no such prompt": ask("prompts/get", name="none"),
    "no such method": ask("vendor/method", some="thing"),
    "wrong parameters": ask("tools/call", name=3),
    "cursor": ask("resources/list", cursor="no-such-cursor"),
    "task list": ask("tasks/list"),
    "no such task": ask("tasks/get", taskId="none"),
}
ASKING_BACK: dict[str, Any] = {
    "sampling": call("trigger-sampling-request", prompt="a poem", maxTokens=12),
    "elicitation": call("trigger-elicitation-request"),
    "elicitation by url": call("trigger-url-elicitation", url="https://example.org/a", elicitationId="e-1"),
    "elicitation by error": call("trigger-url-elicitation", url="https://example.org/b", errorPath=True),
    "roots": call("get-roots-list"),
    "task": run_a_task,
}


@dataclass(frozen=True)
class Recording:
    """The recorded messages of a server."""

    greeting: dict[str, Any]
    tools: list[dict[str, Any]]
    templates: list[dict[str, Any]]
    steps: dict[str, list[dict[str, Any]]]


async def listen(session: Session, steps: dict[str, Any]) -> Recording:
    """Take all steps; lists that the client requests by itself before some of them are not recorded."""
    if steps is ASKING_BACK:
        await session.until(lambda message: "Roots updated" in str(message))
    greeting = next(message["result"] for message in session.messages if "serverInfo" in message.get("result", {}))
    tools = await session.ask("tools/list")
    templates = await session.ask("resources/templates/list")
    assert tools.keys() == {"tools"}
    received = {name: await session.received_during(step) for name, step in steps.items()}
    kept = {
        name: [message for message in messages if "tools" not in message.get("result", {})]
        for name, messages in received.items()
    }
    return Recording(greeting, tools["tools"], templates["resourceTemplates"], kept)


@pytest.fixture(scope="module")
def minimal_client(everything) -> tuple[Recording, Recording]:
    """Recordings of a client without capabilities, direct and wrapped."""
    environment = {"PATH": os.environ["PATH"]}
    return anyio.run(partial(both, everything, partial(listen, steps=STEPS), mode="auto", env=environment))


@pytest.fixture(scope="module")
def capable_client(everything) -> tuple[Recording, Recording]:
    """Recordings of a client with all capabilities, direct and wrapped."""
    return anyio.run(partial(both, everything, partial(listen, steps=ASKING_BACK), mode="legacy", **CLIENT))


@pytest.mark.parametrize("step", STEPS)
def test_a_client_without_capabilities_receives_the_same(minimal_client, step):
    direct, wrapped = minimal_client
    assert direct.steps[step] != []
    assert without_guard(wrapped.steps[step]) == without_guard(direct.steps[step])


def without_guard(answers: list[Any]) -> list[Any]:
    """Remove the environment variable by which `wrap` recognises itself among the ancestors of a server."""
    guard = re.compile(r',?\\n *\\"MCP_WRAP_ANCESTORS\\": *\\"[^"]*\\"')
    return json.loads(guard.sub("", json.dumps(answers)))


@pytest.mark.parametrize("step", ASKING_BACK)
def test_a_client_with_all_capabilities_receives_the_same(capable_client, step):
    direct, wrapped = capable_client
    assert direct.steps[step] != []
    assert wrapped.steps[step] == direct.steps[step]


def test_the_server_received_the_client_s_answers(capable_client):
    steps = capable_client[1].steps
    assert "An answer to: Resource trigger-sampling-request context: a poem" in str(steps["sampling"])
    assert "file:///tmp/two" in str(steps["roots"])
    assert "Favorite Integer: 7" in str(steps["elicitation"])
    assert "python (snake)" in str(steps["task"])


def test_the_steps_lead_to_errors_and_to_every_kind_of_notification(minimal_client):
    steps = minimal_client[0].steps
    assert {name for name, messages in steps.items() if any("error" in message for message in messages)} == {
        "no such resource",
        "no such prompt",
        "no such method",
        "wrong parameters",
        "no such task",
    }
    assert {message["method"] for messages in steps.values() for message in messages if "method" in message} == {
        "notifications/message",
        "notifications/progress",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
    }


@pytest.mark.parametrize(("client", "count"), [("minimal_client", 13), ("capable_client", 17)])
def test_handshake_and_lists_differ_only_by_our_additions(client, count, request):
    direct, wrapped = request.getfixturevalue(client)
    own_instructions = wrapped.greeting["instructions"].removeprefix(direct.greeting["instructions"])
    assert "@obj_" in own_instructions
    assert len(own_instructions) < 1_000
    assert {**wrapped.greeting, "instructions": ""} == {**direct.greeting, "instructions": ""}
    assert len(direct.tools) == count
    for ours, original in zip(wrapped.tools, direct.tools, strict=False):
        assert _without_schemas(ours) == _without_schemas(original)
        assert_input_schema_only_widened(ours["inputSchema"], original["inputSchema"])
    added = [tool["name"] for tool in wrapped.tools[count:]]
    assert added != []
    assert all(name.startswith(OWN_PREFIX) for name in added)
    assert wrapped.templates[: len(direct.templates)] == direct.templates
    assert [each["uriTemplate"] for each in wrapped.templates[len(direct.templates) :]] == [
        "coatcheck://objects/{object_id}"
    ]


def _without_schemas(tool: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in tool.items() if key not in {"inputSchema", "outputSchema"}}


def assert_input_schema_only_widened(ours: dict[str, Any], original: dict[str, Any]) -> None:
    """Check that everything outside the properties is unchanged but for draft 7, and all their annotations too."""
    assert original["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert {**ours, "properties": None, "$schema": original["$schema"]} == {**original, "properties": None}
    assert list(ours.get("properties", {})) == list(original.get("properties", {}))
    for name, schema in original.get("properties", {}).items():
        widened = ours["properties"][name]
        for word in ("description", "default", "title"):
            assert widened.get(word) == schema.get(word)
        if schema.get("type") in {"array", "object", None} and "enum" not in schema:
            jsonschema.validate("@obj_abc123.items[3]", widened)
        else:
            assert widened == schema
        narrow = {key: value for key, value in schema.items() if key not in {"description", "default", "title"}}
        assert widened == schema or narrow in widened["anyOf"]


def test_the_widened_output_schema_accepts_the_original_and_its_replacement(minimal_client):
    schema = next(tool["outputSchema"] for tool in minimal_client[1].tools if tool["name"] == "get-structured-content")
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate({"temperature": 3, "conditions": "fog", "humidity": 99}, schema)
    jsonschema.validate({"$stored": {"reference": "@obj_1"}}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"temperature": "three"}, schema)
