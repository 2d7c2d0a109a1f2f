"""coatcheck behind coatcheck: the inner one recognises the outer one, which is nearer the model and does the work."""

from collections.abc import Mapping
from typing import Any

from coatcheck.calls.host_profiles import CLIENT_CAPABILITIES

CAPABILITY = "coatcheck"
HANDSHAKES = frozenset({"initialize", "server/discover"})
NESTED_HEADER = "coatcheck-client"
"""HTTP header that a coatcheck sends upstream: a server without sessions does not see its client capabilities."""


def announces_coatcheck(capabilities: Any) -> bool:
    """Whether the capabilities of a client or a server contain ``experimental.coatcheck``."""
    experimental = capabilities.get("experimental") if isinstance(capabilities, Mapping) else None
    return isinstance(experimental, Mapping) and experimental.get(CAPABILITY) is not None


def with_announcement(capabilities: Any) -> dict[str, Any]:
    """Add ``experimental.coatcheck`` to capabilities."""
    original = dict(capabilities) if isinstance(capabilities, Mapping) else {}
    experimental = original.get("experimental")
    return {**original, "experimental": {**(experimental if isinstance(experimental, Mapping) else {}), CAPABILITY: {}}}


def is_from_coatcheck(message: Mapping[str, Any]) -> bool:
    """Whether a request announces another coatcheck: in ``initialize``, or in ``_meta`` in a stateless revision."""
    params = message.get("params")
    if not isinstance(params, Mapping):
        return False
    if message.get("method") == "initialize":
        return announces_coatcheck(params.get("capabilities"))
    meta = params.get("_meta")
    return isinstance(meta, Mapping) and announces_coatcheck(meta.get(CLIENT_CAPABILITIES))


def params_with_announcement(message: Mapping[str, Any]) -> dict[str, Any] | None:
    """Add the announcement to a request's parameters; ``None`` if the request carries no client capabilities."""
    params = message.get("params")
    if not isinstance(params, Mapping):
        return None
    if message.get("method") == "initialize":
        return {**params, "capabilities": with_announcement(params.get("capabilities"))}
    meta = params.get("_meta")
    if not isinstance(meta, Mapping) or CLIENT_CAPABILITIES not in meta:
        return None
    return {**params, "_meta": {**meta, CLIENT_CAPABILITIES: with_announcement(meta[CLIENT_CAPABILITIES])}}
