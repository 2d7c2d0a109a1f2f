"""One client and one server: which messages are parsed and what is done with them; all others pass byte for byte."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coatcheck.calls.call_budget import Round
from coatcheck.calls.interceptor import with_instructions
from coatcheck.codec import adump_line
from coatcheck.errors import CoatcheckError
from coatcheck.proxy.background_tasks import BackgroundTasks
from coatcheck.proxy.jsonrpc import (
    LONG_LINE,
    PARSED_AT_ONCE,
    Id,
    Message,
    as_answer_to,
    error_response,
    id_of,
    is_request,
    is_response,
    is_stateless,
    looks_like_json,
    parse,
    request_key,
    response,
    to_line,
    tool_of,
)
from coatcheck.proxy.object_resources import LISTS, answer_read, mention_objects, reads_object
from coatcheck.proxy.partial_parsing import (
    find_response_id,
    is_certainly_request,
    may_contain_references,
    parse_call_partially,
)
from coatcheck.proxy.tool_list_prefetch import LIST, ToolListPrefetch

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

logger = logging.getLogger(__name__)

CALL, CANCELLED = "tools/call", "notifications/cancelled"
TASK_RESULT = "tasks/result"
"""Gives the result of a call that was made as a task; which tool's is not told."""
HANDSHAKES = frozenset({"initialize", "server/discover"})
_OF_INTEREST = frozenset({CALL, LIST, *HANDSHAKES, *LISTS})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that the server has not answered yet."""

    method: str
    tool: str = ""
    stateless: bool = False


class Conversation:
    """One client and one server. Lines go in by ``from_client`` and ``from_server`` and come out by the two callables.

    Args:
        to_client: Takes lines for the client.
        to_server: Takes lines for the server, each with the message in it where that has been parsed, else ``None``.
        interceptor: Becomes the interceptor; messages that need none pass before it is there.
        on_noise: Takes what the server writes that is no message.
        on_change: Called when work in hand grows or shrinks.
        offer_resources: Say that there are resources although the server has none: stored objects are.
        calls_at_once: The round that calls count in, where other conversations share it.
    """

    def __init__(
        self,
        to_client: Callable[[bytes], None],
        to_server: Callable[[bytes, Any], None],
        interceptor: "asyncio.Future[Interceptor]",
        *,
        on_stray_output: Callable[[bytes], None],
        on_change: Callable[[], None] = lambda: None,
        offer_resources: bool = False,
        calls_at_once: Round | None = None,
    ) -> None:
        self._to_client = to_client
        self._to_server = to_server
        self._interceptor = interceptor
        self._on_stray_output = on_stray_output
        self._offer_resources = offer_resources
        self._asked: dict[Id, Asked] = {}
        self._in_progress: dict[Id, asyncio.Task[None]] = {}
        self._work = BackgroundTasks(on_change)
        self._prefetch = ToolListPrefetch(to_server)
        self._has_tools = True
        self._round = Round() if calls_at_once is None else calls_at_once
        self.has_server_message = False

    @property
    def is_waiting(self) -> bool:
        """Whether the client waits for an answer."""
        return bool(self._asked or self._work)

    @property
    def bytes_in_progress(self) -> int:
        """Bytes of the lines that are being dealt with."""
        return self._work.size

    async def finish_work(self) -> None:
        """Wait until all messages in progress have been passed on."""
        await self._work.finish()

    def leave(self) -> None:
        """Drop pending requests: their client has left."""
        for key in list(self._asked):
            self._answered(key)

    def abandon_prefetch(self) -> None:
        """Stop waiting for our own requests to the server."""
        self._prefetch.give_up()

    def fail_all(self, text: str) -> None:
        """Answer every pending request with an error."""
        for task in self._in_progress.values():
            task.cancel()
        for _, request_id in (*self._in_progress, *self._asked):
            self._to_client(to_line(error_response(request_id, text)))
        self._asked.clear()
        self._in_progress.clear()

    # From the client

    def from_client(self, line: bytes) -> None:
        """Take a line of the client's."""
        if len(line) > LONG_LINE and self._passed_without_parsing(line):
            return
        self._parsed(line, self._parsed_from_client)

    def _parsed(self, line: bytes, take: Callable[[Any, bytes], None]) -> None:
        if len(line) > PARSED_AT_ONCE:
            self._work.start_parsing(line, take)
        else:
            take(parse(line), line)

    def _passed_without_parsing(self, line: bytes) -> bool:
        """Hand on a long line of which partial parsing shows that it concerns us no further; say whether it was one."""
        if find_response_id(line) is not None:  # It is an answer to the server.
            self._to_server(line, None)
            return True
        call = parse_call_partially(line)
        return call is not None and self.passed_unparsed(call, line)

    def passed_unparsed(self, call: Message, line: bytes) -> bool:
        """Hand on a call of which only partial parsing was taken, if no more is needed; say whether it was."""
        if self._must_open(call, line):
            return False
        self._note_request(call)
        self._to_server(line, call)
        return True

    def _parsed_from_client(self, message: Any, line: bytes) -> None:
        if isinstance(message, list):
            self._batch_from_client(message, line)
        elif isinstance(message, dict):
            self.message_from_client(message, line)
        else:
            self._to_server(line, message)

    def _batch_from_client(self, messages: list[Any], line: bytes) -> None:
        calls = [part for part in messages if is_request(part) and part["method"] == CALL]
        if any(self._must_open(call, line) for call in calls):
            for part in messages:
                self.message_from_client(part, to_line(part))
            return
        for part in messages:
            self._note_request(part)
        self._to_server(line, messages)

    def message_from_client(self, message: Any, line: bytes) -> None:
        """Take a message of the client's that has been parsed already."""
        if is_request(message):
            key = id_of(message)
            if key is not None and message["method"] == CALL and self._must_open(message, line):
                self._in_progress[key] = self._work.start(self._open_call(key, message, line), len(line))
                return
            if key is not None and self._has_tools and reads_object(message):
                self._in_progress[key] = self._work.start(self._read_object(key, message), len(line))
                return
            self._note_request(message)
        elif isinstance(message, dict) and message.get("method") == CANCELLED and self._cancel(message):
            return
        self._to_server(line, message)

    def _note_request(self, message: Any) -> None:
        key = request_key(message)
        if key is not None:
            method = CALL if message["method"] == TASK_RESULT else message["method"]
            self._asked[key] = Asked(method, tool_of(message), is_stateless(message))
            if method == CALL:
                self._round.asked()

    def _answered(self, key: Id) -> Asked | None:
        asked = self._asked.pop(key, None)
        if asked is not None and asked.method == CALL:
            self._round.answered()
        return asked

    def _cancel(self, message: Message) -> bool:
        """Forget a cancelled request; say whether it ends here because the server never saw it."""
        params = message.get("params")
        key = id_of({"id": params.get("requestId")}) if isinstance(params, dict) else None
        if key is None:
            return False
        self._answered(key)
        task = self._in_progress.pop(key, None)
        return task is not None and task.cancel()

    def _must_open(self, call: Message, line: bytes) -> bool:
        if self._has_tools:
            ready = _result_of(self._interceptor)
            if ready is None or ready.is_own(tool_of(call)):
                return True  # Before the line, which may be long, is searched.
        return may_contain_references(line)

    async def _open_call(self, key: Id, call: Message, line: bytes) -> None:
        from coatcheck.calls.built_in_tools import error_result

        try:
            params = call.get("params")
            interceptor = await asyncio.shield(self._interceptor)
            if not isinstance(params, dict):
                self._pass_call(key, call, line)
                return
            tool, given = tool_of(call), params.get("arguments")
            if not interceptor.knows(tool) and not self._prefetch.listed:
                # Only the list tells whose tool this is and what it takes.
                await self._prefetch.learn_tools(interceptor, call)
            if self._has_tools and interceptor.is_own(tool):
                self._to_client(to_line(response(call, await interceptor.own_tool_call(tool, given))))
                return
            arguments = await interceptor.arguments(tool, given, as_json=True)
            if arguments is not given:
                call = {**call, "params": {**params, "arguments": arguments}}
                line = await adump_line(call)
            self._pass_call(key, call, line)
        except CoatcheckError as error:
            self._to_client(to_line(response(call, error_result(str(error)))))
        except Exception:
            logger.exception("The arguments of a call could not be prepared")
            self._to_client(
                to_line(error_response(call["id"], "The references in the arguments could not be resolved."))
            )
        finally:
            self._in_progress.pop(key, None)

    def _pass_call(self, key: Id, call: Message, line: bytes) -> None:
        self._asked[key] = Asked(CALL, tool_of(call))
        self._round.asked()
        self._to_server(line, call)

    async def _read_object(self, key: Id, request: Message) -> None:
        try:
            interceptor = await asyncio.shield(self._interceptor)
            self._to_client(to_line(await answer_read(request, interceptor)))
        except Exception:
            logger.exception("A stored object could not be read")
            self._to_client(to_line(error_response(request["id"], "The object could not be read.")))
        finally:
            self._in_progress.pop(key, None)

    # From the server

    def from_server(self, line: bytes, request: Id | None = None) -> None:
        """Take a line of the server's.

        Args:
            line: The line.
            request: Where there are several servers, the request that it may answer: an answer of one of them must not
                pass for another's, by a second id or otherwise.
        """
        if request is not None:
            self.has_server_message = True
            self._parsed(line, lambda message, line: self._message_from_server(*as_answer_to(request, message, line)))
            return
        if not looks_like_json(line):
            if line.strip():
                self._on_stray_output(line)
            return
        if not self.has_server_message or line.lstrip()[:1] == b"[":
            self._check_before_handshake(line)
        elif len(line) > LONG_LINE and self._is_of_no_interest(line):
            self._to_client(line)
        else:
            self._parsed(line, self._message_from_server)

    def _check_before_handshake(self, line: bytes) -> None:
        """Take a line that may be a log line which only begins like a message."""
        message = parse(line)
        batch = message if isinstance(message, list) else [message]
        if not batch or not all(isinstance(part, dict) for part in batch):
            self._on_stray_output(line)
            return
        self.has_server_message = True
        if isinstance(message, dict):
            self._message_from_server(message, line)
        elif any(self._concerns_us(part, line) for part in batch):
            for part in batch:
                self._message_from_server(part, to_line(part))
        else:
            for part in batch:
                self._answered(id_of(part) or ("", ""))
            self._to_client(line)

    def _is_of_no_interest(self, line: bytes) -> bool:
        if not (self._asked or self._prefetch) or is_certainly_request(line):
            return True
        key = find_response_id(line)
        if key is None or key in self._prefetch:
            return False
        asked = self._asked.get(key)
        if asked is None or asked.method not in _OF_INTEREST:
            self._answered(key)
            return True
        return False

    def _concerns_us(self, message: Message, line: bytes) -> bool:
        key = id_of(message) if is_response(message) else None
        if key is None or key in self._prefetch:
            return key is not None
        asked = self._asked.get(key)
        if asked is None or asked.method not in _OF_INTEREST:
            return False
        if asked.method in LISTS:
            return self._has_tools
        if not isinstance(message.get("result"), dict):
            return False
        return asked.method != CALL or not self._fits(asked.tool, line)

    def _fits(self, tool: str, line: bytes) -> bool:
        """Whether a line is so short that no result in it can be too long."""
        ready = _result_of(self._interceptor)
        if ready is None or not ready.passes_unseen(tool, len(line), self._round.room(ready.limits.per_round)):
            return False
        self._round.spent += len(line)
        return True

    def _message_from_server(self, message: Any, line: bytes) -> None:
        key = id_of(message) if is_response(message) else None
        if key is None:
            if isinstance(message, dict) and message.get("method") == "notifications/tools/list_changed":
                self._prefetch.listed = False
            self._to_client(line)
            return
        if self._prefetch.take(key, message):
            return
        concerns_us = self._concerns_us(message, line)
        asked = self._answered(key)
        if asked is None or not concerns_us:
            self._to_client(line)
        elif asked.method in LISTS:
            self._to_client(to_line(mention_objects(asked.method, message, stateless=asked.stateless)))
        elif asked.method in HANDSHAKES:
            self._to_client(self._handshake(message, line))
        else:
            self._work.start(self._open_answer(asked, message, line), len(line))

    async def _open_answer(self, asked: Asked, message: Message, line: bytes) -> None:
        try:
            result = message["result"]
            interceptor = await asyncio.shield(self._interceptor)
            if asked.method == CALL:
                changed = await self._round.shorten(interceptor, asked.tool, result)
            else:
                changed = await interceptor.tools_list(result) if self._has_tools else result
                self._prefetch.listed = self._prefetch.listed or not result.get("nextCursor")
            if changed is not result:
                line = to_line({**message, "result": changed})
        except Exception:
            logger.exception("An answer could not be rewritten and passes as it came")
        self._to_client(line)

    def _handshake(self, message: Message, line: bytes) -> bytes:
        """Add the reference instructions to the server's, if it has tools."""
        result = message["result"]
        capabilities = result.get("capabilities")
        self._has_tools = isinstance(capabilities, dict) and capabilities.get("tools") is not None
        if not self._has_tools:
            return line
        changed = {**result, "instructions": with_instructions(result.get("instructions"))}
        if self._offer_resources and capabilities.get("resources") is None:
            changed["capabilities"] = {**capabilities, "resources": {}}
        return to_line({**message, "result": changed})


def _result_of(future: "asyncio.Future[Interceptor]") -> "Interceptor | None":
    return future.result() if future.done() and not future.cancelled() and future.exception() is None else None
