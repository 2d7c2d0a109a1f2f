"""Long calls of a session, which the SDK would decode in one step and hold until their responses are sent."""

import asyncio
import secrets
from collections.abc import Hashable
from typing import Any

from starlette.types import Message as Event
from starlette.types import Receive, Send

from coatcheck.calls.long_messages import LongMessages
from coatcheck.codec import Chunks, adump_line, aload_json, dump_json, free_chunks, is_json
from coatcheck.proxy.jsonrpc import PARSED_AT_ONCE, Message, id_of, is_request
from coatcheck.proxy.partial_parsing import parse_call_partially, without_arguments
from coatcheck.proxy.view_calls import CALL

_TOKEN = "coatcheck/long-call"  # noqa: S105


class LongCalls:
    """The long calls of one session: the SDK gets each without its arguments, and the conversation its line.

    Args:
        caller: The client, if it has other sessions: their long calls are parsed in turn.
    """

    def __init__(self, caller: Hashable) -> None:
        self._caller = self if caller is None else caller
        self._lines: dict[str, bytes] = {}

    async def shortened(self, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """Return what the SDK receives of and sends to a request, whose body is a single event (``BufferedBodies``).

        Raises:
            UpstreamError: Too many long calls are being parsed.
        """
        event = await receive()
        token = ""
        if len(event.get("body", b"")) > PARSED_AT_ONCE:
            token = secrets.token_hex(16)  # No client can name the call of another one.
            event = {**event, "body": await self._without_arguments(event.pop("body"), token)}
        events = [event]

        async def replay() -> Event:
            return events.pop() if events else await receive()

        async def sent(event: Event) -> None:
            if event.get("status", 200) >= 400:  # noqa: PLR2004
                self._lines.pop(token, None)  # The SDK has refused it, and the session does not get it.
            await send(event)

        return replay, sent if token in self._lines else send

    def line_of(self, message: Message) -> bytes | None:
        """Return the line of a long call that the SDK has accepted; ``None`` for any other message."""
        params = message.get("params")
        token = params.get(_TOKEN) if isinstance(params, dict) else None
        return self._lines.pop(token, None) if isinstance(token, str) else None

    async def _without_arguments(self, body: bytes, token: str) -> bytes:
        """Return a call without its arguments; the same body if it is not a call, or not valid."""
        is_one_line = b"\n" not in body and b"\r" not in body
        turn = await LongMessages.of_loop().requests.turn(len(body), self._caller)
        chunks: Chunks = []
        try:
            call: Any = parse_call_partially(body) if is_one_line else None
            if call is None or not await is_json(body):
                try:
                    call = await aload_json(body, chunks)
                except ValueError:
                    return body  # The SDK refuses it.
            params = call.get("params") if is_request(call) and call["method"] == CALL else None
            if not isinstance(params, dict) or id_of(call) is None:
                return body
            self._lines[token] = body if is_one_line else await adump_line(call)
            short = without_arguments(call)
            return dump_json({**short, "params": {**short["params"], _TOKEN: token}})
        finally:
            call = params = None
            await asyncio.shield(free_chunks(chunks))
            turn.end()
