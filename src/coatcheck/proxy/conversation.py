"""One client and one server: decides which messages are parsed and rewritten; all others pass byte for byte."""

import asyncio
import logging
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from coatcheck.calls.host_profiles import client_of_initialize
from coatcheck.calls.limits import CallBudget
from coatcheck.calls.nested_coatchecks import HANDSHAKES, NestedCoatchecks, announces_coatcheck, chain_of, loop_in
from coatcheck.calls.prepared_call import has_filter
from coatcheck.codec import adump_line
from coatcheck.codec.tool_results import text_result
from coatcheck.errors import CoatcheckError, ObjectNotFound
from coatcheck.proxy import jsonrpc, object_resources, partial_parsing
from coatcheck.proxy.background_tasks import BackgroundTasks, Refuse, Take, failure_of, result_if_ready
from coatcheck.proxy.client_lines import ClientLines, has_too_many_levels
from coatcheck.proxy.client_requests import ClientRequests, Pending
from coatcheck.proxy.jsonrpc import Id, Message, id_of, is_request, is_response, to_line
from coatcheck.proxy.list_prefetch import LIST, ToolListPrefetch
from coatcheck.proxy.object_subscriptions import LISTEN, ObjectSubscriptions, concerns_objects, with_objects
from coatcheck.proxy.own_requests import OwnRequests
from coatcheck.proxy.request_lines import needs_repair, refusal_of_unreadable, repair, well_formed_request
from coatcheck.proxy.request_sender import RequestSender
from coatcheck.proxy.response_checks import as_answer_to, unreadable, well_formed_response, with_one_id
from coatcheck.proxy.send_capacity import SendCapacity
from coatcheck.proxy.server_resources import ServerResources
from coatcheck.proxy.server_results import ServerResults
from coatcheck.proxy.view_calls import CALL

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

logger = logging.getLogger(__name__)

CANCELLED = "notifications/cancelled"
_OF_INTEREST = frozenset({CALL, LIST, *HANDSHAKES, *object_resources.LISTS})


class Conversation:
    """One client and one server. Lines go in by `from_client` and `from_server` and come out by the two callables.

    Args:
        to_client: Called with lines for the client.
        to_server: Called with lines for the server, each with its parsed message, or ``None`` if it was not parsed.
        interceptor: A future of the interceptor; messages that do not need it pass before it is ready.
        on_stray_output: Called with output of the server that is not a message.
        on_change: Called when a background task starts or ends.
        instructions: The instructions about references, if they are known before the interceptor is ready.
        offer_resources: Whether to advertise resources even if the server has none: stored objects are resources.
        outer, inner: Whether the client, or the server, is a coatcheck, if messages do not show it.
        object_readers, listed_name: See `UpstreamConnection`.
        capacity: Bounds the messages that are prepared for the server at a time.
        budget: The budget of concurrent calls, if it is shared with other conversations.
        caller: The client, if it has other conversations: their long messages are processed in turn.
        is_gateway: Whether the server is a gateway, whose names and addresses are never like ours.
        tools: Lists the server's tools, if other conversations need the list too.
        reencoded: Whether ``to_server`` encodes requests itself, with other ids, and needs no lines.
    """

    def __init__(
        self,
        to_client: Callable[[bytes], None],
        to_server: Callable[[bytes, Any], None],
        interceptor: "asyncio.Future[Interceptor]",
        *,
        on_stray_output: Callable[[bytes], None],
        on_change: Callable[[], None] = lambda: None,
        instructions: str | None = None,
        offer_resources: bool = False,
        outer: bool = False,
        inner: bool = False,
        object_readers: Callable[[], Mapping[str, str]] = dict,
        listed_name: Callable[[str], str] = str,
        capacity: SendCapacity | None = None,
        budget: CallBudget | None = None,
        caller: Hashable = None,
        tools: ToolListPrefetch | None = None,
        reencoded: bool = False,
        is_gateway: bool = False,
    ) -> None:
        self._work = BackgroundTasks(on_change, caller)
        self._nested = NestedCoatchecks(client=outer, server=inner)
        self._to_client, self._to_server = ClientLines(to_client, to_server, self._work, self._nested).send, to_server
        self._interceptor, self._on_stray_output = interceptor, on_stray_output
        self._budget = CallBudget() if budget is None else budget
        self._requests = ClientRequests(self._budget, listed_name)
        self._subscriptions = ObjectSubscriptions()
        own = OwnRequests(to_server, self._requests)
        self._prefetch = ToolListPrefetch(own) if tools is None else tools
        self._resources = ServerResources(own, may_ask=not is_gateway)
        self.finish_work, self.abandon_own_requests = self._work.finish, own.give_up
        self._results = ServerResults(
            interceptor,
            self._prefetch,
            self._resources,
            self._budget,
            instructions=instructions,
            offer_resources=offer_resources,
            is_gateway=is_gateway,
        )
        self._object_readers, self._listed_name = object_readers, listed_name
        self._capacity = SendCapacity(lambda: 0) if capacity is None else capacity
        self._sender = RequestSender(to_server, self._work, self._nested.pass_unchanged, reencoded=reencoded)

    @property
    def bytes_in_progress(self) -> int:
        """Bytes of the lines in progress."""
        return self._work.size

    async def wait_until_idle(self) -> None:
        """Wait until no request is pending and nothing is in progress."""
        while self._requests or self._work:
            await self._requests.wait_until_empty()
            await self._work.finish()

    def leave(self) -> None:
        """Drop pending requests after the client has disconnected."""
        self._requests.clear()
        self._work.drop_waiting()
        self._prefetch.cancel()
        self._resources.cancel()

    def fail_all(self, text: str) -> None:
        """Answer every pending request with an error."""
        for request in self._requests.clear():
            if request.requester is None:
                self._to_client(request.error(text))

    def from_client(self, line: bytes, refuse: Refuse | None = None) -> None:
        """Handle a line from the client; with ``refuse``, a long one has its turn among those of all clients."""
        if needs_repair(line):
            self._work.start(repair(line, partial(self._well_formed_from_client, refuse=refuse)), len(line))
        else:
            self._well_formed_from_client(well_formed_request(line), refuse)

    def _well_formed_from_client(self, line: bytes, refuse: Refuse | None) -> None:
        has_passed = len(line) > jsonrpc.LONG_LINE and self._passed_without_parsing(line)
        if not has_passed and len(line) > jsonrpc.PARSED_AT_ONCE:
            self._work.start_parsing(line, self._parsed_from_client, refuse, self._capacity.wait, of_client=True)
        elif not has_passed:
            self._parsed_from_client(*jsonrpc.parse_line(line))

    def _passed_without_parsing(self, line: bytes) -> bool:
        """Forward a long line if partial parsing shows that it does not concern us; return whether it was forwarded."""
        if partial_parsing.find_response_id(line) is not None:  # It is an answer to the server.
            self._to_server(line, None)
            return True
        return (call := partial_parsing.parse_call_partially(line)) is not None and self.passed_unparsed(call, line)

    def passed_unparsed(self, call: Message, line: bytes) -> bool:
        """Forward a partially parsed call if that is sufficient; return whether it was."""
        if self._must_open(call, line):
            return False
        self._note_request(call)
        self._sender.send(line, call)
        return True

    def _parsed_from_client(self, message: Any, line: bytes) -> None:
        if isinstance(message, list):
            self._batch_from_client(message, line)
        elif message is None and (refusal := refusal_of_unreadable(line, self._requests)) is not None:
            self._to_client(refusal)
        else:
            self.message_from_client(message, line)

    def _batch_from_client(self, messages: list[Any], line: bytes) -> None:
        calls = [part for part in messages if is_request(part) and part["method"] == CALL]
        if any(self._must_open(call, line) for call in calls):
            for part in messages:
                self.message_from_client(part, to_line(part))
            return
        for request in filter(is_request, messages):
            self._note_request(request)
        self._to_server(line, messages)

    def message_from_client(self, message: Any, line: bytes) -> None:
        """Handle a message from the client that is parsed already."""
        if is_request(message):
            if loop := loop_in(chain_of(message)):
                self._to_client(to_line(jsonrpc.error_response(message["id"], loop)))
                return
            work: Any = None
            key = id_of(message)
            if message["method"] == CALL and self._must_open(message, line):
                work = self._prepare_call
            elif self._results.has_tools and concerns_objects(message) and not self._nested.pass_unchanged(message):
                work = self._answer_for_object
            if key is not None and work is not None:
                request = self._requests.add_prepared(message, key)
                request.task = self._work.start(work(request, message, line), len(line))
                return
            if message["method"] == "initialize":
                self._results.client = client_of_initialize(message.get("params"))
            self._note_request(message)
            self._sender.send(line, message)
            return
        if isinstance(message, dict) and message.get("method") == CANCELLED:
            params = message.get("params")
            if self._requests.cancel(params) or self._subscriptions.close(params):
                return
        self._to_server(line, message)

    def _note_request(self, request: Message) -> None:
        self._nested.note_request(request)
        if (key := id_of(request)) is not None:
            self._requests.add_sent(request, key, passes=self._nested.pass_unchanged(request))

    def _must_open(self, call: Message, line: bytes) -> bool:
        if self._nested.pass_unchanged(call):
            return False
        ready = result_if_ready(self._interceptor)
        if self._results.has_tools and (ready is None or ready.is_own(jsonrpc.tool_of(call))):
            return True  # Before the line, which may be long, is scanned.
        return has_filter(call.get("params")) or partial_parsing.may_contain_references(line)

    async def _prepare_call(self, request: Pending, call: Message, line: bytes) -> None:
        try:
            params = call.get("params")
            interceptor = await asyncio.shield(self._interceptor)
            if not isinstance(params, dict):
                self._pass_call(request, call, line)
                return
            tool, given = request.tool, params.get("arguments")
            # Only the list shows which server has this tool, and its parameters.
            await self._prefetch.learn_tools(interceptor, request)
            if self._results.has_tools and interceptor.is_own(tool):
                self._to_client(to_line(jsonrpc.response(call, await interceptor.own_tool_call(tool, given))))
                return
            tool = request.tool = self._listed_name(tool)
            async with self._capacity.reserving() as reserve:
                prepared = await interceptor.prepare(tool, given, as_json=True, reserve=reserve)
                if prepared.arguments is not given:
                    call = {**call, "params": {**params, "arguments": prepared.arguments}}
                    line = await adump_line(call)
                request.call = prepared.for_result()
                self._pass_call(request, call, line)
        except ObjectNotFound as error:
            prefixes = self._object_readers()
            if any(tool.startswith(prefix) for prefix in prefixes):
                self._pass_call(request, call, line)  # The server may know the object.
            else:
                self._to_client(to_line(object_resources.not_found(call, error, prefixes)))
        except CoatcheckError as error:
            self._to_client(to_line(jsonrpc.response(call, text_result(str(error), is_error=True))))
        except Exception:
            logger.exception("The arguments of a call could not be prepared")
            self._to_client(request.error("The references in the arguments could not be resolved."))
        finally:
            if request.task is not None:  # It was not sent.
                self._requests.remove(request)

    def _pass_call(self, request: Pending, call: Message, line: bytes) -> None:
        self._requests.sent_as_prepared(request)
        self._sender.send(line, call)

    async def _answer_for_object(self, request: Pending, message: Message, line: bytes) -> None:
        """Answer a request about stored objects, or send what is not about them to the server."""
        try:
            if message["method"] == LISTEN:
                answer = await self._subscriptions.open(request, message, self._interceptor, self._resources)
            else:
                has = partial(self._resources.have, request=request)
                answer = await object_resources.answer_for_object(message, self._interceptor, has)
            line = line if answer is message else await adump_line(answer)
            if is_request(answer):
                self._requests.sent_as_prepared(request)
                self._sender.send(line, answer)
            else:
                self._to_client(line)
        finally:
            if request.task is not None:  # It was not sent.
                self._requests.remove(request)

    def from_server(self, line: bytes, request: Id | None = None) -> None:
        """Handle a line from the server; with several servers, with the only request that it may answer."""
        for each in [line] if request is not None else with_one_id(line):
            self._line_from_server(each, request)

    def _line_from_server(self, line: bytes, request: Id | None) -> None:
        if request is not None:
            self._parsed_in_turn(line, lambda *read: self._message_from_server(*as_answer_to(request, *read)), request)
        elif not jsonrpc.looks_like_json(line):
            if line.strip():
                self._on_stray_output(line)
        elif len(line) > jsonrpc.LONG_LINE and self._passes_unparsed(line):
            self._to_client(line)
        else:
            self._parsed_in_turn(line, self._parsed_from_server)

    def _parsed_in_turn(self, line: bytes, take: Take, answered: Id | None = None) -> None:
        if len(line) <= jsonrpc.PARSED_AT_ONCE:
            take(*jsonrpc.parse_server_line(line))
            return
        key = answered or partial_parsing.find_response_id(line)
        before = partial(self._results.learn_tools, self._requests.sent(key), len(line))
        self._work.start_parsing(line, take, lambda why: self._requests.fail(key, why, self._to_client), before)

    def _passes_unparsed(self, line: bytes) -> bool:
        """Whether the ends of a long line show that the message does not concern us."""
        if partial_parsing.is_certainly_request(line):
            return True
        request = self._requests.sent(partial_parsing.find_response_id(line))
        if request is None or self._opens(request) or not partial_parsing.is_well_formed_response(line):
            return False
        self._requests.remove(request)
        return True

    def _opens(self, request: Pending) -> bool:
        """Whether the response to a request may concern us."""
        return request.requester is not None or (request.method in _OF_INTEREST and not request.passes)

    def _parsed_from_server(self, message: Any, line: bytes) -> None:
        if message is None:
            self._unreadable_from_server(line)
        elif isinstance(message, list) and message and all(self._passes_as_it_is(part, line) for part in message):
            for part in message:
                self._requests.remove(self._requests.answered_by(part))
            self._to_client(line)
        elif isinstance(message, list):
            for part in message:
                self._part_from_server(part, to_line(part))
        else:
            self._part_from_server(message, line)

    def _part_from_server(self, message: Any, line: bytes) -> None:
        if jsonrpc.is_message(message) or self._requests.answered_by(message) is not None:
            self._message_from_server(message, line)
        else:
            self._on_stray_output(line)  # A log line that only looks like a message.

    def _unreadable_from_server(self, line: bytes) -> None:
        """Answer a request whose response is not JSON; other lines are not messages."""
        key = partial_parsing.find_broken_response_id(line)
        if self._requests.sent(key) is None or not self._requests.fail(key, unreadable(line), self._to_client):
            self._on_stray_output(line)

    def _passes_as_it_is(self, message: Any, line: bytes) -> bool:
        request = self._requests.answered_by(message)
        if request is None:
            return jsonrpc.is_message(message) and not (is_response(message) and id_of(message))
        is_exact = request.requester is None and well_formed_response(message, line, request.request_id)[0] is message
        return is_exact and not self._concerns_us(request, message, line)

    def _concerns_us(self, request: Pending, message: Message, line: bytes) -> bool:
        if request.requester is not None or not self._opens(request):
            return request.requester is not None
        if request.method in object_resources.LISTS:
            return self._results.has_tools
        if not isinstance(message.get("result"), dict) and (request.method != CALL or "error" not in message):
            return False
        return request.method != CALL or request.call is not None or not self._fits(request.tool, line)

    def _fits(self, tool: str, line: bytes) -> bool:
        """Whether a line is so short that its result cannot exceed the limit."""
        ready = result_if_ready(self._interceptor)
        fits = ready is not None and ready.passes_unparsed(tool, len(line), self._budget)
        return fits and not has_too_many_levels(line)

    def _message_from_server(self, message: Any, line: bytes) -> None:
        if not is_response(message):
            self._results.note_changed_list(message.get("method"))
            self._to_client(with_objects(message, line, self._requests.sent))
            return
        request = self._requests.answered_by(message)
        if request is not None and request.requester is None:
            message, line = well_formed_response(message, line, request.request_id)
        concerns_us = request is not None and self._concerns_us(request, message, line)
        request = self._requests.remove(request)
        if request is None and id_of(message) is not None:
            return  # To no request, or to one that was answered or cancelled: it could arrive before the real response.
        if request is None or not concerns_us:
            self._to_client(line)
        elif request.requester is not None:
            if not request.requester.done():
                request.requester.set_result(message)
        elif request.method in HANDSHAKES and not self._needs_instructions(message["result"]):
            self._to_client(line)
        else:
            self._work.start(self._rewrite_response(request, message, line), len(line))

    async def _rewrite_response(self, request: Pending, message: Message, line: bytes) -> None:
        try:
            rewritten = await self._results.rewritten(request, message, len(line))
            if rewritten is not message:
                line = await adump_line(rewritten)
        except Exception as error:
            if error is not failure_of(self._interceptor):  # which ends the session
                logger.exception("A response could not be rewritten and passes unchanged")
        self._to_client(line)

    def _needs_instructions(self, handshake: dict[str, Any]) -> bool:
        """Read the server's capabilities from a handshake; return whether the instructions are added to it."""
        if announces_coatcheck(handshake.get("capabilities")):
            self._nested.note_server()
            return False
        self._results.note_handshake(handshake)
        return self._results.has_tools
