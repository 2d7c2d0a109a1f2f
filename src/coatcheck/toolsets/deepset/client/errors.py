"""The errors of the deepset client.

    DeepsetError                 base; carries method, path, status, message, details
    ├── RequestRejected          400, 409, 422, 424 and other 4xx: the request is invalid
    ├── NotAuthorized            401, 403: the key is invalid or lacks permission
    ├── NotFound                 404
    ├── RateLimited              429, after all retries
    ├── PlatformFailed           5xx, after all retries
    ├── PlatformUnreachable      no connection
    ├── PlatformTimeout          no complete response in time
    └── UnexpectedAnswer         a response that does not match the API

Messages quote the platform's message, shortened, and never the API key.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from coatcheck.errors import CoatcheckError, excerpt

MESSAGE_CHARACTERS = 1_000
"""Maximum characters of the platform's own message that an error quotes."""

DETAILS_SHOWN = 20
"""Maximum entries of ``details`` that an error quotes."""

DETAIL_CHARACTERS = 300


class DeepsetError(CoatcheckError):
    """A call to the deepset platform failed.

    Attributes:
        method: The HTTP method.
        path: The path below the API's base URL.
        status: The HTTP status, or ``None`` without a response.
        message: The platform's message, or a description of the failure.
        details: The platform's details: a text, a list of faults, or ``None``.
        retry_after: Seconds from the header ``Retry-After``, if present.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        path: str = "",
        status: int | None = None,
        details: Any = None,
        retry_after: float | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.status = status
        self.message = message
        self.details = details
        self.retry_after = retry_after
        super().__init__(self._text())

    def _text(self) -> str:
        status = "" if self.status is None else f" ({self.status})"
        faults = "".join(f"\n- {line}" for line in detail_lines(self.details))
        message = self.message.removesuffix(".") if status else self.message
        return f"{message}{status}{faults}"


class RequestRejected(DeepsetError):
    """The platform rejected the request."""


class NotAuthorized(DeepsetError):
    """The platform rejected the API key, or the key lacks permission."""


class NotFound(DeepsetError):
    """The resource does not exist."""


class RateLimited(DeepsetError):
    """The platform's rate limit was exceeded."""


class PlatformFailed(DeepsetError):
    """The platform reported an internal error."""


class PlatformUnreachable(DeepsetError):
    """The platform is unreachable."""


class PlatformTimeout(DeepsetError):
    """The platform did not respond in time."""


class UnexpectedAnswer(DeepsetError):
    """The platform's response does not match its API."""


def error_for(
    status: int,
    body: Any,
    *,
    method: str,
    path: str,
    retry_after: float | None = None,
) -> DeepsetError:
    """Create the error for a response.

    ``body`` is parsed JSON, or a text; ``retry_after`` are the seconds of the header ``Retry-After``.
    """
    message, details = _message_and_details(body)
    return _kind(status)(
        message or _DEFAULT_MESSAGES.get(status, "The platform did not say why"),
        method=method,
        path=path,
        status=status,
        details=details,
        retry_after=retry_after,
    )


_DEFAULT_MESSAGES = {
    401: "The platform did not accept the API key",
    403: "The API key may not do this",
    404: "The platform does not have this",
    429: "The platform was asked too often",
}

_KINDS: dict[int, type[DeepsetError]] = {401: NotAuthorized, 403: NotAuthorized, 404: NotFound, 429: RateLimited}
_FIRST_SERVER_ERROR = 500
_FIRST_CLIENT_ERROR = 400


def _kind(status: int) -> type[DeepsetError]:
    if status >= _FIRST_SERVER_ERROR:
        return PlatformFailed
    return _KINDS.get(status, RequestRejected) if status >= _FIRST_CLIENT_ERROR else UnexpectedAnswer


def _message_and_details(body: Any) -> tuple[str, Any]:
    """Find message and details in a body: the platform's own form, FastAPI's ``detail``, or a text."""
    if isinstance(body, Mapping):
        message = next((body[key] for key in ("message", "detail", "error") if isinstance(body.get(key), str)), "")
        details = body.get("details")
        if details is None and not isinstance(body.get("detail"), str):
            details = body.get("detail")
        if details is None and isinstance(body.get("errors"), list):
            details = body["errors"]
        return excerpt(message, MESSAGE_CHARACTERS), details
    if isinstance(body, list):
        return "", body
    return excerpt(body.strip(), MESSAGE_CHARACTERS) if isinstance(body, str) else "", None


def detail_lines(details: Any) -> list[str]:
    """Format details as lines of bounded length; omitted entries are counted."""
    if details in (None, "", [], {}):
        return []
    if not isinstance(details, Sequence) or isinstance(details, str):
        details = [details]
    lines = [_detail_line(each) for each in details[:DETAILS_SHOWN]]
    left = len(details) - DETAILS_SHOWN
    return [*lines, f"… and {left:,} more"] if left > 0 else lines


def _detail_line(detail: Any) -> str:
    if isinstance(detail, Mapping):
        message = detail.get("message") or detail.get("msg")
        if isinstance(message, str):
            place = detail.get("json_pointer") or detail.get("loc")
            code = detail.get("code")
            text = f"{code}: {message}" if isinstance(code, str) else message
            return excerpt(f"{text} (at {place})" if place else text, DETAIL_CHARACTERS)
    return excerpt(str(detail), DETAIL_CHARACTERS)
