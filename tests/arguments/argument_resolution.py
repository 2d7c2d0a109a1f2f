"""Resolves references in the arguments of a call, as ``attach`` and ``wrap`` do."""

from typing import Any

from coatcheck.calls.interceptor import Interceptor
from coatcheck.explorer import Explorer


async def resolve_arguments(
    arguments: Any, schema: dict[str, Any] | None, explorer: Explorer, *, as_json: bool = False
) -> Any:
    """Return the arguments that the tool receives."""
    return (await Interceptor(explorer).prepare("tool", arguments, schema, as_json=as_json)).arguments
