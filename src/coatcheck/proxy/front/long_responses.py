"""Long or deep responses over HTTP: sent in parts, and never copied, decoded or encoded as a whole."""

import asyncio
import re
import secrets
import weakref
from itertools import count
from typing import Any

from mcp_types import ErrorData, JSONRPCError, JSONRPCResponse
from pydantic import PrivateAttr
from starlette.types import Message, Send

from coatcheck.calls.long_messages import LongMessages, Unsent
from coatcheck.codec import is_json
from coatcheck.proxy.client_lines import has_too_many_levels
from coatcheck.proxy.jsonrpc import INTERNAL_ERROR, PARSED_AT_ONCE, well_formed_line
from coatcheck.proxy.partial_parsing import find_response_id, is_well_formed_response

PART = 256 << 10
"""Bytes that are given to the web server at a time, which copies them."""

TOO_MANY_UNSENT = "The response is too large to wait: other clients do not read theirs. Try again later."

_TOKEN = secrets.token_hex(16).encode()  # no other text contains it
_PLACE = re.compile(_TOKEN + rb"-\d+")
_PLACE_BYTES = 1_000
_END_BYTES = 100
_numbers = count()


async def send_body(send: Send, *pieces: bytes | memoryview, more_body: bool) -> None:
    """Send a part of a response's body, which may be long: each piece of it once the client has read the one before."""
    if sum(map(len, pieces)) <= PART:
        await send({"type": "http.response.body", "body": b"".join(pieces), "more_body": more_body})
        return
    messages = LongMessages.of_loop()
    for piece in pieces:
        for start in range(0, len(piece), PART):
            part = bytes(piece[start : start + PART])
            await send({"type": "http.response.body", "body": part, "more_body": True})
            messages.note_client_reads()
    await send({"type": "http.response.body", "body": b"", "more_body": more_body})


def without_end(line: bytes) -> memoryview:
    """Return a line without its newline and spaces before it, not copied."""
    end = line[-_END_BYTES:]
    return memoryview(line)[: len(line) - len(end) + len(end.rstrip())]


class EncodedResponse(JSONRPCResponse):
    """A response whose JSON is ready. Its ``result`` is empty.

    For the SDK's events its JSON is a short text in its place. It returns it only once, because an idle session of the
    SDK keeps a reference to its last response.
    """

    _unsent: Unsent | None = PrivateAttr(default=None)
    _responses: "EncodedResponses" = PrivateAttr()

    def model_dump_json(self, **options: Any) -> str:
        """Return the place of the JSON the first time, then an error."""
        unsent, self._unsent = self._unsent, None
        if unsent is None:
            return response_was_sent(self.id).model_dump_json(**options)
        return self._responses.place(unsent)

    async def checked(self) -> "EncodedResponse | JSONRPCError":
        """Return the response, or an error if clients would not accept its JSON."""
        if self._unsent is None or await is_json(self._unsent.line, is_line=True):
            return self
        repaired = well_formed_line(self._unsent.line)
        if repaired is not self._unsent.line and await is_json(repaired, is_line=True):
            self._unsent = Unsent(repaired)
            return self
        return _error(self.id, "The server's response is not JSON.")


class EncodedResponses:
    """The long responses of one session, which the SDK's transport routes without decoding and encoding them."""

    def __init__(self) -> None:
        self._places: weakref.WeakValueDictionary[bytes, Unsent] = weakref.WeakValueDictionary()

    def of(self, line: bytes) -> EncodedResponse | JSONRPCError | None:
        """Return a response if a line is too long to be parsed, or too deep for the SDK; its ends show that it is one.

        An outer coatcheck takes deep ones. ``None`` for other lines.
        """
        fits = is_well_formed_response(line) if len(line) > PARSED_AT_ONCE else has_too_many_levels(line)
        key = find_response_id(line) if fits else None
        if key is None or isinstance(key[1], float):
            return None
        if not LongMessages.of_loop().may_send(len(line)):
            return _error(key[1], TOO_MANY_UNSENT)
        response = EncodedResponse.model_construct(jsonrpc="2.0", id=key[1], result={})
        response._unsent = Unsent(line)  # noqa: SLF001  # of an own class
        response._responses = self  # noqa: SLF001
        return response

    def place(self, unsent: Unsent) -> str:
        """Return the text that stands for a response in an event, as long as the text exists."""
        place = _Place(f"{_TOKEN.decode()}-{next(_numbers)}")
        place.unsent = unsent
        self._places[place.encode()] = unsent
        return place

    def restored(self, send: Send) -> Send:
        """Return a function that sends the events of the SDK with the responses in their places."""
        one_at_a_time = asyncio.Lock()  # the SDK sends pings meanwhile

        async def sent(event: Message) -> None:
            body = event.get("body", b"")
            found = _PLACE.search(body) if len(body) < _PLACE_BYTES else None
            unsent = None if found is None else self._places.get(found[0])
            async with one_at_a_time:
                if found is None or unsent is None:
                    await send(event)
                    return
                line, more = without_end(unsent.line), event.get("more_body", False)
                await send_body(send, body[: found.start()], line, body[found.end() :], more_body=more)

        return sent


class _Place(str):
    """A text that stands for a response, which exists as long as the text."""

    __slots__ = ("unsent",)
    unsent: Unsent


def response_was_sent(request_id: str | int | None) -> JSONRPCError:
    """Return what a client gets in place of a response that was sent and is not kept."""
    text = "The answer was sent while the stream was cut, and is too large or too old to be sent again: ask again."
    return _error(request_id, text)


def _error(request_id: str | int | None, text: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=INTERNAL_ERROR, message=text))
