"""The simulated platform as an ASGI application: keys, rate limits, faults, and a record of requests."""

import asyncio
import base64
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from coatcheck.toolsets.deepset.simulator import organization_routes, pipeline_routes, search_routes
from coatcheck.toolsets.deepset.simulator.api_replies import ApiFault, Handler
from coatcheck.toolsets.deepset.simulator.fault_rules import FaultRule, FaultRules
from coatcheck.toolsets.deepset.simulator.organization_routes import SHARE_ID
from coatcheck.toolsets.deepset.simulator.platform_state import PlatformState
from coatcheck.toolsets.deepset.simulator.sample_data import DOCS_WORKSPACE, fill

RECORDED_REQUESTS = 1_000
PREFIX = "/api"
CONTROL = "/simulator/faults"


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A received request.

    Attributes:
        method: The method.
        path: The path as it was sent, percent-encoded, without the query string.
        query: The query string's parameters.
        headers: The headers, names in lower case.
        body: The body: parsed JSON, or ``None``.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class SimulatedPlatform:
    """An ASGI application that simulates the deepset platform below ``/api``.

    Faults can be changed while it runs: through `faults`, or over HTTP with ``POST /simulator/faults`` (a rule as
    text, see `FaultRule`) and ``DELETE /simulator/faults``.

    Args:
        keys: API keys and the given names of their users; ``None`` accepts every key.
        deploy_seconds: Duration of a deployment.
        requests_per_second: Maximum requests of one key per second; 0: no limit.
        faults: Rules of requests that fail.

    Attributes:
        state: The state of the platform.
        faults: The current rules.
        requests: The latest 1 000 requests.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, str] | None = None,
        deploy_seconds: float = 3.0,
        requests_per_second: int = 0,
        faults: Iterable[FaultRule] = (),
    ) -> None:
        self.state = PlatformState(deploy_seconds=deploy_seconds, share_token=_share_token())
        fill(self.state)
        self.faults = FaultRules(faults)
        self.requests: deque[RecordedRequest] = deque(maxlen=RECORDED_REQUESTS)
        self._keys = keys
        self._requests_per_second = requests_per_second
        self._counts: dict[str, tuple[int, int]] = {}
        modules = (pipeline_routes, search_routes, organization_routes)
        routes = [
            Route(PREFIX + path, self._endpoint(handler), methods=[method])
            for module in modules
            for method, path, handler in module.ROUTES
        ]
        self._application = Starlette(
            routes=[Route(CONTROL, self._control, methods=["GET", "POST", "DELETE"]), *routes]
        )

    def share_url(self) -> str:
        """Return the share URL of the simulated documentation, for ``--docs-share-url``."""
        return f"https://cloud.deepset.ai/shared_prototypes?share_token={self.state.share_token}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            # Routed as it was sent, so that a slash inside a name separates nothing.
            scope = {**scope, "path": scope.get("raw_path", scope["path"].encode()).decode("ascii").partition("?")[0]}
        await self._application(scope, receive, send)

    def _endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            path = request.scope["path"].removeprefix(PREFIX + "/")
            self.requests.append(_recorded(request, path, body))
            rule = self.faults.pick(request.method, path)
            if rule is not None:
                await asyncio.sleep(rule.delay)
                if rule.drop:
                    return _BrokenOff()
                if rule.status is not None:
                    return _failed(rule)
            try:
                request.state.key = self._admit(request)
                request.state.user = self._user(request.state.key)
                answer = await handler(self.state, request)
            except ApiFault as fault:
                headers = {"Retry-After": "1"} if fault.status == 429 else None  # noqa: PLR2004
                content = {"message": fault.message, "details": fault.details}
                return JSONResponse(content, fault.status, headers=headers)
            if isinstance(answer, Response):
                return answer
            return Response(status_code=204) if answer is None else JSONResponse(answer)

        return endpoint

    def _admit(self, request: Request) -> str:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise ApiFault(401, "No API key was given.")
        of_share = key == self.state.share_token or key in self.state.share_user_tokens
        if of_share and request.path_params.get("ws") != DOCS_WORKSPACE:
            raise ApiFault(403, "This key reads the shared prototype only.")
        if self._keys is not None and not of_share and key not in self._keys:
            raise ApiFault(401, "The API key is not valid.")
        self._count(key)
        return key

    def _count(self, key: str) -> None:
        if not self._requests_per_second:
            return
        second = int(time.monotonic())
        begun, count = self._counts.get(key, (second, 0))
        count = count + 1 if begun == second else 1
        self._counts[key] = (second, count)
        if count > self._requests_per_second:
            raise ApiFault(429, "Too many requests; slow down.")

    def _user(self, key: str) -> dict[str, Any]:
        return self.state.user_named("ada" if self._keys is None else self._keys.get(key, "guest"))

    async def _control(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.faults.clear()
        elif request.method == "POST":
            text = (await request.body()).decode("utf-8", "replace")
            try:
                self.faults.add(FaultRule.parse(text))
            except ValueError as error:
                return JSONResponse({"message": str(error)}, 400)
        return JSONResponse([rule.model_dump(exclude_defaults=True) for rule in self.faults.list()])


class _BrokenOff(Response):
    """A response without its body: the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send only the head."""
        del scope, receive
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})


def _recorded(request: Request, path: str, body: bytes) -> RecordedRequest:
    try:
        parsed = json.loads(body) if body else None
    except ValueError:
        parsed = None
    query = dict(parse_qsl(request.url.query, keep_blank_values=True))
    return RecordedRequest(request.method, path, query, dict(request.headers), parsed)


def _failed(rule: FaultRule) -> Response:
    status = rule.status or 500
    headers = {} if rule.retry_after is None else {"Retry-After": f"{rule.retry_after:g}"}
    if rule.html:
        return Response("<html><body>Bad gateway</body></html>", status, headers, "text/html")
    if rule.body is not None:
        return Response(rule.body, status, headers, "application/json")
    return JSONResponse({"message": f"Simulated failure {status}.", "details": None}, status, headers)


def _share_token() -> str:
    claims = {"workspace_name": DOCS_WORKSPACE, "share_id": SHARE_ID, "login_required": False}
    parts = [{"alg": "none"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts]
    return f"prototype_{'.'.join(encoded)}.simulated"
