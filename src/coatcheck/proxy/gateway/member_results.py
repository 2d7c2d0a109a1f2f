"""A server's result, as the client of all servers may have it."""

from typing import Any

from coatcheck.errors import UpstreamError
from coatcheck.proxy.gateway.member import Member
from coatcheck.proxy.gateway.merging import LISTS, NOT_CACHED
from coatcheck.proxy.gateway.names import with_joined_tasks
from coatcheck.proxy.gateway.refusals import RefusedError
from coatcheck.proxy.jsonrpc import INTERNAL_ERROR, Message, is_modern


def result_of(member: Member, message: Message, answer: Message) -> dict[str, Any]:
    """Give the result in a server's answer to a client's request, in the client's era.

    Raises:
        RefusedError: The server refused.
        UpstreamError: The answer is none.
    """
    modern = is_modern(message)
    error, result = answer.get("error"), answer.get("result")
    if isinstance(error, dict):
        refused = RefusedError(INTERNAL_ERROR, str(error.get("message")))
        refused.error = error
        raise refused
    if not isinstance(result, dict):
        raise UpstreamError(f'The server "{member.name}" answered with something that is no result.')
    result = with_joined_tasks(member.name, result)
    if modern and not member.modern and message["method"] in {*LISTS, "resources/read"}:
        return {**NOT_CACHED, **result}
    return result
