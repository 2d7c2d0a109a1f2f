"""One upstream connection for all requests without a session, each under its own id."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.nested_coatchecks import announces_coatcheck, params_with_announcement
from coatcheck.errors import UpstreamError
from coatcheck.proxy.jsonrpc import (
    INTERNAL_ERROR,
    LOG_LEVEL,
    LONG_LINE,
    METHOD_NOT_FOUND,
    PROGRESS_TOKEN,
    PROTOCOL_VERSION,
    SESSION_VERSIONS,
    SUBSCRIPTION_ID,
    UNSUPPORTED_VERSION,
    Id,
    Message,
    error_response,
    id_of,
    is_request,
    is_response,
    meta_of,
    parse,
    request_key,
    supported_versions,
    text_of,
    to_line,
)
from coatcheck.proxy.line_streams import HIGH_WATER
from coatcheck.proxy.list_prefetch import SharedToolList
from coatcheck.proxy.own_requests import OwnRequests
from coatcheck.proxy.partial_parsing import (
    encode_message,
    find_broken_response_id,
    find_response_id,
    replace_response_id,
)
from coatcheck.proxy.pending_requests import PendingRequests
from coatcheck.proxy.response_checks import unreadable, well_formed_response, with_one_id
from coatcheck.proxy.send_capacity import SendCapacity
from coatcheck.proxy.upstreams.base import UpstreamConnection

logger = logging.getLogger(__name__)

DISCOVER = "server/discover"
PROBE_TIMEOUT = 20.0
"""Seconds within which an upstream must show whether it supports a revision without sessions."""

CAPACITY_TIMEOUT = 20.0
"""Seconds that a request waits for an upstream to read the messages of others."""


class RequestStream:
    """One client request's use of the shared connection.

    ``take`` is called with the lines that concern the request.
    """

    def __init__(self, shared: "SharedConnection", take: Callable[[bytes], None]) -> None:
        self._shared = shared
        self.take = take

    def send(self, line: bytes, message: Any) -> None:
        """Send a line upstream; see `UpstreamConnection`."""
        self._shared.send(self, parse(line) if message is None else message)

    def close(self) -> None:
        """Cancel unanswered requests."""
        self._shared.forget(self)


class SharedConnection:
    """A connection that many requests share. It opens at the first one, and again after the loss of the upstream."""

    def __init__(self, make_connection: Callable[[], UpstreamConnection]) -> None:
        self._make_connection = make_connection
        self._connection: UpstreamConnection | None = None
        self._requests: PendingRequests[RequestStream] = PendingRequests()
        self._probing: asyncio.Task[str | None] | None = None
        self.server_keeps_objects = False
        self._own: PendingRequests[asyncio.Future[Message] | None] = PendingRequests()
        stream = self.stream(self._take_own)
        self.tools = SharedToolList(OwnRequests(lambda _line, message: self.send(stream, message), self._own))
        self.capacity = SendCapacity(lambda: 0 if self._connection is None else self._connection.unsent_bytes)
        self._taken = asyncio.Event()
        self._taken.set()

    @property
    def connection(self) -> UpstreamConnection | None:
        """The current upstream connection, if it is open."""
        return self._connection

    @property
    def is_gateway(self) -> bool:
        """Whether several servers are behind it; see `UpstreamConnection`."""
        return self._connection is not None and self._connection.is_gateway

    def object_readers(self) -> Mapping[str, str]:
        """Return the servers that keep objects themselves; see `UpstreamConnection`."""
        return {} if self._connection is None else self._connection.object_readers()

    def listed_name(self, tool: str) -> str:
        """Return the name that a tool is listed by; see `UpstreamConnection`."""
        return tool if self._connection is None else self._connection.listed_name(tool)

    def stream(self, take: Callable[[bytes], None]) -> RequestStream:
        """Open a stream for a request; see ``RequestStream``."""
        return RequestStream(self, take)

    async def learn_tools(self, call: Message, interceptor: Interceptor) -> None:
        """List the tools before the first call: the list would come too late behind long results that are not read."""
        if not (interceptor.knows_all or self.is_gateway or self.server_keeps_objects):
            await self.tools.learn_names(interceptor, PendingRequests[None]().add(call, None))

    def _take_own(self, line: bytes) -> None:
        message = parse(line)
        request = self._own.remove(self._own.get(id_of(message))) if is_response(message) else None
        if request is not None and request.requester is not None and not request.requester.done():
            request.requester.set_result(message)

    async def refusal(self, request: Message) -> Message | None:
        """Return an error if the upstream does not support this revision; checked once for each upstream.

        Raises:
            UpstreamError: The upstream cannot be started.
        """
        if self._probing is None or (self._probing.done() and self._connection is None):
            self._started()
            self._probing = asyncio.ensure_future(self._probe(request))
        fault = await asyncio.shield(self._probing)
        if fault is None:
            return None
        failure = error_response(request["id"], fault, UNSUPPORTED_VERSION)
        requested = meta_of(request).get(PROTOCOL_VERSION)
        failure["error"]["data"] = {"supported": list(SESSION_VERSIONS), "requested": requested}
        return failure

    async def _probe(self, request: Message) -> str | None:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        stream = self.stream(lambda line: None if answer.done() else answer.set_result(line))
        meta = {key: value for key, value in meta_of(request).items() if key != PROGRESS_TOKEN}
        probe: Message = {"jsonrpc": "2.0", "id": 0, "method": DISCOVER, "params": {"_meta": meta}}
        self.send(stream, {**probe, "params": params_with_announcement(probe) or probe["params"]})
        try:
            response = parse(await asyncio.wait_for(answer, PROBE_TIMEOUT)) or {}
        except TimeoutError:
            response = {}
        finally:
            stream.close()
        result, error = response.get("result"), response.get("error")
        self.server_keeps_objects = isinstance(result, dict) and announces_coatcheck(result.get("capabilities"))
        if isinstance(result, dict) and supported_versions(result) - set(SESSION_VERSIONS):
            return None
        connection = self._connection
        if connection is None or (isinstance(error, dict) and error.get("code") == INTERNAL_ERROR):
            # It was lost or is unreachable, which does not show its revisions.
            self._probing = None
            raise UpstreamError(text_of(error.get("message")) if isinstance(error, dict) else "The server went away.")
        if not response:
            self._probing = None  # It may just be slow to start.
            return f'The server "{connection.name}" did not answer within {PROBE_TIMEOUT:g} s.'
        # It cannot serve requests without a session.
        await connection.close()
        name = connection.name
        self._connection = _UnusedConnection(name)
        return (
            f'The server "{name}" speaks only revisions of MCP with sessions ({SESSION_VERSIONS[-1]} and before): '
            "connect with initialize."
        )

    def send(self, stream: RequestStream, message: Message) -> None:
        """Send a message upstream for a request."""
        key = request_key(message)
        try:
            connection = self._started()
        except UpstreamError as error:
            if key is not None:
                stream.take(to_line(error_response(message["id"], str(error))))
            return
        if key is None:
            return  # Clients send only requests in this revision.
        message = self._requests.add(message, stream).outgoing(message)
        connection.send(encode_message(message), message)

    def forget(self, stream: RequestStream) -> None:
        """Cancel the pending requests of a stream."""
        for request in self._requests.of(stream):
            self._requests.remove(request)
            if self._connection is not None:
                cancelled = {"method": "notifications/cancelled", "params": {"requestId": request.key[1]}}
                self._connection.send(to_line({"jsonrpc": "2.0", **cancelled}))

    async def wait_for_capacity(self) -> None:
        """Wait until the upstream has read most of its messages, so that the queue stays bounded.

        Raises:
            UpstreamError: It does not read.
        """
        try:
            async with asyncio.timeout(CAPACITY_TIMEOUT):
                while not self._taken.is_set():  # An earlier waiter may have filled the queue again.
                    await self._taken.wait()
        except TimeoutError:
            raise UpstreamError(
                f"The server did not take what was sent to it before within {CAPACITY_TIMEOUT:g} s; try again later."
            ) from None

    def _on_pressure(self) -> None:
        # One long message counts here: a later request would wait as long, and receives an error instead.
        if self._connection is None or self._connection.unsent_bytes < HIGH_WATER:
            self._taken.set()
        else:
            self._taken.clear()

    async def close(self) -> None:
        """Close the upstream."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _started(self) -> UpstreamConnection:
        if self._connection is None:
            connection = self._make_connection()
            connection.start(self._on_line, lambda text: self._ended(connection, text), self._on_pressure)
            self._connection = connection
        return self._connection

    def _ended(self, connection: UpstreamConnection, text: str) -> None:
        if self._connection is not connection:
            return
        self._connection = None
        self.tools.list_again()
        self._on_pressure()
        logger.warning("%s", text)
        for request in self._requests:
            self._requests.remove(request)
            request.requester.take(request.error(text))

    def _on_line(self, line: bytes, related: Id | None) -> None:
        for each in with_one_id(line):
            self._take_line(each, related)

    def _take_line(self, line: bytes, related: Id | None) -> None:
        seen = find_response_id(line) if len(line) > LONG_LINE else None
        message = parse(line) if seen is None else None
        if not message:  # it is long, or nested too deeply
            seen = seen or find_broken_response_id(line)
            if seen is not None:
                self._answer_to(seen[1], line)
            return
        for part in message if isinstance(message, list) else [message]:
            if isinstance(part, dict):
                self._on_message(part, line if part is message else to_line(part), related)

    def _on_message(self, message: Message, line: bytes, related: Id | None) -> None:
        if is_response(message):
            self._answer_to(message.get("id"), line, message)
        elif is_request(message):
            if self._connection is not None:
                self._connection.send(to_line(self._reply(message)))
        else:
            self._notify(message, related)

    def _answer_to(self, sent_id: Any, line: bytes, message: Message | None = None) -> None:
        """Forward a response under the client's id; a long one with its id at an end is not parsed."""
        request = self._requests.remove(self._requests.find(sent_id))
        if request is None:
            return
        response = replace_response_id(line, request.request_id) if message is None else None
        if response is None:
            parsed = parse(line) if message is None else message
            if isinstance(parsed, dict):
                parsed = {**parsed, "id": request.request_id}
                response = well_formed_response(parsed, to_line(parsed), request.request_id)[1]
            else:
                response = request.error(unreadable(line))
        request.requester.take(response)

    def _reply(self, question: Message) -> Message:
        """Refuse a request of the upstream to the client."""
        text = "There are no requests from server to client in this revision."
        return error_response(question["id"], text, METHOD_NOT_FOUND)

    def _notify(self, message: Message, related: Id | None) -> None:
        """Forward a notification to its request; without a clear owner it is dropped."""
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        meta = meta_of(message)
        token, subscription = params.get(PROGRESS_TOKEN), meta.get(SUBSCRIPTION_ID)
        named = (token, subscription, related[1] if related else None)
        found = next((request for value in named if (request := self._requests.find(value)) is not None), None)
        if found is None and message.get("method") == "notifications/message":
            wanting = [request for request in self._requests if LOG_LEVEL in request.meta]
            found = wanting[0] if len(wanting) == 1 else None
        if found is None:
            logger.debug("A notification %.100r belongs to no request and is dropped", message.get("method"))
            return
        if token is not None:
            params = {**params, PROGRESS_TOKEN: found.meta.get(PROGRESS_TOKEN)}
        if subscription is not None:
            params = {**params, "_meta": {**meta, SUBSCRIPTION_ID: found.request_id}}
        found.requester.take(to_line({**message, "params": params} if params else message))


class _UnusedConnection:
    """Placeholder for an upstream that is not used in this protocol revision."""

    def __init__(self, name: str) -> None:
        self.name = name

    sends_separately = is_gateway = unparsed = False
    unsent_bytes = backlog_bytes = 0

    def start(self, on_message: Any, on_end: Any, on_pressure: Any = None) -> None:
        """Do nothing."""

    def set_paused(self, *, paused: bool) -> None:
        """Do nothing."""

    def send(self, line: bytes, message: Any = None) -> None:
        """Do nothing."""

    def object_readers(self) -> Mapping[str, str]:
        """Return none; see `UpstreamConnection`."""
        return {}

    def listed_name(self, tool: str) -> str:
        """Return the same name; see `UpstreamConnection`."""
        return tool

    exit_code = 0

    def stray_output(self, line: bytes) -> None:
        """Do nothing."""

    async def finish(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""
