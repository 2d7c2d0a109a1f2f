"""The names under which the object tools are listed, so that suggested calls use names that work."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from coatcheck.errors import SettingsError

DEFAULT_PREFIX = "object_store_"
OPERATIONS: Final = ("get", "slice", "grep", "sed", "query", "put", "delete", "list")
"""The object tools by the last part of their names."""

Names = Mapping[str, str]
"""From a tool's usual name to the one under which it is listed; ``""`` for one that is not offered."""

_NONE: Names = MappingProxyType({})
_UNCHANGED = nullcontext()
_listed: ContextVar[Names] = ContextVar("coatcheck_listed_names", default=_NONE)


@lru_cache(maxsize=64)  # of settings, which are few; an explorer is made at each call of a tool
def names_of_tools(prefix: str = DEFAULT_PREFIX, offered: tuple[str, ...] = ()) -> Names:
    """Return the names of the object tools, where their prefix or selection is not the usual one.

    Args:
        prefix: What their names begin with.
        offered: Which of them, by the last part of their names; all by default.

    Raises:
        SettingsError: ``offered`` has a name that no object tool has.
    """
    chosen = [name.removeprefix(DEFAULT_PREFIX) for name in offered or OPERATIONS]
    unknown = sorted(set(chosen) - set(OPERATIONS))
    if unknown:
        raise SettingsError(f"object_tools: there is no {', '.join(unknown)}; there are {', '.join(OPERATIONS)}.")
    names = {DEFAULT_PREFIX + name: prefix + name if name in chosen else "" for name in OPERATIONS}
    return MappingProxyType({usual: listed for usual, listed in names.items() if usual != listed})


def listed_as(names: Names) -> AbstractContextManager[None]:
    """Let answers that are made inside use these names, beside those that hold already."""
    return _listed_as(names) if names else _UNCHANGED


@contextmanager
def _listed_as(names: Names) -> Iterator[None]:
    token = _listed.set({**_listed.get(), **names})
    try:
        yield
    finally:
        _listed.reset(token)


def listed_name(usual: str) -> str:
    """Return the name under which an object tool is listed; ``""`` if it is not offered."""
    names = _listed.get()
    named = names.get(usual, usual)
    return names.get(named, named)  # renamed once more where a server has a tool of that name


def listed_names() -> Names:
    """Return all names that hold here and are not the usual ones."""
    return _listed.get()
