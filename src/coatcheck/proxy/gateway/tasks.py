"""Tasks of several servers side by side: ``server__task``, wherever a message names one."""

from collections.abc import Callable
from typing import Any

from coatcheck.proxy.gateway.names import joined, split

TASK_ID = "taskId"
TASK_STATUS = "notifications/tasks/status"
RELATED = "io.modelcontextprotocol/related-task"


def with_joined_tasks(server: str, result: dict[str, Any]) -> dict[str, Any]:
    """Give a server's result, or the parameters of its messages, with the names that its tasks have here."""
    return _renamed(result, lambda own: joined(server, own))


def with_own_tasks(params: Any) -> Any:
    """Give parameters of the client's with the names that tasks have at their server."""
    return _renamed(params, lambda name: split(name)[1] or name) if isinstance(params, dict) else params


def may_name_tasks(line: bytes) -> bool:
    """Whether a message may name a task."""
    return b'"taskId"' in line


def _renamed(part: dict[str, Any], rename: Callable[[str], str]) -> dict[str, Any]:
    """Rename tasks where the protocol has them: at the top, as ``task``, in ``tasks`` and in ``_meta``."""
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
