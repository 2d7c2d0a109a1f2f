"""coatcheck behind coatcheck: the inner one recognises the outer one, which is nearer the model and does the work."""

import os
from collections.abc import Mapping, Sequence
from secrets import token_hex
from typing import Any

from coatcheck.calls.host_profiles import CLIENT_CAPABILITIES

CAPABILITY = "coatcheck"
HANDSHAKES = frozenset({"initialize", "server/discover"})
NESTED_HEADER = "coatcheck-client"
"""HTTP header that a coatcheck sends upstream: a server without sessions does not see its client capabilities."""

MAX_CHAIN = 16
"""Maximum number of coatchecks between a client and a server."""

_CHAIN = "chain"
_TOKEN = token_hex(8)


def own_id() -> str:
    """Return what identifies this process to itself when one of its own requests comes back to it."""
    return f"{_TOKEN}{os.getpid():x}"  # Forked processes share the token.


def _announcement(capabilities: Any) -> Any:
    experimental = capabilities.get("experimental") if isinstance(capabilities, dict) else None
    return experimental.get(CAPABILITY) if isinstance(experimental, dict) else None


def announces_coatcheck(capabilities: Any) -> bool:
    """Whether the capabilities of a client or a server contain ``experimental.coatcheck``."""
    return _announcement(capabilities) is not None


def _chain_in(capabilities: Any) -> list[str]:
    announcement = _announcement(capabilities)
    chain = announcement.get(_CHAIN) if isinstance(announcement, dict) else None
    return [each for each in chain if isinstance(each, str)] if isinstance(chain, list) else []


def with_announcement(capabilities: Any, chain: Sequence[str] = ()) -> dict[str, Any]:
    """Add ``experimental.coatcheck`` to capabilities, with the ids of the coatchecks between client and server.

    ``chain`` are the ids of the outer ones, if the capabilities do not announce them.
    """
    original = dict(capabilities) if isinstance(capabilities, dict) else {}
    experimental = original.get("experimental")
    outer = _chain_in(original) or list(chain)
    announced = {CAPABILITY: {_CHAIN: outer if own_id() in outer else [*outer, own_id()]}}
    return {**original, "experimental": {**(experimental if isinstance(experimental, dict) else {}), **announced}}


def _client_capabilities(message: Mapping[str, Any]) -> Any:
    params = message.get("params")
    if not isinstance(params, dict):
        return None
    if message.get("method") == "initialize":
        return params.get("capabilities")
    meta = params.get("_meta")
    return meta.get(CLIENT_CAPABILITIES) if isinstance(meta, dict) else None


def is_from_coatcheck(message: Mapping[str, Any]) -> bool:
    """Whether a request announces another coatcheck: in ``initialize``, or in ``_meta`` in a modern revision."""
    capabilities = _client_capabilities(message)  # which few requests have
    return capabilities is not None and announces_coatcheck(capabilities)


def chain_of(message: Mapping[str, Any]) -> list[str]:
    """Return the ids of the coatchecks that a request has passed, the outermost first."""
    capabilities = _client_capabilities(message)
    return [] if capabilities is None else _chain_in(capabilities)


def loop_in(chain: Sequence[str]) -> str:
    """Explain why a request that has passed these coatchecks must not be forwarded; ``""`` if it may be."""
    if not chain:
        return ""
    if own_id() in chain:
        return (
            "This coatcheck is its own upstream: a server that it wraps leads back to it. Correct its --url, or the "
            "entry in the file of servers."
        )
    if len(chain) >= MAX_CHAIN:
        return f"This request has passed {MAX_CHAIN} coatchecks already: one of them probably leads back to itself."
    return ""


def params_with_announcement(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Add the announcement to a request's parameters; ``None`` if the request carries no client capabilities."""
    params = message.get("params")
    if not isinstance(params, dict):
        return None
    if message.get("method") == "initialize":
        return {**params, "capabilities": with_announcement(params.get("capabilities"))}
    meta = params.get("_meta")
    if not isinstance(meta, dict) or CLIENT_CAPABILITIES not in meta:
        return None
    return {**params, "_meta": {**meta, CLIENT_CAPABILITIES: with_announcement(meta[CLIENT_CAPABILITIES])}}


class NestedCoatchecks:
    """Remembers what the messages of a conversation say about its client and its server.

    ``client`` and ``server`` tell whether they are a coatcheck, if the messages of the client cannot show it.

    Attributes:
        outer: Whether the client is one, which reads and repairs messages that other clients do not accept.
    """

    def __init__(self, *, client: bool, server: bool) -> None:
        self.outer = client
        self._passes = self._always_passes = client or server

    def note_request(self, request: Mapping[str, Any]) -> None:
        """Note whether a request announces that its client is a coatcheck."""
        is_outer = is_from_coatcheck(request)
        self.outer = self.outer or is_outer
        if request["method"] == "initialize":
            self._passes = self._always_passes or is_outer

    def note_server(self) -> None:
        """Note that the server keeps objects itself and cannot defer to us."""
        self._passes = True

    def pass_unchanged(self, request: Mapping[str, Any]) -> bool:
        """Whether a request and its response pass unchanged because another coatcheck does the work."""
        return self._passes or is_from_coatcheck(request)
