"""What the two eras of the protocol say differently."""

from typing import Any

from coatcheck.proxy.jsonrpc import CLIENT_INFO, Message, meta_of

_ENVELOPE = "io.modelcontextprotocol/"


def is_greeting(message: Message) -> bool:
    """Whether a message opens a session."""
    return message.get("method") == "initialize"


def envelope_of(client: Message) -> dict[str, Any]:
    """Give what a request says of its client."""
    return {key: value for key, value in meta_of(client).items() if key.startswith(_ENVELOPE)}


def client_info(client: Message) -> Any:
    """Give the name and version that a request gives its client."""
    return meta_of(client).get(CLIENT_INFO) or {"name": "coatcheck", "version": "0"}


def without_envelope(params: Any) -> Any:
    """Give parameters as a server of a session era wants them."""
    meta = params.get("_meta") if isinstance(params, dict) else None
    if not isinstance(meta, dict):
        return params
    kept = {key: value for key, value in meta.items() if not key.startswith(_ENVELOPE)}
    return {key: value for key, value in params.items() if key != "_meta"} | ({"_meta": kept} if kept else {})


def info_of(greeting: dict[str, Any]) -> dict[str, Any]:
    """Give the name and version that a server tells of itself when it greets."""
    meta = greeting.get("_meta")
    found = greeting.get("serverInfo") or (meta.get(f"{_ENVELOPE}serverInfo") if isinstance(meta, dict) else None)
    return found if isinstance(found, dict) else {}
