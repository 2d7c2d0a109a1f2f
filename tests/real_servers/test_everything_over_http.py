"""The official server over stdio, reached over HTTP through coatcheck: clients receive the same messages."""

import json
from collections import Counter
from typing import Any

import anyio
import pytest

from tests.ports import free_port
from tests.preloaded_python import PYTHON
from tests.real_servers.serving import serving
from tests.real_servers.sessions import Session, connected, connected_to, normal
from tests.real_servers.test_everything import ASKING_BACK, CLIENT, STEPS

pytestmark = [pytest.mark.npm, pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")]
# The client requests the list of tools by itself, and notifications of its changes arrive at any time.
BY_ITSELF = {"notifications/tools/list_changed", "ping"}
# Over HTTP the SDK ends the stream of a cancelled request with this; the client has stopped listening.
CANCELLED = -32_800
LATE_SECONDS = 10.0
"""Time limit for messages outside of responses, which use another connection."""


async def answers(session: Session, steps: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    if "roots" in steps:
        await session.until(lambda message: "Roots updated" in str(message))
    received = {name: await session.received_during(step) for name, step in steps.items()}
    return {
        name: [
            {key: value for key, value in message.items() if key != "id"}
            for message in messages
            if "method" not in message
            and "tools" not in message.get("result", {})
            and message.get("error", {}).get("code") != CANCELLED
        ]
        for name, messages in received.items()
    }


def count_server_messages(session: Session) -> Counter[str]:
    """Count the notifications and requests of the server, which may arrive in another order."""
    return Counter(
        json.dumps({key: value for key, value in normal(message).items() if key != "id"}, sort_keys=True)
        for message in session.messages
        if "method" in message and message["method"] not in BY_ITSELF
    )


class Recording:
    """The recorded messages of a server: responses by step, and counts of the other messages."""

    def __init__(self) -> None:
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.message_counts: Counter[str] = Counter()
        self.done = anyio.Event()

    async def listen(self, session: Session, steps: dict[str, Any], until: "Recording | None" = None) -> None:
        self.answers = await answers(session, steps)
        if until is not None:
            await until.done.wait()
            with anyio.move_on_after(LATE_SECONDS):
                await session.until(lambda _: count_server_messages(session) == until.message_counts)
        self.message_counts = count_server_messages(session)
        self.done.set()


async def record_both(
    command: list[str], url: str, steps: dict[str, Any], client: dict[str, Any]
) -> tuple[Recording, Recording]:
    direct, wrapped = Recording(), Recording()

    async def record_direct() -> None:
        async with connected(command, wrapped=False, **client) as session:
            await direct.listen(session, steps)

    async def record_over_http() -> None:
        async with connected_to(url, **client) as session:
            await wrapped.listen(session, steps, direct)

    async with anyio.create_task_group() as group:
        group.start_soon(record_direct)
        group.start_soon(record_over_http)
    return direct, wrapped


@pytest.mark.parametrize(("steps", "client"), [(STEPS, {}), (ASKING_BACK, CLIENT)], ids=["bare", "able"])
def test_clients_receive_the_same_over_http(everything, steps, client):
    port = free_port()
    wrap = [PYTHON, "-m", "coatcheck", "wrap", "--transport", "streamable-http", "--port", str(port)]
    # The server has the environment of the service, not the one that a client configures.
    steps = {name: step for name, step in steps.items() if name != "environment"}
    with serving([*wrap, "--", *everything], port):
        url = f"http://127.0.0.1:{port}/mcp"
        direct, wrapped = anyio.run(record_both, everything, url, steps, client)
    assert wrapped.answers.keys() == direct.answers.keys() == steps.keys()
    different = {
        name: (wrapped.answers[name], received)
        for name, received in direct.answers.items()
        if wrapped.answers[name] != received
    }
    assert different == {}
    assert wrapped.message_counts == direct.message_counts
