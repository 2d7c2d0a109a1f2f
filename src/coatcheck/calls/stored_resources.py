"""Stored objects as MCP resources, for hosts that read resources themselves: the exact original, whatever its size."""

import asyncio
from typing import TYPE_CHECKING, Any

from coatcheck.codec.characters import well_formed
from coatcheck.errors import quoted_name
from coatcheck.references import is_object_id

if TYPE_CHECKING:  # What a proxy needs for its first messages is loaded without these.
    from coatcheck.explorer import Explorer
    from coatcheck.store.stored_object import StoredObject

Result = dict[str, Any]

OBJECTS = "coatcheck://objects/"
LONGEST_URI = 1_000
"""Characters of an address that an error repeats."""

OPENED_AT_ONCE = 1 << 20
"""Bytes up to which an object is opened on the event loop, not in a thread."""


def is_object(uri: Any) -> bool:
    """Whether an address is that of a stored object; any other under our scheme may be a server's own resource."""
    if not isinstance(uri, str) or not uri.startswith(OBJECTS):
        return False
    return is_object_id(uri.removeprefix(OBJECTS).removeprefix("@"))


def object_template() -> Result:
    """Give the entry for ``resources/templates/list``."""
    return {
        "uriTemplate": OBJECTS + "{object_id}",
        "name": "stored object",
        "description": "The exact original of a stored object: its text, or its JSON.",
    }


def object_link(reference: str, tool: str) -> Result:
    """Give the content block that leads a host to a stored object."""
    object_id = reference.removeprefix("@")
    return {
        "type": "resource_link",
        "uri": OBJECTS + object_id,
        "name": object_id,
        "description": f"The whole result of {quoted_name(tool)}" if tool else "The whole result",
    }


async def read_object(uri: str, explorer: "Explorer") -> Result:
    """Give the result of ``resources/read`` for a stored object.

    A text comes as it was; so does a tool result that was one text. Any other tool result comes as the JSON that was on
    the wire, any other value as its JSON.

    Raises:
        ObjectNotFound: Nothing is there for this caller.
        ObjectStoreUnavailable: The store does not answer.
    """
    stored = await explorer.store.aread(uri.removeprefix(OBJECTS).removeprefix("@"))
    if stored.metadata.size <= OPENED_AT_ONCE:
        kind, text = _original(stored)
    else:
        kind, text = await asyncio.to_thread(_original, stored)
    return {"contents": [{"uri": uri, "mimeType": kind, "text": well_formed(text)}]}


def _original(stored: "StoredObject") -> tuple[str, str]:
    text = stored.text()
    if text is not None:
        return stored.metadata.media_type or "text/plain", text
    return "application/json", stored.json()
