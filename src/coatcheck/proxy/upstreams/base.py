"""Connections to upstream servers: lines go in and come out, whatever transport carries them."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from coatcheck.proxy.jsonrpc import Id

OnMessage = Callable[[bytes, Id | None], None]
"""Takes a line from the server, and the id of the request that it belongs to where the transport tells."""

OnEnd = Callable[[str], None]
"""Takes the sentence that says how the connection was lost; called once, and not after `close`."""


OnPressure = Callable[[], None]
"""Called when ``unsent_bytes`` or ``backlog_bytes`` grows or shrinks."""


def no_pressure() -> None:
    """Ignore the call."""


class UpstreamConnection(Protocol):
    """A connection to one upstream. `start` is called once, on the event loop, before anything else."""

    name: str

    sends_separately: bool
    """Whether each request is sent separately, so that one that is not JSON after all affects no other."""

    is_gateway: bool
    """Whether several servers are behind it: a response then comes with its request's id."""

    unparsed: bool
    """Whether a long response from one of several servers may come unparsed. Set by a caller that checks it with
    ``as_answer_to``."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were sent and that the server has not taken yet."""
        ...

    @property
    def backlog_bytes(self) -> int:
        """The same without those of one long message, which alone is no reason to send no more."""
        ...

    def start(self, on_message: OnMessage, on_end: OnEnd, on_pressure: OnPressure = no_pressure) -> None:
        """Start or connect to the server.

        Raises:
            UpstreamError: It cannot be started.
        """
        ...

    def hold(self, *, held: bool) -> None:
        """Pause or resume reading from the server: the receiver of its messages is slow."""
        ...

    def send(self, line: bytes, message: Any = None) -> None:
        """Send a line; order is kept where the transport has one.

        Args:
            line: The message.
            message: The same where it has been parsed already: it need not be parsed again. A long call may be a
                `PartialCall`, and long values in its arguments may be ``Spliced``.
        """
        ...

    def stray_output(self, line: bytes) -> None:
        """Take a line from the server that is not a message."""
        ...

    def object_readers(self) -> Mapping[str, str]:
        """Return, for gateways, the tool prefix of each server that keeps objects, and its tool that reads them."""
        ...

    def listed_name(self, tool: str) -> str:
        """Return the name that a tool is listed by; views behind gateways call it by another."""
        ...

    async def finish(self) -> None:
        """Send no more, and wait until the server has taken and answered everything; callers set a deadline."""
        ...

    @property
    def exit_code(self) -> int:
        """The exit code of a server process that ended on its own with a failure, else 0; 128 + n for signal n."""
        ...

    async def close(self) -> None:
        """End the server or the connection to it."""
        ...
