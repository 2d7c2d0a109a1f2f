"""Names of several servers side by side: ``server__name`` for tools, prompts, tasks; ``server+uri`` for resources."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from coatcheck.calls.host_profiles import VIEWS, is_view_address
from coatcheck.errors import SettingsError, excerpt

BETWEEN = "__"
MAX_NAME_CHARACTERS = 128
"""Characters that hosts accept in a tool's name."""

_OTHER = re.compile(r"[^A-Za-z0-9_-]+")
_SEVERAL = re.compile(r"_{2,}")


def plain_name(name: str) -> str:
    """Return a server's name as a prefix of tool names: letters, digits, ``-`` and single ``_``."""
    return _SEVERAL.sub("_", _OTHER.sub("_", name)).strip("_")


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Return the plain name of each server.

    Raises:
        SettingsError: Two servers would have the same plain name, or a plain name would be empty.
    """
    found: dict[str, str] = {}
    for name in names:
        plain = plain_name(name)
        taken = {scheme_of(other): original for original, other in found.items()}
        if not plain or scheme_of(plain) in taken:
            other = taken.get(scheme_of(plain), "")
            same = f' is too like "{excerpt(other)}"' if other else " has no letter or digit"
            raise SettingsError(f'The server name "{excerpt(name)}"{same}: choose another one.')
        found[name] = plain
    return found


def joined(server: str, name: str) -> str:
    """Return the name of a server's tool or prompt at the gateway."""
    return f"{server}{BETWEEN}{name}"


def split(name: Any) -> tuple[str, str]:
    """Split a name into server and own name; both are empty if it has no server prefix."""
    server, between, own = str(name).partition(BETWEEN)
    return (server, own) if between else ("", "")


def scheme_of(server: str) -> str:
    """Return the prefix of the addresses of a server's resources, in characters that a URL scheme allows."""
    scheme = server.lower().replace("_", "-")
    return scheme if scheme[:1].isalpha() else f"s-{scheme}"


def joined_uri(server: str, uri: Any) -> Any:
    """Return the address of a server's resource at the gateway; the address of a view keeps its scheme."""
    if not isinstance(uri, str):
        return uri
    return f"{VIEWS}{scheme_of(server)}+{uri[len(VIEWS) :]}" if is_view_address(uri) else f"{scheme_of(server)}+{uri}"


def split_uri(uri: Any) -> tuple[str, str]:
    """Split an address into a server's scheme and the resource's own address; both are empty without a prefix."""
    before = VIEWS if is_view_address(uri) else ""
    scheme, between, own = str(uri)[len(before) :].partition("+")
    if not between or "/" in scheme or not (before or ":" in own):
        return "", ""
    return scheme.lower(), before + own


def with_joined_views(server: str, meta: Any) -> Any:
    """Rewrite the addresses of views in a tool's ``_meta``, under any keys, since hosts use several."""
    return _with_joined_views(server, meta, levels=2)


def _with_joined_views(server: str, part: Any, levels: int) -> Any:
    if is_view_address(part):
        return joined_uri(server, part)
    if not isinstance(part, dict) or not levels:
        return part
    return {key: _with_joined_views(server, value, levels - 1) for key, value in part.items()}


def may_name_resources(line: bytes) -> bool:
    """Whether a result may contain blocks with addresses."""
    return b'"resource' in line


def with_joined_uris(server: str, blocks: Any) -> Any:
    """Rewrite the addresses in content blocks; return the same list if there are none."""
    if not isinstance(blocks, list):
        return blocks
    changed = [_with_joined_uri(server, block) for block in blocks]
    return changed if any(new is not old for new, old in zip(changed, blocks, strict=True)) else blocks


def _with_joined_uri(server: str, block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    if isinstance(block.get("content"), (dict, list)):  # a prompt's message
        inner = block["content"]
        changed = with_joined_uris(server, inner if isinstance(inner, list) else [inner])
        return {**block, "content": changed if isinstance(inner, list) else changed[0]}
    if block.get("type") == "resource_link" and "uri" in block:
        return {**block, "uri": joined_uri(server, block["uri"])}
    if block.get("type") == "resource" and isinstance(block.get("resource"), dict):
        return {**block, "resource": {**block["resource"], "uri": joined_uri(server, block["resource"].get("uri"))}}
    return block


TASK_ID = "taskId"
TASK_STATUS = "notifications/tasks/status"
RELATED = "io.modelcontextprotocol/related-task"


def with_joined_tasks(server: str, result: dict[str, Any]) -> dict[str, Any]:
    """Return a server's result, or the parameters of its messages, with the task names of the gateway."""
    return _renamed(result, lambda own: joined(server, own))


def with_own_tasks(params: Any) -> Any:
    """Return parameters of the client with the task names of their server."""
    return _renamed(params, lambda name: split(name)[1] or name) if isinstance(params, dict) else params


def may_name_tasks(line: bytes) -> bool:
    """Whether a message may name a task."""
    return b'"taskId"' in line


def _renamed(part: dict[str, Any], rename: Callable[[str], str]) -> dict[str, Any]:
    """Rename tasks in all places of the protocol: at the top, as ``task``, in ``tasks`` and in ``_meta``."""
    changed: dict[str, Any] = _task(part, rename)
    if isinstance(part.get("task"), dict):
        changed = {**changed, "task": _task(part["task"], rename)}
    if isinstance(part.get("tasks"), list):
        changed = {**changed, "tasks": [_task(each, rename) for each in part["tasks"]]}
    meta = part.get("_meta")
    if isinstance(meta, dict) and isinstance(meta.get(RELATED), dict):
        changed = {**changed, "_meta": {**meta, RELATED: _task(meta[RELATED], rename)}}
    return changed


def _task(part: Any, rename: Callable[[str], str]) -> Any:
    known = isinstance(part, dict) and isinstance(part.get(TASK_ID), str)
    return {**part, TASK_ID: rename(part[TASK_ID])} if known else part
