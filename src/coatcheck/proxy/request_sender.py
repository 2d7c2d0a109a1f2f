"""Sends requests to the server, with the announcement of an outer coatcheck."""

from collections.abc import Callable
from typing import Any

from coatcheck.calls.nested_coatchecks import is_from_coatcheck, params_with_announcement
from coatcheck.codec import adump_line
from coatcheck.proxy.background_tasks import BackgroundTasks
from coatcheck.proxy.jsonrpc import PARSED_AT_ONCE, Message
from coatcheck.proxy.partial_parsing import PartialCall, encode_message, with_members


class RequestSender:
    """Sends a client's requests to the server.

    ``passes``: a request passes unchanged because an outer coatcheck does the work; ``reencoded``: ``to_server``
    encodes requests itself, with other ids, so that their lines stay unchanged.
    """

    def __init__(
        self,
        to_server: Callable[[bytes, Any], None],
        tasks: BackgroundTasks,
        passes: Callable[[Message], bool],
        *,
        reencoded: bool = False,
    ) -> None:
        self._to_server = to_server
        self._reencoded = reencoded
        self._tasks = tasks
        self._passes = passes

    def send(self, line: bytes, request: Message) -> None:
        """Send a request; add our announcement if it contains client capabilities."""
        announces = not self._passes(request) or is_from_coatcheck(request)  # which is extended by our id
        params = params_with_announcement(request) if announces else None
        if params is None:
            self._to_server(line, request)
        elif self._reencoded:
            self._to_server(line, with_members(request, params=params))
        elif len(line) > PARSED_AT_ONCE and not isinstance(request, PartialCall):
            self._tasks.start(self._send_long(with_members(request, params=params)), len(line))
        else:
            request = with_members(request, params=params)
            self._to_server(encode_message(request), request)

    async def _send_long(self, request: Message) -> None:
        self._to_server(await adump_line(request), request)
