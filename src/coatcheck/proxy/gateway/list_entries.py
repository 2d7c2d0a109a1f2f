"""Makes the entries of servers' lists acceptable to strict clients, which refuse a whole list for one malformed entry.

The list has the entries of all servers: the malformed entry of one must not make those of others unavailable.
"""

from typing import Any

from coatcheck.codec import PART_LEVELS, is_deeper
from coatcheck.proxy.gateway.names import joined, joined_uri, with_joined_views

_TEXTS = ("title", "description", "mimeType")
_OBJECTS = ("annotations", "outputSchema", "execution", "_meta")
_LISTS = ("icons", "arguments")
_REQUIRED = {
    "tools/list": ("name",),
    "prompts/list": ("name",),
    "resources/list": ("uri", "name"),
    "resources/templates/list": ("uriTemplate", "name"),
    "tasks/list": ("taskId",),
}


def listed_entry(server: str, method: str, entry: Any) -> Any:
    """Return an entry with the name or address that it has at the gateway; ``None`` for a malformed one.

    Optional members of the wrong type are left out.
    """
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in _REQUIRED[method]):
        return None
    if method != "tools/list" and is_deeper(entry, PART_LEVELS):  # the schemas of tools are replaced later
        return None
    changed = {key: value for key, value in entry.items() if _is_usable(key, value)}
    if method == "tools/list":
        given = entry.get("inputSchema")
        schema = given if isinstance(given, dict) else {}
        changed["inputSchema"] = schema if schema.get("type") == "object" else {**schema, "type": "object"}
    if method in {"tools/list", "prompts/list"}:
        changed["name"] = joined(server, entry["name"])
    for key in ("uri", "uriTemplate"):
        if key in entry:
            changed[key] = joined_uri(server, entry[key])
    if method == "tools/list" and "_meta" in changed:
        changed["_meta"] = with_joined_views(server, changed["_meta"])
    return changed


def _is_usable(key: str, value: Any) -> bool:
    if key in _TEXTS:
        return isinstance(value, str)
    if key in _OBJECTS:
        return isinstance(value, dict)
    if key in _LISTS:
        return isinstance(value, list) and all(isinstance(item, dict) for item in value)
    return key != "size" or type(value) is int
