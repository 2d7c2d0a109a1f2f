"""Translates errors of the platform to advice for a model."""

import functools
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from coatcheck.errors import CoatcheckError
from coatcheck.toolsets.deepset.client import (
    DeepsetError,
    NotAuthorized,
    NotFound,
    PlatformFailed,
    PlatformTimeout,
    PlatformUnreachable,
    RateLimited,
    RequestRejected,
    UnexpectedAnswer,
)
from coatcheck.toolsets.deepset.client.models import ValidationResult, sent
from coatcheck.toolsets.deepset.client.pipelines_api import validation_faults

Result = TypeVar("Result")
AsyncTool = Callable[..., Awaitable[Result]]

_FORBIDDEN = 403
_CONFLICT = 409
_NOT_READY = 424
_UNKNOWN = "Not Found (404)"


class ToolFailed(CoatcheckError):
    """A tool failed; the text says what to do next."""


def advised(where: str = "", *, writes: bool = False) -> Callable[[AsyncTool[Result]], AsyncTool[Result]]:
    """Add to the errors of a tool what to do next.

    ``where`` names the tools that list valid names; ``writes``: a call without a response may have changed something.
    """

    def decorate(tool: AsyncTool[Result]) -> AsyncTool[Result]:
        @functools.wraps(tool)
        async def call(*args: Any, **kwargs: Any) -> Result:
            try:
                return await tool(*args, **kwargs)
            except DeepsetError as error:
                raise ToolFailed(f"{_sentence(str(error))} {advice(error, where, writes=writes)}") from error

        return call

    return decorate


def advice(error: DeepsetError, where: str = "", *, writes: bool = False) -> str:
    """Return the advice for an error."""
    if isinstance(error, NotAuthorized):
        if error.status == _FORBIDDEN:
            return "The API key may not do this: choose something that it may see, or ask the user for another key."
        return (
            "You cannot repair this: ask the user to check the deepset API key, which is set where this server runs "
            "(DEEPSET_API_KEY) or in the Authorization header of its client."
        )
    if isinstance(error, NotFound):
        # The platform names what is missing, unless it does not know the address itself.
        address = "Or ask the user to check DEEPSET_API_URL: it ends with /api." if str(error) == _UNKNOWN else ""
        return " ".join(filter(None, ("Check the spelling.", where, address)))
    if isinstance(error, RateLimited):
        seconds = f"{error.retry_after:.0f} s" if error.retry_after else "a minute"
        return f"The platform is asked too often: wait {seconds}, then make the same call again."
    if isinstance(error, RequestRejected):
        return _advice_for_rejected(error)
    maybe = " It may have been carried out nevertheless: check before you repeat it." if writes else ""
    if isinstance(error, PlatformTimeout):
        return (
            "Try again later, or ask for less; if it stays, tell the user: DEEPSET_CLIENT_TIMEOUT is the limit of "
            f"calls other than searches.{maybe}"
        )
    if isinstance(error, PlatformUnreachable):
        return f"Try once more; if it stays, ask the user to check DEEPSET_API_URL and the network.{maybe}"
    if isinstance(error, UnexpectedAnswer):
        return f"Ask for less, or for something else; if it stays, tell the user.{maybe}"
    if isinstance(error, PlatformFailed):
        return f"The fault is on the platform's side: try once more in a minute; if it stays, tell the user.{maybe}"
    return "Tell the user."


def _advice_for_rejected(error: RequestRejected) -> str:
    if error.status == _CONFLICT:
        return "Choose another name, or change what is there."
    if error.status == _NOT_READY:
        return "Deploy it first and wait until it is deployed; deploy_pipeline does both."
    return "Correct what was sent and call again; the platform named what does not fit."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


_WHOLE_OBJECT = re.compile(r'"(config_yaml|query_yaml|indexing_yaml)":')
_LOOKED_AT = 100_000


def configuration(text: str) -> str:
    """Return the text of a configuration.

    Raises:
        ToolFailed: It is the whole of a stored object, of which the configuration is a part.
    """
    found = _WHOLE_OBJECT.search(text, 0, _LOOKED_AT) if text.startswith("{") else None
    if found is not None:
        raise ToolFailed(
            f"That is the whole stored object; nothing was sent. Add .{found[1]} to the reference, so that only the "
            "configuration is passed."
        )
    return text


def rejected_deployment(name: str, error: RequestRejected) -> dict[str, Any]:
    """Report what is wrong with the configuration of a pipeline or index that the platform does not deploy.

    Raises:
        RequestRejected: It was refused for another reason.
    """
    if error.status not in {400, 422}:
        raise error
    validation = ValidationResult(valid=False, errors=validation_faults(error))
    return {"deployed": False, "name": name, "validation": sent(validation)}
