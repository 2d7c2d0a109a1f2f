"""The flags of ``coatcheck wrap`` that say which server is wrapped, and how secrets get there."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coatcheck.cli.logs import announce
from coatcheck.errors import SettingsError, excerpt
from coatcheck.proxy.upstreams.targets import CommandTarget, Target, UrlTarget

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_BRACED = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_SECRET_NAMES = re.compile(r"authorization|token|secret|password|cookie|key", re.IGNORECASE)
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_.=-]{24,}")


@dataclass(frozen=True, slots=True)
class UpstreamFlags:
    """What the command line says about the server.

    Attributes:
        command: The server's command, empty where it has none.
        url: The server's URL.
        sse: Whether the URL is one of the older transport.
        headers: Headers as they were given, ``Name: value``.
        token_variable: Name of the variable that holds a bearer token.
        ca_file: Certificates to trust.
    """

    command: Sequence[str] = ()
    url: str | None = None
    sse: bool = False
    headers: Sequence[str] = ()
    token_variable: str | None = None
    ca_file: Path | None = None

    def target(self) -> Target | None:
        """Give the one server that the flags name; ``None`` where they name none.

        Raises:
            SettingsError: Flags that do not go together, a malformed header, a variable that is not set.
            UpstreamError: The URL is none.
        """
        if self.url is None:
            if self.sse or self.headers or self.token_variable or self.ca_file:
                raise SettingsError("--sse, --header, --token-variable and --ca-file go with --url.")
            return CommandTarget(tuple(self.command)) if self.command else None
        if self.command:
            raise SettingsError("Give a command or --url, not both. For several servers: --config with a file of them.")
        headers = dict(_header(given) for given in self.headers)
        if self.token_variable:
            headers["Authorization"] = f"Bearer {_value_of(self.token_variable)}"
        return UrlTarget(self.url, "sse" if self.sse else "streamable-http", headers, self.ca_file)


def expand(text: str, where: str, *, bare: bool = False) -> str:
    """Put variables of the environment in the place of ``${NAME}`` and ``${NAME:-default}``, ``bare`` also ``$NAME``.

    Raises:
        SettingsError: A variable is not set and has no default.
    """

    def value(found: re.Match[str]) -> str:
        name, default = found.group(1) or found.groups()[-1], found.group(2)
        if name not in os.environ and default is None:
            raise SettingsError(f"{where} wants the variable {name}, which is not set.")
        return os.environ.get(name, default or "")

    return (_VARIABLE if bare else _BRACED).sub(value, text)


def _header(given: str) -> tuple[str, str]:
    name, separator, value = given.partition(":")
    if not separator or not name.strip():
        raise SettingsError("--header wants 'Name: value', such as 'X-Api-Key: $MY_KEY'.")
    value = value.strip()
    if _VARIABLE.search(value) is None and (_SECRET_NAMES.search(name) or _LONG_WORD.search(value)):
        announce(
            f"the value of the header {excerpt(name)} shows in the process list; put it into a variable "
            f"and write --header '{excerpt(name)}: $VARIABLE'."
        )
    return name.strip(), expand(value, f"The header {excerpt(name)}", bare=True)


def _value_of(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise SettingsError(f"The variable {excerpt(variable)} (--token-variable) is not set.")
    return value.strip()
