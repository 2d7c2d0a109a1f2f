"""ASGI middleware that ends in order: answers calls in flight, then closes standing streams."""

import asyncio
from contextlib import suppress
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SETTLE_SECONDS = 0.1
"""What the last call gives in this time still goes out by a stream that stands."""

_LISTEN = b"subscriptions/listen"


class Draining:
    """An ASGI application that knows what is in flight, and can end what would never end by itself.

    Standing streams are the responses to ``GET`` and to requests that subscribe: a client that listens. They are closed
    once nothing else is in flight, since the answers of a call may come by one of them.

    Args:
        application: What answers requests.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._in_flight = 0
        self._over = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Close standing streams as soon as nothing else is in flight."""
        if self._ending is None:
            self._ending = asyncio.ensure_future(self._end())

    async def watch(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Count a call as in flight: a server's middleware, for transports that answer by a standing stream."""
        if ctx.request_id is None or ctx.method.encode() == _LISTEN:
            return await call_next(ctx)
        self._in_flight += 1
        try:
            return await call_next(ctx)
        finally:
            self._in_flight -= 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
        elif _stands(scope):
            await self._stand(scope, receive, send)
        else:
            self._in_flight += 1
            try:
                await self._application(scope, receive, send)
            finally:
                self._in_flight -= 1

    async def _end(self) -> None:
        idle = False
        while not idle:
            idle = self._in_flight == 0
            await asyncio.sleep(SETTLE_SECONDS)
            idle = idle and self._in_flight == 0
        self._over.set()

    async def _stand(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = completed = over = False

        async def received() -> Message:
            nonlocal over
            # When all is over the client looks as if it had gone, which ends every stream in the usual way.
            receiving, ending = asyncio.ensure_future(receive()), asyncio.ensure_future(self._over.wait())
            try:
                await asyncio.wait({receiving, ending}, return_when=asyncio.FIRST_COMPLETED)
                if receiving.done():
                    return receiving.result()
                over = True
                return {"type": "http.disconnect"}
            finally:
                for task in (receiving, ending):
                    task.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(receiving, ending, return_exceptions=True)

        async def sent(event: Message) -> None:
            nonlocal started, completed
            if over:
                return
            started = started or event["type"] == "http.response.start"
            completed = event["type"] == "http.response.body" and not event.get("more_body", False)
            await send(event)

        await self._application(scope, received, sent)
        if started and not completed:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _stands(scope: Scope) -> bool:
    return scope["method"] == "GET" or (b"mcp-method", _LISTEN) in scope["headers"]
