"""What a modern client says about itself in `_meta`, for servers of legacy revisions."""

from typing import Any

from coatcheck.calls.host_profiles import APPS_EXTENSION, CLIENT_CAPABILITIES, CLIENT_INFO
from coatcheck.proxy.jsonrpc import Message, meta_of

_META_PREFIX = "io.modelcontextprotocol/"


def client_meta(client: Message) -> dict[str, Any]:
    """Return the members of a request's `_meta` that describe its client."""
    return {key: value for key, value in meta_of(client).items() if key.startswith(_META_PREFIX)}


def client_info(client: Message) -> Any:
    """Return the client's name and version from a request."""
    return meta_of(client).get(CLIENT_INFO) or {"name": "coatcheck", "version": "0"}


def modern_capabilities(client: Message) -> dict[str, Any]:
    """Return the capabilities of a modern client that a legacy server can use: views only, no server requests."""
    given = meta_of(client).get(CLIENT_CAPABILITIES)
    extensions = given.get("extensions") if isinstance(given, dict) else None
    views = extensions.get(APPS_EXTENSION) if isinstance(extensions, dict) else None
    return {"extensions": {APPS_EXTENSION: views}} if isinstance(views, dict) else {}


def without_client_meta(params: Any) -> Any:
    """Return parameters as a server of a legacy revision expects them."""
    meta = params.get("_meta") if isinstance(params, dict) else None
    if not isinstance(meta, dict):
        return params
    kept = {key: value for key, value in meta.items() if not key.startswith(_META_PREFIX)}
    return {key: value for key, value in params.items() if key != "_meta"} | ({"_meta": kept} if kept else {})
