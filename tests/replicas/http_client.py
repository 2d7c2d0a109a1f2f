"""A fast client: JSON-RPC over plain HTTP, with both kinds of protocol, without the SDK."""

import contextlib
import json
import re
from typing import Any, Self

import httpx2

from tests.replicas.deployment import port_in
from tests.waiting import until

OLDER, NEWER = "2025-11-25", "2026-07-28"
UNAVAILABLE = frozenset({502, 503, 504})
RETRY_SECONDS = 0.05
TIMEOUT_SECONDS = 60.0
_META = "io.modelcontextprotocol/"


class CallFailed(Exception):
    """A call gave an unexpected result; the message contains its beginning."""


class Caller:
    """A client with its own connection.

    Args:
        url: The URL of the server.
        version: The protocol revision.
        token: Its bearer token, if it needs one.

    Attributes:
        answered_by: The ports of the replicas that answered, in order.
    """

    def __init__(self, url: str, version: str = OLDER, token: str | None = None) -> None:
        self.answered_by: list[int] = []
        self._url = url
        self._version = version
        self._count = 0
        headers = {
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
            "mcp-protocol-version": version,
        }
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        # TLS is not used, and reading the trusted certificates takes longer than many calls.
        self._http = httpx2.AsyncClient(headers=headers, timeout=TIMEOUT_SECONDS, verify=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(self, tool: str, arguments: dict[str, Any], *, again: bool = False) -> str:
        """Call a tool and return the text of its result.

        Args:
            tool: Its name.
            arguments: Its arguments.
            again: Repeat the call while the server is unavailable; only for tools without side effects.

        Raises:
            CallFailed: Any answer but a result.
        """
        if not again:
            return await self._call(tool, arguments)

        async def answers() -> tuple[str, ...]:
            with contextlib.suppress(httpx2.TransportError, NoReplicaError):
                return (await self._call(tool, arguments),)
            return ()

        (text,) = await until(answers, f"a replica answers {tool}", interval=RETRY_SECONDS)
        return text

    async def _call(self, tool: str, arguments: dict[str, Any]) -> str:
        self._count += 1
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        headers = {}
        if self._version == NEWER:
            client = {"name": "caller", "version": "1"}
            meta = {"protocolVersion": NEWER, "clientInfo": client, "clientCapabilities": {}}
            params["_meta"] = {f"{_META}{name}": value for name, value in meta.items()}
            headers = {"mcp-method": "tools/call", "mcp-name": tool}
        message = {"jsonrpc": "2.0", "id": self._count, "method": "tools/call", "params": params}
        answer = await self._http.post(self._url, content=json.dumps(message), headers=headers)
        if answer.status_code in UNAVAILABLE:
            raise NoReplicaError(f"HTTP {answer.status_code}: {answer.text[:300]}")
        self.answered_by.append(port_in(answer.headers))
        result = self._result_in(answer)
        text = "\n".join(block["text"] for block in result["content"] if block["type"] == "text")
        if result.get("isError"):
            raise CallFailed(text[:300])
        return text

    def _result_in(self, answer: httpx2.Response) -> dict[str, Any]:
        text = answer.text
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            # The last event is the response; a keep-alive may precede it.
            text = text.rpartition("data:")[2]
        try:
            message = json.loads(text)
            result: dict[str, Any] = message["result"]
        except (ValueError, KeyError, TypeError):
            raise CallFailed(f"HTTP {answer.status_code}: {answer.text[:300]}") from None
        if message["id"] != self._count:
            raise CallFailed(f"The answer to {message['id']} came for {self._count}.")
        return result


class NoReplicaError(CallFailed):
    """The load balancer found no replica that responds."""


def reference_in(text: str) -> str:
    """Find the reference in a preview."""
    found = re.search(r"@obj_[\w-]+", text)
    if found is None:
        raise CallFailed(f"There is no reference in: {text[:300]}")
    return found.group(0)
