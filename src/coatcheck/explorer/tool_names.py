"""The names under which the object tools are listed, so that suggested calls use names that work."""

from collections.abc import Container, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from coatcheck.errors import SettingsError

DEFAULT_PREFIX = "object_store_"
PREFIX_ON_CLASH = "coatcheck_"
"""Put before the name of an object tool that a server uses for a tool of its own."""
OPERATIONS: Final = ("get", "slice", "grep", "sed", "query", "put", "delete", "list")
"""The object tools by the last part of their names."""

Names = Mapping[str, str]
"""Maps a tool's usual name to its listed name; ``""`` for a tool that is not listed."""

_NONE: Names = MappingProxyType({})
_UNCHANGED = nullcontext()
_listed: ContextVar[Names] = ContextVar("coatcheck_listed_names", default=_NONE)


@lru_cache(maxsize=64)  # keyed by settings, which are few; an explorer is created for each tool call
def names_of_tools(prefix: str = DEFAULT_PREFIX, offered: tuple[str, ...] = ()) -> Names:
    """Return the names of the object tools that differ from the default.

    ``offered`` are the listed ones, by the last part of their names; all by default.

    Raises:
        SettingsError: ``offered`` contains an unknown name.
    """
    chosen = [name.removeprefix(DEFAULT_PREFIX) for name in offered or OPERATIONS]
    unknown = sorted(set(chosen) - set(OPERATIONS))
    if unknown:
        raise SettingsError(f"object_tools: there is no {', '.join(unknown)}; there are {', '.join(OPERATIONS)}.")
    names = {DEFAULT_PREFIX + name: prefix + name if name in chosen else "" for name in OPERATIONS}
    return MappingProxyType({usual: listed for usual, listed in names.items() if usual != listed})


def name_without_clash(name: str, taken: Container[str]) -> str:
    """Return the name, with a prefix if a server has a tool of that name."""
    while name in taken:
        name = PREFIX_ON_CLASH + name
    return name


def listed_as(names: Names) -> AbstractContextManager[None]:
    """Use these names, in addition to the current ones, for answers within a block."""
    return _listed_as(names) if names else _UNCHANGED


@contextmanager
def _listed_as(names: Names) -> Iterator[None]:
    token = _listed.set({**_listed.get(), **names})
    try:
        yield
    finally:
        _listed.reset(token)


def listed_name(usual: str) -> str:
    """Return the listed name of an object tool; ``""`` if it is not listed."""
    names = _listed.get()
    named = names.get(usual, usual)
    return names.get(named, named)  # renamed again if a server has a tool of that name


def listed_names() -> Names:
    """Return all current names that differ from the default."""
    return _listed.get()
