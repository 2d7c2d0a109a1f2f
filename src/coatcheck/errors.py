"""The errors of coatcheck: one tree, each with a message that a person or a model can act on.

    CoatcheckError
    ├── ReferenceSyntaxError      a path that does not parse
    ├── PathNotFound              a path that leads nowhere in the object
    ├── ObjectNotFound            an id without an object, or of another namespace (reported alike)
    ├── ObjectUnreadable          stored bytes that this version of coatcheck cannot read
    ├── ObjectTooLarge            a value over the limit for one object
    ├── ObjectStoreUnavailable    the store does not answer
    ├── ListingUnsupported        this store, or this caller, cannot list objects
    ├── ArgumentRejected          a tool argument that does not fit, after references were resolved
    ├── PatternError              a regular expression that does not compile
    ├── FilterError               a jq filter that does not compile or fails on the value
    ├── SandboxError              work in the sandbox that broke a limit
    │   ├── SandboxTimeout
    │   ├── SandboxMemoryExceeded
    │   ├── SandboxOutputExceeded
    │   └── SandboxFailed
    ├── UpstreamError             a wrapped server that does not start or exited
    ├── SettingsError             settings that contradict each other or miss something
    ├── MissingExtra              an optional package that is not installed
    └── WiringError               a container that cannot work as it is wired

Messages quote bounded excerpts only and never a secret.
"""

import math
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from importlib import import_module
from numbers import Integral, Real
from typing import Any

__all__ = [
    "ArgumentRejected",
    "CoatcheckError",
    "FilterError",
    "ListingUnsupported",
    "MissingExtra",
    "ObjectNotFound",
    "ObjectStoreUnavailable",
    "ObjectTooLarge",
    "ObjectUnreadable",
    "PathNotFound",
    "PatternError",
    "ReferenceSyntaxError",
    "SandboxError",
    "SandboxFailed",
    "SandboxMemoryExceeded",
    "SandboxOutputExceeded",
    "SandboxTimeout",
    "SettingsError",
    "UpstreamError",
    "WiringError",
]

EXCERPT_LIMIT = 80


class CoatcheckError(Exception):
    """Base of all expected failures; ``str(error)`` is the text for a person or a model."""


class ReferenceSyntaxError(CoatcheckError, ValueError):
    """A path does not follow the grammar."""


class PathNotFound(CoatcheckError, LookupError):
    """A path does not exist in the object it was applied to."""


class ObjectNotFound(CoatcheckError, LookupError):
    """No object has this id in the caller's namespace.

    Attributes:
        object_id: The id that was asked for.
    """

    def __init__(self, object_id: str, hint: str = "") -> None:
        self.object_id = object_id
        super().__init__(
            f"Object {excerpt('@' + object_id)} not found: it has expired, was deleted, or never existed here. "
            f"{hint}{' ' if hint else ''}Call the tool that produced it again; if the text is meant literally, write "
            "it with a second @ in front."
        )


class ObjectUnreadable(CoatcheckError, ValueError):
    """The stored bytes were not written by coatcheck, or by a version that this one cannot read."""

    def __init__(
        self,
        text: str = "The stored bytes of this object are not what its metadata says: another program may have "
        "changed them.",
    ) -> None:
        super().__init__(text)


class ObjectTooLarge(CoatcheckError):
    """A value exceeds the limit for a single object.

    Attributes:
        size: Size of the encoded value in bytes.
        limit: The limit in bytes.
    """

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            f"The value has {size:,} bytes, more than the {limit:,} bytes an object may have; it was not kept. "
            "Ask for less, for example with a filter, a smaller page or fewer fields."
        )


CALLER_IS_REMOTE: ContextVar[bool] = ContextVar("coatcheck_caller_is_remote", default=False)
"""Whether a caller over a network is being served, who must not learn the store's location."""


class ObjectStoreUnavailable(CoatcheckError):
    """The object store is currently unavailable.

    Attributes:
        text: The fault and its location; the ``str`` of the error unless a caller over a network is served.
        public_text: The same without the store's address or path.
    """

    def __init__(self, text: str, public_text: str = "The object store is unavailable at the moment.") -> None:
        super().__init__(text)
        self.text, self.public_text = text, public_text

    def __str__(self) -> str:
        """Return the text for the current caller."""
        return self.public_text if CALLER_IS_REMOTE.get() else self.text


class ListingUnsupported(CoatcheckError):
    """Objects cannot be listed here."""


class ArgumentRejected(CoatcheckError, ValueError):
    """A tool argument does not fit its parameter."""


class PatternError(CoatcheckError, ValueError):
    """A regular expression or its replacement is malformed."""


class FilterError(CoatcheckError, ValueError):
    """A jq filter is malformed or failed on the value."""


class SandboxError(CoatcheckError):
    """Work in the sandbox exceeded a limit."""


class SandboxTimeout(SandboxError):
    """The work exceeded its deadline."""


class SandboxMemoryExceeded(SandboxError):
    """The work needed more memory than a worker's limit."""


class SandboxOutputExceeded(SandboxError):
    """The result exceeded the size limit."""


class SandboxFailed(SandboxError):
    """A worker died or could not be started."""


class UpstreamError(CoatcheckError):
    """A wrapped server did not start, or was lost."""


class SettingsError(CoatcheckError, ValueError):
    """Settings are invalid, missing or contradictory."""


class MissingExtra(CoatcheckError, ImportError):
    """A required optional package is not installed."""


class WiringError(CoatcheckError):
    """The wiring of a container is invalid."""


def excerpt(text: str, limit: int = EXCERPT_LIMIT) -> str:
    """Quote at most ``limit`` characters of ``text`` on one line, both ends kept."""
    if len(text) > limit:
        half = max((limit - 1) // 2, 1)
        text = f"{text[:half]}…{text[-half:]}"
    return "".join(c if c.isprintable() else "�" for c in text)


def quoted(text: str, limit: int = EXCERPT_LIMIT) -> str:
    """Quote at most ``limit`` characters of untrusted text on one line; it cannot end the quotation."""
    return '"' + excerpt(text, limit).replace("\\", "\\\\").replace('"', '\\"') + '"'


def quoted_name(text: str, limit: int = EXCERPT_LIMIT) -> str:
    """Write an untrusted name so that it cannot end a sentence: one plain word unchanged, anything else quoted."""
    return text if len(text) <= limit and _PLAIN_NAME.fullmatch(text) else quoted(text, limit)


_PLAIN_NAME = re.compile(r"[\w$@][\w$@./:-]*(?<![.:])")


_EXPECTED = {
    "bool_": "true or false",
    "dict_": 'a table such as {{"a": 1}}',
    "enum": "{expected}",
    "finite_number": "a finite number",
    "float_": "a number",
    "greater_than_equal": "a number of at least {ge:g}",
    "greater_than": "a number greater than {gt:g}",
    "int_": "a whole number",
    "less_than_equal": "a number of at most {le:g}",
    "less_than": "a number less than {lt:g}",
    "list_": 'a list such as ["a", "b"]',
    "literal_error": "{expected}",
    "path_type": "a path",
    "string_type": "a text",
}
"""By the start of pydantic's name for a fault: what is expected, with the values of its context."""


def fault_text(fault: Any) -> str:
    """Describe one fault of pydantic's ``ValidationError`` in words for people who do not know pydantic."""
    if fault["type"] == "missing":
        return "it is missing"
    if fault["type"] == "extra_forbidden":
        return "there is no such setting"
    expected = next((text for start, text in _EXPECTED.items() if fault["type"].startswith(start)), None)
    if expected is None:
        return str(fault["msg"]).removeprefix("Value error, ")
    return f"{expected.format(**fault.get('ctx', {}))} is expected"


def field_faults(error: Any) -> list[tuple[str, str]]:
    """Return the field and the description of each fault in pydantic's ``ValidationError``, without the values."""
    faults = error.errors(include_input=False, include_url=False)
    return [(".".join(map(str, fault["loc"])), fault_text(fault)) for fault in faults]


def invalid_settings(what: str, error: Any, place: Callable[[str], str] = str) -> SettingsError:
    """Create the error for pydantic's ``ValidationError`` of settings; no value is quoted.

    Args:
        what: The settings.
        error: The error of pydantic.
        place: Names a field, with the place of its value.
    """
    text = "; ".join(f"{place(field)}: {fault}" if field else fault for field, fault in field_faults(error))
    return SettingsError(f"{what}: {text.removesuffix('.')}.")


def output_failed(error: OSError) -> CoatcheckError:
    """Create the error for an output that cannot be written, as on a full disk."""
    return CoatcheckError(f"The output cannot be written: {error.strerror}.")


def require_numbers(owner: str, least: float = 0, *, whole: bool = True, **numbers: Any) -> None:
    """Refuse arguments that are not finite numbers of at least ``least``.

    Raises:
        TypeError: One is of another type; true and false are no numbers.
        ValueError: One is too small, infinite or not a number.
    """
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, (int, Integral) if whole else (int, float, Real)):
            kind = "a whole number" if whole else "a number"
            raise TypeError(f"{owner}: {name} must be {kind}, not {type(number).__name__}.")
        if not math.isfinite(number):
            raise ValueError(f"{owner}: {name} must be finite, not {number}.")
        if number < least:
            raise ValueError(f"{owner}: {name} must be at least {least:g}, not {number}.")


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 item``, ``5,000 items``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


_TOOL_ERRORS = {"mcp.server": "mcp.server.mcpserver.exceptions", "fastmcp.exceptions": "fastmcp.exceptions"}
"""For each library, by a module that is loaded if its servers are used: the module of its ``ToolError``."""


_INFO = 20
"""The level ``logging.INFO``; loading that module would delay the start of a wrapped server."""


def as_tool_error(error: CoatcheckError) -> CoatcheckError:
    """Convert ``error`` to a class whose text the mcp SDK and FastMCP show to the model.

    They show only the text of their own ``ToolError`` (FastMCP if it hides details). If they are loaded, the result is
    an instance of the error's class and of ``ToolError``; otherwise it is the error itself, so plain scripts never
    import a library.
    """
    kind = type(error)
    tool_errors = tuple(import_module(known).ToolError for used, known in _TOOL_ERRORS.items() if used in sys.modules)
    missing = tuple(each for each in tool_errors if not issubclass(kind, each))
    if not missing:
        return error
    # Created once for each class of error and set of libraries, and cached on the class.
    crossed: type[CoatcheckError] | None = vars(kind).get("_crossed")
    if crossed is None or not all(issubclass(crossed, each) for each in missing):
        attributes: dict[str, Any] = {"__module__": kind.__module__, "__doc__": kind.__doc__}
        crossed = type(kind.__name__, (kind, *missing), attributes)
        kind._crossed = crossed  # type: ignore[attr-defined]  # noqa: SLF001
    copy: CoatcheckError = crossed.__new__(crossed)
    copy.args = error.args
    copy.__dict__.update(error.__dict__, log_level=_INFO)  # for FastMCP: an expected error is logged below ERROR
    return copy
