"""What is left of streamable HTTP without sessions: no stream that stands, no session to end."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class PostOnly:
    """An ASGI application that takes nothing but POST at one path.

    The SDK would hold a stream open for each client that asks for one, on which nothing could ever come.

    Args:
        application: What answers all other requests.
        path: Where this holds.
    """

    def __init__(self, application: ASGIApp, path: str) -> None:
        self._application = application
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"].rstrip("/") == self._path and scope["method"] != "POST":
            text = "There are neither streams nor sessions here, only POST (--stateless).\n"
            await PlainTextResponse(text, 405, headers={"Allow": "POST"})(scope, receive, send)
        else:
            await self._application(scope, receive, send)
