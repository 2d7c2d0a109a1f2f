"""coatcheck behind coatcheck: how two of them recognise each other, so that the one nearest the model does the work."""

from collections.abc import Mapping
from typing import Any

from coatcheck.calls.host_profiles import CLIENT_CAPABILITIES

NAME = "coatcheck"
HANDSHAKES = frozenset({"initialize", "server/discover"})
HEADER = "coatcheck-client"
"""HTTP header of a request from another coatcheck, for servers that keep no session to remember its capabilities."""


def announces(capabilities: Any) -> bool:
    """Whether the capabilities of a client or a server are those of another coatcheck."""
    experimental = capabilities.get("experimental") if isinstance(capabilities, Mapping) else None
    return isinstance(experimental, Mapping) and experimental.get(NAME) is not None


def announced(capabilities: Any) -> dict[str, Any]:
    """Give capabilities with ``experimental.coatcheck``."""
    given = dict(capabilities) if isinstance(capabilities, Mapping) else {}
    experimental = given.get("experimental")
    return {**given, "experimental": {**(experimental if isinstance(experimental, Mapping) else {}), NAME: {}}}


def is_announced(message: Mapping[str, Any]) -> bool:
    """Whether a request comes from another coatcheck: in ``initialize``, or by itself in a stateless revision."""
    params = message.get("params")
    if not isinstance(params, Mapping):
        return False
    if message.get("method") == "initialize":
        return announces(params.get("capabilities"))
    meta = params.get("_meta")
    return isinstance(meta, Mapping) and announces(meta.get(CLIENT_CAPABILITIES))


def announced_params(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give a request's parameters with the announcement; ``None`` where the request carries no client capabilities."""
    params = message.get("params")
    if not isinstance(params, Mapping):
        return None
    if message.get("method") == "initialize":
        return {**params, "capabilities": announced(params.get("capabilities"))}
    meta = params.get("_meta")
    if not isinstance(meta, Mapping) or CLIENT_CAPABILITIES not in meta:
        return None
    return {**params, "_meta": {**meta, CLIENT_CAPABILITIES: announced(meta[CLIENT_CAPABILITIES])}}
