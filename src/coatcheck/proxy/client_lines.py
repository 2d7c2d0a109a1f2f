"""Lines for a client in a form that every client reads: well-formed, and not nested too deeply."""

import logging
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from coatcheck.codec import CLIENT_LEVELS, is_deeper
from coatcheck.proxy.jsonrpc import PARSED_AT_ONCE, error_response, is_request, is_response, parse, to_line
from coatcheck.proxy.jsonrpc import well_formed_line as well_formed

logger = logging.getLogger(__name__)

_STRINGS = re.compile(rb'"[^"]*"')
_OTHERS = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


def has_too_many_levels(line: bytes) -> bool:
    """Whether a line of JSON has more levels of lists and objects than the official clients read."""
    if line.count(b"[") + line.count(b"{") <= CLIENT_LEVELS:
        return False
    unescaped = line.replace(rb"\\", b"").replace(rb"\"", b"")
    # Without their other characters, most strings are two quotation marks; the search for all others is slower.
    marks = unescaped.translate(None, _OTHERS).replace(b'""', b"")
    brackets = _STRINGS.sub(b"", marks).translate(_STEPS, b'"')
    return max(accumulate(memoryview(brackets).cast("b")), default=0) > CLIENT_LEVELS


class ClientLines:
    """Makes lines readable for a client: a client that cannot read one waits for its response without end.

    Args:
        to_client: Called with lines for the client.
        to_server: Called with lines for the server, each with its parsed message.
    """

    def __init__(self, to_client: Callable[[bytes], None], to_server: Callable[[bytes, Any], None]) -> None:
        self._to_client, self._to_server = to_client, to_server

    def send(self, line: bytes) -> None:
        """Send a line; one of megabytes is sent unchanged."""
        if len(line) > PARSED_AT_ONCE:
            self._to_client(line)
            return
        line = well_formed(line)
        if not has_too_many_levels(line):
            self._to_client(line)
            return
        message = parse(line)
        for part in message if isinstance(message, list) else [message]:
            self._send_part(part)

    def _send_part(self, message: Any) -> None:
        levels = f"nested deeper than {CLIENT_LEVELS} levels, which clients do not read"
        if not is_deeper(message):
            self._to_client(to_line(message))
        elif is_response(message):
            self._to_client(to_line(error_response(message.get("id"), f"The server's response is {levels}.")))
        else:
            logger.warning("The server sent a message that is %s; it is dropped", levels)
            if is_request(message):
                refusal = error_response(message["id"], f"This request cannot be passed to the client: it is {levels}.")
                self._to_server(to_line(refusal), refusal)
