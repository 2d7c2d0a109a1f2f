"""Connections to upstream servers: lines in both directions, over any transport."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from coatcheck.proxy.jsonrpc import Id

OnMessage = Callable[[bytes, Id | None], None]
"""Called with a line from the server, and the id of its request if the transport shows it."""

OnEnd = Callable[[str], None]
"""Called with a description of how the connection was lost; at most once, and not after `close`."""


OnPressure = Callable[[], None]
"""Called when ``unsent_bytes`` or ``backlog_bytes`` changes."""


def no_pressure() -> None:
    """Ignore the call."""


class UpstreamConnection(Protocol):
    """A connection to one upstream. `start` is called once, on the event loop, before anything else."""

    name: str

    sends_separately: bool
    """Whether each request is sent separately, so that one that is not valid JSON affects no other."""

    is_gateway: bool
    """Whether it connects to several servers; a response then comes with its request's id."""

    unparsed: bool
    """Whether a long response from one of several servers may stay unparsed. Set by a caller that checks it with
    ``as_answer_to``."""

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were sent and that the server has not read."""
        ...

    @property
    def backlog_bytes(self) -> int:
        """The same without one long message, which alone is no reason to pause."""
        ...

    def start(self, on_message: OnMessage, on_end: OnEnd, on_pressure: OnPressure = no_pressure) -> None:
        """Start or connect to the server.

        Raises:
            UpstreamError: It cannot be started.
        """
        ...

    def set_paused(self, *, paused: bool) -> None:
        """Pause or resume reading from the server: the receiver of its messages is slow."""
        ...

    def send(self, line: bytes, message: Any = None) -> None:
        """Send a line; order is kept where the transport has one.

        Args:
            line: The message.
            message: The parsed message, if available. A long call may be a `PartialCall`, and long values in its
                arguments may be ``Spliced``.
        """
        ...

    def stray_output(self, line: bytes) -> None:
        """Handle a line from the server that is not a message."""
        ...

    def object_readers(self) -> Mapping[str, str]:
        """Return, for gateways, the tool prefix of each server that keeps objects, and its tool that reads them."""
        ...

    def listed_name(self, tool: str) -> str:
        """Return the listed name of a tool, which views behind gateways call by another name."""
        ...

    async def finish(self) -> None:
        """Stop sending, and wait until the server has read and answered everything; callers set a deadline."""
        ...

    @property
    def exit_code(self) -> int:
        """The exit code of a server process that ended on its own with a failure, else 0; 128 + n for signal n."""
        ...

    async def close(self) -> None:
        """Stop the server or close the connection."""
        ...
