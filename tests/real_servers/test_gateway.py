"""Real servers side by side behind the gateway."""

import hashlib
import json
import os
import re
from collections import Counter
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.git_history import GIT_SERVER
from tests.preloaded_python import PYTHON
from tests.real_servers import packages
from tests.real_servers.sessions import Session, connected
from tests.real_servers.test_everything import ASKING_BACK, CLIENT, STEPS
from tests.results import text_of

pytestmark = [pytest.mark.npm, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]
SEEN_BY_THE_MODEL = 500
# Refused by the gateway itself, which cannot determine the server; and the first page of a list is complete.
OF_NO_SERVER = {"no such method", "wrong parameters", "cursor"}
BY_ITSELF = {"notifications/tools/list_changed", "notifications/prompts/list_changed"}


def write(path, **servers: list[str]) -> list[str]:
    """Write a file of servers; return the command that puts coatcheck in front of them."""
    described = {name: {"command": command[0], "args": command[1:]} for name, command in servers.items()}
    path.write_text(json.dumps({"mcpServers": described}))
    return [PYTHON, "-m", "coatcheck", "wrap", "--servers", str(path)]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["auto", pytest.param("2026-07-28", marks=pytest.mark.long)])
async def test_the_git_log_is_written_to_a_file_without_passing_through_the_model(repository, folder, tmp_path, mode):
    files = [*packages.npm_server("server-filesystem"), str(folder)]
    git = [*GIT_SERVER, "--repository", str(repository)]
    log = {"repo_path": str(repository), "max_count": 400}
    async with connected(git, wrapped=False) as direct:
        whole = text_of(await direct.client.call_tool("git_log", log)).encode()
    command = write(tmp_path / "mcp.json", git=git, files=files)
    environment = {"COATCHECK_PREVIEW_LIMIT": "300"}
    async with connected(command, wrapped=False, env=environment, cwd=folder, mode=mode) as session:
        seen = text_of(await session.client.call_tool("git__git_log", log))
        reference = re.search(r"@obj_[A-Za-z0-9_-]+", seen)[0]
        target = {"path": str(folder / "log.txt"), "content": reference}
        written = await session.client.call_tool("files__write_file", target)
    assert not written.is_error, text_of(written)
    assert len(whole) > 40_000
    assert sha256((folder / "log.txt").read_bytes()) == sha256(whole)
    assert len(seen) + len(text_of(written)) < SEEN_BY_THE_MODEL


class _SingleServerTransport:
    """A transport on which one server behind the gateway looks like a single server."""

    def __init__(self, transport: Any, server: str) -> None:
        self._transport = transport
        self._server = server

    @asynccontextmanager
    async def open(self):
        async with self._transport as (read, write):
            yield _Reading(read, self._server), _Writing(write, self._server)


class _TranslatingStream:
    def __init__(self, stream: Any, server: str) -> None:
        self._stream = stream
        self._server = server

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aenter__(self) -> Any:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> Any:
        return await self._stream.__aexit__(*exc)

    def translate(self, item: Any, change: Any) -> Any:
        if isinstance(item, Exception):
            return item
        message = item.message.model_dump(by_alias=True, exclude_unset=True, mode="json")
        item.message = type(item.message).model_validate(change(message), by_name=False)
        return item


class _Reading(_TranslatingStream):
    async def receive(self) -> Any:
        return self.translate(await self._stream.receive(), self.strip_server_prefix)

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    def strip_server_prefix(self, part: Any) -> Any:
        if isinstance(part, dict):
            return {key: self.strip_server_prefix(value) for key, value in part.items()}
        if isinstance(part, list):
            return [self.strip_server_prefix(value) for value in part if not _belongs_to_other(value, "one")]
        return part.replace(f"{self._server}__", "").replace(f"{self._server}+", "") if isinstance(part, str) else part


def _belongs_to_other(entry: Any, server: str) -> bool:
    """Whether an entry of a list belongs to another server."""
    return isinstance(entry, dict) and any(
        str(entry.get(key)).startswith((f"{server}__", f"{server}+")) for key in ("name", "uri")
    )


class _Writing(_TranslatingStream):
    async def send(self, item: Any) -> None:
        await self._stream.send(self.translate(item, self.named))

    def named(self, message: dict[str, Any]) -> dict[str, Any]:
        params = message.get("params")
        if "method" not in message or not isinstance(params, dict) or message["method"] == "initialize":
            return message
        changed = self.add_server_prefix(params)
        if isinstance(params.get("ref"), dict):
            changed["ref"] = self.add_server_prefix(params["ref"])
        return {**message, "params": changed}

    def add_server_prefix(self, params: dict[str, Any]) -> dict[str, Any]:
        before = {"name": "__", "taskId": "__", "uri": "+"}
        return {
            key: f"{self._server}{before[key]}{value}" if key in before and isinstance(value, str) else value
            for key, value in params.items()
        }


async def record_steps(transport: Any, steps: dict[str, Any], roots: int, client: dict[str, Any]) -> dict[str, Any]:
    """Take all steps and return the messages of each, without ids and the order of messages other than responses."""
    session: Session | None = None
    early: list[dict[str, Any]] = []

    @asynccontextmanager
    async def seen():
        async with transport as (read, write):
            yield _Tapped(read, lambda message: session.received(message) if session else early.append(message)), write

    async with Client(seen(), mode="legacy", **client) as opened:
        session = Session(opened, early)
        if client:
            await session.until(lambda _: sum("Roots updated" in str(message) for message in session.messages) >= roots)
        received = {name: await session.received_during(step) for name, step in steps.items()}
    return {
        name: (
            [without_id(message) for message in messages if "method" not in message and not is_tools(message)],
            Counter(
                json.dumps(without_id(message), sort_keys=True) for message in messages if is_notification(message)
            ),
        )
        for name, messages in received.items()
    }


class _Tapped(_Reading):
    def __init__(self, stream: Any, seen: Any) -> None:
        super().__init__(stream, "")
        self._seen = seen

    async def receive(self) -> Any:
        item = await self._stream.receive()
        if not isinstance(item, Exception):
            self._seen(item.message.model_dump(by_alias=True, exclude_unset=True, mode="json"))
        return item


def without_id(message: dict[str, Any]) -> dict[str, Any]:
    # Other members of list results are dropped when lists are merged.
    result = {key: value for key, value in message.get("result", {}).items() if (key, value) != ("_meta", {})}
    return {key: result if key == "result" else value for key, value in message.items() if key != "id"}


def is_tools(message: dict[str, Any]) -> bool:
    return "tools" in message.get("result", {})


def is_notification(message: dict[str, Any]) -> bool:
    return "method" in message and message["method"] not in BY_ITSELF


def without_guard(received: Any) -> str:
    """Remove the environment variable by which `wrap` recognises itself among the ancestors of a server."""
    return re.sub(r',?\\n *"MCP_WRAP_ANCESTORS": *"[^"]*"', "", repr(received))


@pytest.mark.parametrize(("steps", "client"), [(STEPS, {}), (ASKING_BACK, CLIENT)], ids=["bare", "able"])
def test_a_server_in_a_gateway_sends_the_same_as_alone(everything, tmp_path, steps, client):
    wanted = {name: step for name, step in steps.items() if name not in OF_NO_SERVER}
    gateway = write(tmp_path / "mcp.json", one=everything, two=everything)
    environment = {"PATH": os.environ["PATH"]}
    outcomes: dict[str, Any] = {}

    async def run(name: str, command: list[str]) -> None:
        parameters = StdioServerParameters(command=command[0], args=command[1:], env=environment)
        with open(os.devnull, "w") as quiet:  # noqa: ASYNC230, PTH123
            transport = stdio_client(parameters, errlog=quiet)
            behind = name == "two"
            opened = _SingleServerTransport(transport, name).open() if behind else transport
            outcomes[name] = await record_steps(opened, wanted, 2 if behind else 1, client)

    async def run_both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(run, "alone", everything)
            group.start_soon(run, "two", gateway)

    anyio.run(run_both)
    different = {
        name: (outcomes["two"][name], received)
        for name, received in outcomes["alone"].items()
        if without_guard(outcomes["two"][name]) != without_guard(received)
    }
    assert different == {}
