"""Merges lists, capabilities, instructions and results of several upstreams into those of one server."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from coatcheck import __version__
from coatcheck.calls.host_profiles import APPS_EXTENSION
from coatcheck.codec import PART_LEVELS, amap, is_deeper
from coatcheck.errors import UpstreamError, excerpt, quoted_name
from coatcheck.explorer.previews.wording import mark_further_lines
from coatcheck.proxy.gateway.names import MAX_NAME_CHARACTERS, joined, joined_uri, with_joined_tasks, with_joined_views
from coatcheck.proxy.gateway.routing import RefusedError
from coatcheck.proxy.gateway.upstream import State, Upstream
from coatcheck.proxy.jsonrpc import (
    GATEWAY_NAME,
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    Message,
    is_modern,
    server_info_of,
    text_of,
)
from coatcheck.proxy.response_checks import fault_of

logger = logging.getLogger(__name__)

MAX_PAGES = 100
MAX_TOOLS = 10_000
"""Maximum number of tool names that are kept for each server."""

PAGE_TIMEOUT = 10.0
"""Seconds within which a server must list a page, because the lists of other servers wait for it."""

_LONGEST_STATE = 800
"""Characters of the description of one server."""

SERVERS_TOOL = "coatcheck_servers"
LISTS = {
    "tools/list": ("tools", "tools"),
    "prompts/list": ("prompts", "prompts"),
    "resources/list": ("resources", "resources"),
    "resources/templates/list": ("resources", "resourceTemplates"),
    "tasks/list": ("tasks", "tasks"),
}
"""For each list: its capability, and its name in the result."""

_OF_EACH = ("tools", "prompts", "resources", "completions", "logging", "tasks")
NOT_CACHED = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


def merged_capabilities(upstreams: Sequence[Upstream]) -> dict[str, Any]:
    """Return the merged capabilities of the servers.

    Tools are always included because the gateway adds some, and so are list changes, because servers start and stop.
    MCP Apps is the only extension: others cannot be assigned to a server.
    """
    merged: dict[str, Any] = {"tools": {"listChanged": True}}
    for upstream in upstreams:
        for name in _OF_EACH:
            own = upstream.capabilities.get(name)
            if isinstance(own, dict):
                merged[name] = {
                    **merged.get(name, {}),
                    **{key: value for key, value in own.items() if value not in (False, None)},
                }
        extensions = upstream.capabilities.get("extensions")
        if isinstance(extensions, dict) and isinstance(extensions.get(APPS_EXTENSION), dict):
            merged.setdefault("extensions", {APPS_EXTENSION: extensions[APPS_EXTENSION]})
    for name in ("prompts", "resources"):
        if name in merged:
            merged[name]["listChanged"] = True
    return merged


def merged_instructions(upstreams: Sequence[Upstream]) -> str:
    """Return the instructions of all servers, with a sentence on how names are prefixed."""
    names = ", ".join(upstream.name for upstream in upstreams)
    example = joined(upstreams[0].name if upstreams else "server", "tool")
    begin = f"Several servers are behind this one: {names}. The name of each tool begins with its server's, as in"
    parts = [f"{begin} {example}. {SERVERS_TOOL} reports their state."]
    for upstream in upstreams:
        instructions = upstream.handshake_result.get("instructions")
        if upstream.state is not State.RUNNING:
            parts.append(f"{upstream.name} is {upstream.state.value}.")  # Reasons would grow with each failure.
        elif isinstance(instructions, str) and instructions:
            parts.append(f"{upstream.name}: {mark_further_lines(instructions)}")
    return "\n\n".join(parts)


def server_info() -> dict[str, str]:
    """Return the name and version of the merged server."""
    return {"name": GATEWAY_NAME, "title": "coatcheck gateway", "version": __version__}


def servers_tool() -> dict[str, Any]:
    """Return the entry of the tool that reports the state of the servers."""
    return {
        "name": SERVERS_TOOL,
        "description": "Tell which servers are behind this one, whether each runs, and when one that is down is tried "
        "again.",
        "inputSchema": {"type": "object", "properties": {}},
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    }


def servers_text(upstreams: Sequence[Upstream]) -> str:
    """Describe the state of each server on a line."""
    lines = []
    for upstream in upstreams:
        info = server_info_of(upstream.handshake_result)
        names = " ".join(quoted_name(text) for key in ("name", "version") if (text := text_of(info.get(key))))
        what = f" ({names})" if names and upstream.state is State.RUNNING else ""
        lines.append(f"{upstream.name}: {excerpt(upstream.describe(), _LONGEST_STATE)}{what}")
    return "\n".join(lines)


SendRequest = Callable[[Upstream, Message, Any], Awaitable[dict[str, Any]]]
"""Sends a client's request to an upstream with other parameters and returns its result."""


async def merged_list(message: Message, upstreams: Sequence[Upstream], send_request: SendRequest) -> dict[str, Any]:
    """Answer a list request with the entries of all upstreams on one page.

    Raises:
        RefusedError: No upstream has tasks.
    """
    method = message["method"]
    capability, key = LISTS[method]
    able = [upstream for upstream in upstreams if upstream.has(capability)]
    if capability == "tasks" and not able:
        raise RefusedError(METHOD_NOT_FOUND, "None of the servers has tasks.")
    found = await asyncio.gather(*(_pages(upstream, message, key, send_request) for upstream in able))
    entries: list[Any] = []
    for upstream, own in zip(able, found, strict=True):
        listed = await amap(partial(listed_entry, upstream.name, method), own)
        usable = [entry for entry in listed if entry is not None]
        if len(usable) < len(own):
            logger.warning("%s lists %d malformed %s; they are left out", upstream.name, len(own) - len(usable), key)
        entries += usable
    if method == "tools/list":
        for upstream, own in zip(able, found, strict=True):
            names = (entry.get("name") for entry in own[:MAX_TOOLS] if isinstance(entry, dict))
            upstream.tools = {name for name in names if isinstance(name, str) and len(name) <= MAX_NAME_CHARACTERS}
        entries.append(servers_tool())
    return {**(NOT_CACHED if is_modern(message) else {}), key: entries}


async def _pages(upstream: Upstream, message: Message, key: str, send_request: SendRequest) -> list[Any]:
    """Return all entries of an upstream's list; none if it fails to list."""
    entries: list[Any] = []
    params = dict(message.get("params") or {})
    for _ in range(MAX_PAGES):
        try:
            result = await asyncio.wait_for(send_request(upstream, message, params), PAGE_TIMEOUT)
        except TimeoutError:
            logger.warning("%s did not list its %s within %g s", upstream.name, key, PAGE_TIMEOUT)
            break
        except (UpstreamError, RefusedError) as error:
            if getattr(error, "error", {}).get("code") != METHOD_NOT_FOUND:
                logger.warning("%s could not list: %s", upstream.name, error)
            break
        page = result.get(key)
        entries += page if isinstance(page, list) else []
        if not result.get("nextCursor"):
            break
        params["cursor"] = result["nextCursor"]
    return entries


def result_of(upstream: Upstream, message: Message, answer: Message) -> dict[str, Any]:
    """Return the result in a server's response to a client's request, in the client's protocol revision.

    Raises:
        RefusedError: The server refused.
        UpstreamError: The response is malformed.
    """
    modern = is_modern(message)
    error, result = answer.get("error"), answer.get("result")
    if answer and (fault := fault_of(answer)):
        raise UpstreamError(f'The response of the server "{upstream.name}" is malformed: {fault}.')
    if isinstance(error, dict):
        refused = RefusedError(INTERNAL_ERROR, text_of(error.get("message")))
        refused.error = error
        raise refused
    if not isinstance(result, dict):
        raise UpstreamError(f'The server "{upstream.name}" answered with something that is not a result.')
    result = with_joined_tasks(upstream.name, result)
    if modern and not upstream.is_modern and message["method"] in {*LISTS, "resources/read"}:
        return {**NOT_CACHED, **result}
    return result


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

    Optional members of the wrong type are left out: strict clients refuse a whole list for one malformed entry, and
    this list has the entries of all servers.
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
