"""Whether a conversation's client or server is a coatcheck that does the work in place of this one."""

from coatcheck.calls.nesting import is_from_coatcheck
from coatcheck.proxy.jsonrpc import Message


class NestedCoatchecks:
    """Remembers what the messages of a conversation say about its client and its server.

    ``client`` and ``server`` tell whether they are a coatcheck, if the messages of the client cannot show it.

    Attributes:
        outer: Whether the client is one, which reads and repairs messages that other clients do not accept.
    """

    def __init__(self, *, client: bool, server: bool) -> None:
        self.outer = client
        self._passes = self._always_passes = client or server

    def note_request(self, request: Message) -> None:
        """Note whether a request announces that its client is a coatcheck."""
        is_outer = is_from_coatcheck(request)
        self.outer = self.outer or is_outer
        if request["method"] == "initialize":
            self._passes = self._always_passes or is_outer

    def note_server(self) -> None:
        """Note that the server keeps objects itself and cannot defer to us."""
        self._passes = True

    def pass_unchanged(self, request: Message) -> bool:
        """Whether a request and its response pass unchanged because another coatcheck does the work."""
        return self._passes or is_from_coatcheck(request)
