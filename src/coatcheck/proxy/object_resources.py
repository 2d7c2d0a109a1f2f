"""Stored objects as resources besides a server's own: advertised, listed, read, and reported missing."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from coatcheck.calls.instructions import with_instructions
from coatcheck.calls.stored_resources import LONGEST_URI, is_object, object_template
from coatcheck.codec.tool_results import text_result
from coatcheck.errors import CoatcheckError, ObjectNotFound, excerpt
from coatcheck.proxy.jsonrpc import INTERNAL_ERROR, METHOD_NOT_FOUND, Message, error_response, is_modern, response

if TYPE_CHECKING:
    from coatcheck.calls.interceptor import Interceptor

logger = logging.getLogger(__name__)

READ, TEMPLATES, RESOURCES = "resources/read", "resources/templates/list", "resources/list"
_SUBSCRIPTIONS = frozenset({"resources/subscribe", "resources/unsubscribe"})
LISTS = {RESOURCES: "resources", TEMPLATES: "resourceTemplates"}

_RESOURCE_NOT_FOUND, _INVALID_PARAMS = -32002, -32602
_NOT_CACHED = {"ttlMs": 0, "cacheScope": "private"}


def names_object(request: Message) -> bool:
    """Whether a request reads a stored object, or subscribes to it."""
    params = request.get("params")
    is_of_address = request.get("method") in {READ, *_SUBSCRIPTIONS}
    return is_of_address and isinstance(params, dict) and is_object(params.get("uri"))


def offer_objects(handshake: dict[str, Any], instructions: str, *, as_resources: bool) -> dict[str, Any]:
    """Return a handshake result with the instructions about references, and perhaps the resources of stored objects."""
    offered = {**handshake, "instructions": with_instructions(handshake.get("instructions"), instructions)}
    capabilities = handshake["capabilities"]
    if as_resources and capabilities.get("resources") is None:
        offered["capabilities"] = {**capabilities, "resources": {}}
    return offered


def not_found(call: Message, error: ObjectNotFound, object_readers: Mapping[str, str]) -> Message:
    """Answer a call with a reference to an object that our store does not have."""
    text = str(error)
    if object_readers:
        text += (
            f" If another server keeps it, get its value with that server's tool: {', '.join(object_readers.values())}."
        )
    return response(call, text_result(text, is_error=True))


async def answer_for_object(
    request: Message, interceptor: "asyncio.Future[Interceptor]", server_has: Callable[[str], Awaitable[bool]]
) -> Message:
    """Answer a request that names a stored object, once the interceptor is ready. An object never changes.

    Returns:
        The answer, or the request itself if its address is one of the server's own resources.
    """
    uri = request["params"]["uri"]
    try:
        ready = await asyncio.shield(interceptor)
        if request.get("method") in _SUBSCRIPTIONS:
            await ready.find_object(uri)
            return response(request, {})
        result = await ready.read_object(uri)
    except ObjectNotFound as error:
        if await server_has(uri):
            return request
        code = _INVALID_PARAMS if is_modern(request) else _RESOURCE_NOT_FOUND
        failure = error_response(request["id"], str(error), code)
        failure["error"]["data"] = {"uri": excerpt(uri, LONGEST_URI)}
        return failure
    except CoatcheckError as error:
        return error_response(request["id"], str(error), INTERNAL_ERROR)
    except Exception:
        logger.exception("A stored object could not be read")
        return error_response(request["id"], "The object could not be read.", INTERNAL_ERROR)
    return response(request, {**result, **_NOT_CACHED} if is_modern(request) else result)


def mention_objects(method: str, answer: Message, *, modern: bool) -> Message:
    """Add the template of stored objects to the last page of a list; return any other answer unchanged.

    For a server without resources, the lists contain only the template.
    """
    result, error = answer.get("result"), answer.get("error")
    key = LISTS[method]
    if isinstance(error, dict) and error.get("code") == METHOD_NOT_FOUND:
        answer = {part: answer[part] for part in answer if part != "error"}
        result = {"resultType": "complete", **_NOT_CACHED, key: []} if modern else {key: []}
    if not isinstance(result, dict) or not isinstance(result.get(key), list):
        return answer
    if method == TEMPLATES and not result.get("nextCursor"):
        result = {**result, key: [*result[key], object_template()]}
    return answer if result is answer.get("result") else {**answer, "result": result}
