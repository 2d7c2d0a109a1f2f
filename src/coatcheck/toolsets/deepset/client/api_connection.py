"""Requests to the platform: paths, key, timeouts, retries, errors."""

import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

import anyio
import httpx2
from pydantic_core import from_json

from coatcheck.errors import SettingsError, excerpt
from coatcheck.toolsets.deepset.client.errors import (
    DeepsetError,
    PlatformTimeout,
    PlatformUnreachable,
    RequestRejected,
    UnexpectedAnswer,
    error_for,
)
from coatcheck.toolsets.deepset.client.retry_policy import RetryPolicy, may_repeat, retry_after_seconds

logger = logging.getLogger(__name__)

DEFAULT_API_URL = "https://api.cloud.deepset.ai/api"
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 256 * 1024
"""Maximum bytes of an error response that are read."""

PATH_PART_CHARACTERS = 500
_FIRST_ERROR = 300
_KEY = re.compile(r"[\x21-\x7e]{1,8192}")
NO_KEY = (
    "The deepset API key is empty or has characters that an HTTP header cannot carry: copy it again, without spaces or "
    "line breaks."
)
_REPEATABLE_METHODS = frozenset({"GET", "PATCH", "DELETE"})

CallKind = Literal["default", "search", "trace_export"]
Query = Mapping[str, str | int | bool | None]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Maximum seconds for one attempt of a call, from its start to the last byte of the response, by kind of call."""

    default: float = 5.0
    search: float = 180.0
    trace_export: float = 70.0

    def of(self, kind: CallKind) -> float:
        """Seconds for a kind of call."""
        seconds: float = getattr(self, kind)
        return seconds


def may_be_key(text: str) -> bool:
    """Whether a text can be an API key: visible ASCII characters, which are valid in an HTTP header."""
    return _KEY.fullmatch(text) is not None


def path_of(*parts: str) -> str:
    """Join the parts of a path, each percent-encoded, slashes too.

    Raises:
        RequestRejected: A part is empty, too long, or would address another part of the API.
    """
    for part in parts:
        if part.strip() in {"", ".", ".."} or len(part) > PATH_PART_CHARACTERS:
            raise RequestRejected(
                f"{excerpt(part)!r} cannot be a name or an id on the platform: names have 1 to "
                f"{PATH_PART_CHARACTERS} characters and are not just dots"
            )
    return "/".join(quote(part.encode("utf-8", "replace"), safe="") for part in parts)


@dataclass(frozen=True, slots=True)
class ApiConnection:
    """Sends requests with one API key over a connection pool, which it does not own."""

    http: httpx2.AsyncClient
    api_key: str = field(repr=False)  # the key; never shown
    base_url: str = DEFAULT_API_URL  # URL of the API, up to and including `/api`
    timeouts: Timeouts = field(default_factory=Timeouts)  # seconds by kind of call
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    max_response_bytes: int = MAX_RESPONSE_BYTES  # maximum bytes of a response

    def __post_init__(self) -> None:
        """Refuse a key that is invalid in a header, before a library quotes it in an error."""
        if not may_be_key(self.api_key):
            raise SettingsError(NO_KEY)

    async def get(self, *parts: str, query: Query | None = None, kind: CallKind = "default") -> Any:
        """Send GET and return the parsed body."""
        return await self.send("GET", *parts, query=query, kind=kind)

    async def post(self, *parts: str, body: Any = None, kind: CallKind = "default", repeatable: bool = False) -> Any:
        """Send POST and return the parsed body; ``repeatable`` if the request is idempotent."""
        return await self.send("POST", *parts, body=body, kind=kind, repeatable=repeatable)

    async def patch(self, *parts: str, body: Any) -> Any:
        """Send PATCH and return the parsed body."""
        return await self.send("PATCH", *parts, body=body)

    async def delete(self, *parts: str) -> Any:
        """Send DELETE and return the parsed body."""
        return await self.send("DELETE", *parts)

    async def send(
        self,
        method: str,
        *parts: str,
        query: Query | None = None,
        body: Any = None,
        kind: CallKind = "default",
        repeatable: bool | None = None,
    ) -> Any:
        """Send a request, retry it if that may help, and return the parsed body.

        JSON is parsed, any other body is a text, and an empty one is ``None``.

        Raises:
            DeepsetError: The platform was unreachable, refused the request, or failed.
        """
        path = path_of(*parts)
        harmless = method in _REPEATABLE_METHODS if repeatable is None else repeatable
        attempt = 1
        while True:
            try:
                return await self._attempt(method, path, query, body, kind)
            except DeepsetError as error:
                delay = self.retries.delay(attempt, error.retry_after) if _may_retry(error, harmless) else None
                if delay is None:
                    raise
                logger.info("%s %s: %s; trying again in %.2f s", method, path, type(error).__name__, delay)
            attempt += 1
            await anyio.sleep(delay)

    @asynccontextmanager
    async def open_stream(self, *parts: str, body: Any, kind: CallKind) -> AsyncIterator[httpx2.Response]:
        """Send POST and yield the response before its body is complete; the body has no deadline here.

        Raises:
            DeepsetError: The platform was unreachable, refused the request, or failed.
        """
        path = path_of(*parts)
        seconds = self.timeouts.of(kind)
        with self._explained("POST", path, seconds):
            request = self._request("POST", path, None, body, seconds)
            with anyio.fail_after(seconds):
                response = await self.http.send(request, stream=True)
        try:
            if response.status_code >= _FIRST_ERROR:
                with self._explained("POST", path, seconds), anyio.fail_after(seconds):
                    raise await self._failure("POST", path, response)
            yield response
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await response.aclose()

    async def _attempt(self, method: str, path: str, query: Query | None, body: Any, kind: CallKind) -> Any:
        seconds = self.timeouts.of(kind)
        with self._explained(method, path, seconds), anyio.fail_after(seconds):
            response = await self.http.send(self._request(method, path, query, body, seconds), stream=True)
            try:
                if response.status_code >= _FIRST_ERROR:
                    raise await self._failure(method, path, response)
                read, complete = await _read(response, self.max_response_bytes)
            finally:
                with anyio.CancelScope(shield=True):
                    await response.aclose()
        if not complete:
            raise UnexpectedAnswer(
                f"The answer is larger than {self.max_response_bytes:,} bytes; ask for less, with a smaller limit",
                method=method,
                path=path,
            )
        return _parsed(response, read)

    def _request(self, method: str, path: str, query: Query | None, body: Any, seconds: float) -> httpx2.Request:
        return self.http.build_request(
            method,
            f"{self.base_url.rstrip('/')}/{path}",
            params=given(**query) if query else None,
            json=body,
            headers={"Authorization": f"Bearer {self.api_key}", "Accept": "application/json"},
            timeout=seconds,
        )

    async def _failure(self, method: str, path: str, response: httpx2.Response) -> DeepsetError:
        read, _ = await _read(response, MAX_ERROR_BYTES)
        text = read.decode("utf-8", "replace").replace(self.api_key, "[key]")
        try:
            body = from_json(text)
        except ValueError:
            body = "" if "html" in response.headers.get("content-type", "") else text
        return error_for(
            response.status_code,
            body,
            method=method,
            path=path,
            retry_after=retry_after_seconds(response.headers.get("retry-after")),
        )

    @contextmanager
    def _explained(self, method: str, path: str, seconds: float) -> Iterator[None]:
        """Translate errors of the HTTP library to ours."""
        try:
            yield
        except (TimeoutError, httpx2.TransportError, httpx2.InvalidURL, httpx2.DecodingError) as error:
            never_sent = isinstance(error, (httpx2.ConnectTimeout, httpx2.ConnectError, httpx2.PoolTimeout))
            if isinstance(error, (TimeoutError, httpx2.TimeoutException)) and not never_sent:
                text = f"The platform did not answer {method} {path} within {seconds:g} s"
                raise PlatformTimeout(text, method=method, path=path) from None
            kind = _NotSent if never_sent else PlatformUnreachable
            reason = f"{type(error).__name__}: {excerpt(str(error), 200)}" if str(error) else type(error).__name__
            raise kind(f"No answer from {self.base_url} ({reason})", method=method, path=path) from None


class _NotSent(PlatformUnreachable):
    """The request was not sent, so that any request may be retried."""


def _may_retry(error: DeepsetError, harmless: bool) -> bool:
    if isinstance(error, PlatformUnreachable):
        return harmless or isinstance(error, _NotSent)
    return error.status is not None and may_repeat(error.status, repeatable=harmless)


async def _read(response: httpx2.Response, most: int) -> tuple[bytes, bool]:
    """Read a body up to ``most`` bytes; return whether it was complete."""
    read = bytearray()
    async for chunk in response.aiter_bytes():
        read += chunk
        if len(read) > most:
            return bytes(read[:most]), False
    return bytes(read), True


def _parsed(response: httpx2.Response, body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return from_json(body, allow_inf_nan=True)
    except ValueError:
        if "json" in response.headers.get("content-type", ""):
            raise UnexpectedAnswer(
                "The platform announced JSON and sent something else",
                method=response.request.method,
                path=response.request.url.path,
            ) from None
        return body.decode("utf-8", "replace")


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that are not ``None``."""
    return {name: value for name, value in fields.items() if value is not None}
