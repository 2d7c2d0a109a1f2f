"""The options of ``coatcheck wrap`` that select the wrapped server and pass secrets to it."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coatcheck.cli.logs import announce
from coatcheck.errors import SettingsError, excerpt
from coatcheck.proxy.upstreams.targets import CommandTarget, Target, UrlTarget

if TYPE_CHECKING:
    import httpx2

    from coatcheck.installer.server_reader import Fill

OAuthUse = Literal["required", "offered", "never"]

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET_NAMES = re.compile(r"authorization|token|secret|password|cookie|key", re.IGNORECASE)
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_.=-]{24,}")


@dataclass(frozen=True, slots=True)
class UpstreamFlags:
    """The options of the wrapped server."""

    command: Sequence[str] = ()  # the server's command; may be empty
    env: Sequence[str] = ()  # variables of the command, `NAME=VALUE`, or `NAME` for the variable of our environment
    cwd: Path | None = None
    url: str | None = None
    sse: bool = False  # whether the URL is one of HTTP+SSE
    headers: Sequence[str] = ()  # headers, `Name: value`
    token_variable: str | None = None  # name of the variable with a bearer token
    ca_file: Path | None = None  # certificates to trust
    oauth: "OAuthUse" = "offered"  # whether to sign in: always, if the server offers it, or never

    def target(self) -> Target | None:
        """Return the one server that the flags name; ``None`` if they name none.

        Raises:
            SettingsError: Flags conflict, a header is malformed, or a variable is not set.
            UpstreamError: The URL is malformed.
        """
        if self.url is None:
            if self.sse or self.headers or self.token_variable or self.ca_file:
                raise SettingsError("--sse, --header, --token-variable and --ca-file require --url.")
            if self.oauth == "required" and self.command:
                raise SettingsError("--oauth requires --url or --servers.")
            return self._command()
        if self.command or self.env or self.cwd:
            raise SettingsError(
                "Give a command (with --env and --cwd) or --url, not both. For several servers: --servers with a file."
            )
        headers = dict(read_header(given) for given in self.headers)
        if self.token_variable:
            headers["Authorization"] = f"Bearer {_value_of(self.token_variable)}"
        auth = oauth_for(self.url, headers, self.oauth, self.ca_file)
        return UrlTarget(self.url, "sse" if self.sse else "streamable-http", headers, self.ca_file, auth)

    def _command(self) -> CommandTarget | None:
        if not self.command:
            if self.env or self.cwd:
                raise SettingsError("--env and --cwd require a command, after --.")
            return None
        words = tuple(self.command)
        if len(words) == 1 and " " in words[0]:
            from coatcheck.installer.server_reader import split_command

            words = split_command(words[0])
        if self.cwd is not None and not self.cwd.is_dir():
            raise SettingsError(f"The working directory {self.cwd} does not exist.")
        return CommandTarget(words, dict(map(read_variable, self.env)), str(self.cwd) if self.cwd is not None else None)


def oauth_for(
    url: str, headers: Mapping[str, str], use: OAuthUse, ca_file: Path | None = None
) -> "Callable[[], httpx2.Auth] | None":
    """Return the authentication of requests to a URL; ``None`` if the user passed a token or disabled OAuth."""
    if use == "never" or any(name.lower() == "authorization" for name in headers):
        return None

    def make() -> "httpx2.Auth":
        from coatcheck.cli.login import sign_ins
        from coatcheck.proxy.upstreams.oauth import OAuth

        return OAuth(url, sign_ins(), required=use == "required", ca_file=ca_file)

    return make


def environment_fill() -> "Fill":
    """Create the function that fills in variables of our environment."""
    from coatcheck.installer.server_reader import fill_variables
    from coatcheck.user_folders import home_folder

    return fill_variables(os.environ, home_folder)


def read_variable(given: str) -> tuple[str, str]:
    """Parse ``NAME=VALUE``, or ``NAME`` for the variable of that name; the value may contain variables."""
    name, separator, value = given.partition("=")
    if not _VARIABLE_NAME.fullmatch(name):
        raise SettingsError("--env takes NAME=VALUE, or NAME to pass on a variable of this environment.")
    if separator and _SECRET_NAMES.search(name) and _VARIABLE.search(value) is None:
        announce(f"the value of --env {name} is visible in the process list; set the variable and write --env {name}.")
    return name, _expand(value if separator else f"${name}", f"--env {name}")


def _expand(text: str, where: str) -> str:
    """Fill in ``$NAME``, ``${NAME}`` and ``${NAME:-default}``.

    Raises:
        SettingsError: A variable is not set and has no default.
    """

    def value(found: re.Match[str]) -> str:
        name, default = found.group(1) or found.groups()[-1], found.group(2)
        if name not in os.environ and default is None:
            raise SettingsError(f"{where} needs the variable {name}, which is not set.")
        return os.environ.get(name, default or "")

    return _VARIABLE.sub(value, text)


def read_header(given: str) -> tuple[str, str]:
    """Parse ``Name: value``; the value may contain variables."""
    name, separator, value = given.partition(":")
    if not separator or not name.strip():
        raise SettingsError("--header takes 'Name: value', such as 'X-Api-Key: $MY_KEY'.")
    value = value.strip()
    if _VARIABLE.search(value) is None and (_SECRET_NAMES.search(name) or _LONG_WORD.search(value)):
        announce(
            f"the value of the header {excerpt(name)} is visible in the process list; put it into a variable "
            f"and write --header '{excerpt(name)}: $VARIABLE'."
        )
    return name.strip(), _expand(value, f"The header {excerpt(name)}")


def _value_of(variable: str) -> str:
    value = os.environ.get(variable)
    if not value:
        raise SettingsError(f"The variable {excerpt(variable)} (--token-variable) is not set.")
    return value.strip()
