"""Stored objects as MCP resources, for hosts that read resources: the exact original, of any size."""

import asyncio
from typing import TYPE_CHECKING, Any

from coatcheck.codec.characters import well_formed
from coatcheck.errors import quoted_name
from coatcheck.references import is_object_id

if TYPE_CHECKING:  # A proxy does not need these for its first messages.
    from coatcheck.explorer import Explorer
    from coatcheck.store.stored_object import StoredObject

Result = dict[str, Any]

SCHEME = "coatcheck://"
OBJECTS = SCHEME + "objects/"
LONGEST_URI = 1_000
"""Characters of an address that an error repeats."""

OPENED_AT_ONCE = 1 << 20
"""Bytes up to which an object is decoded on the event loop, not in a worker thread."""


def is_object(uri: Any) -> bool:
    """Whether an address belongs to a stored object; others under our scheme may be a server's own resources."""
    if not isinstance(uri, str) or not uri.startswith(OBJECTS):
        return False
    return is_object_id(object_id_of(uri))


def object_id_of(uri: str) -> str:
    """Return the id of the object that an address leads to."""
    return uri.removeprefix(OBJECTS).removeprefix("@")


def object_template() -> Result:
    """Return the entry for ``resources/templates/list``."""
    return {
        "uriTemplate": OBJECTS + "{object_id}",
        "name": "stored object",
        "description": "The exact original of a stored object: its text, or its JSON.",
    }


def object_link(reference: str, tool: str) -> Result:
    """Return the content block that links to a stored object."""
    object_id = reference.removeprefix("@")
    return {
        "type": "resource_link",
        "uri": OBJECTS + object_id,
        "name": object_id,
        "description": f"The whole result of {quoted_name(tool)}" if tool else "The whole result",
    }


async def read_object(uri: str, explorer: "Explorer") -> Result:
    """Return the result of ``resources/read`` for a stored object.

    A text, or a tool result of one text, is returned unchanged. Any other tool result is returned as the JSON that was
    on the wire, any other value as its JSON.

    Raises:
        ObjectNotFound: The object does not exist for this caller.
        ObjectStoreUnavailable: The store is unavailable.
    """
    stored = await explorer.store.aread(object_id_of(uri))
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
