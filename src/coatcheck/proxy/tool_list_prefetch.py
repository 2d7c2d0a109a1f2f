"""Our own `tools/list` request to a server, made when a call needs the schemas before the client has listed them."""

import asyncio
from collections.abc import Callable
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from coatcheck.proxy.jsonrpc import PROGRESS_TOKEN, Id, Message, is_stateless, meta_of, to_line

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

LIST = "tools/list"
LIST_TIMEOUT = 20.0
"""Seconds that a server has to list its tools when we ask for our own sake."""
MAX_PAGES = 100


class ToolListPrefetch:
    """Our own requests beside the client's, under ids that no client uses.

    Args:
        to_server: Takes lines for the server, each with the message in it.
    """

    def __init__(self, to_server: Callable[[bytes, Message], None]) -> None:
        self._to_server = to_server
        self._open: dict[Id, asyncio.Future[Message]] = {}
        self._prefix = f"coatcheck/{token_hex(8)}/"
        self._count = 0
        self._listing: asyncio.Task[None] | None = None
        self.listed = False

    def __bool__(self) -> bool:
        return bool(self._open)

    def __contains__(self, key: Id) -> bool:
        return key in self._open

    def take(self, key: Id, answer: Message) -> bool:
        """Take an answer; say whether it was one to us."""
        question = self._open.pop(key, None)
        if question is not None and not question.done():
            question.set_result(answer)
        return question is not None

    def give_up(self) -> None:
        """Stop waiting for pending responses."""
        for question in self._open.values():
            if not question.done():
                question.set_result({})

    async def learn_tools(self, interceptor: "Interceptor", call: Message) -> None:
        """Have the server list its tools, in the name of the call that needs to know."""
        if self._listing is None or self._listing.done():
            self._listing = asyncio.ensure_future(self._list_tools(interceptor, call))
        await asyncio.shield(self._listing)

    async def _list_tools(self, interceptor: "Interceptor", call: Message) -> None:
        meta = (
            {key: value for key, value in meta_of(call).items() if key != PROGRESS_TOKEN}
            if is_stateless(call)
            else None
        )
        cursor: Any = None
        for _ in range(MAX_PAGES):
            params = ({} if meta is None else {"_meta": meta}) | ({} if cursor is None else {"cursor": cursor})
            try:
                answer = await asyncio.wait_for(self._ask(LIST, params), LIST_TIMEOUT)
            except TimeoutError:
                return
            result = answer.get("result")
            if not isinstance(result, dict) or not isinstance(result.get("tools"), list):
                return
            interceptor.learn(result["tools"])
            cursor = result.get("nextCursor")
            if not cursor:
                self.listed = True
                return

    async def _ask(self, method: str, params: dict[str, Any]) -> Message:
        self._count += 1
        request_id = f"{self._prefix}{self._count}"
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._open["str", request_id] = answer
        request = {"jsonrpc": "2.0", "id": request_id, "method": method} | ({"params": params} if params else {})
        try:
            self._to_server(to_line(request), request)
            return await answer
        finally:
            self._open.pop(("str", request_id), None)
