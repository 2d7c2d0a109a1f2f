"""The options with which ``serve`` and ``wrap`` listen, and authenticate their callers."""

import ipaddress
import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coatcheck.cli.settings_options import Command, with_options
from coatcheck.errors import SettingsError

if TYPE_CHECKING:
    from coatcheck.mcp_server.authentication import Authentication

logger = logging.getLogger(__name__)

TRANSPORT, AUTHENTICATION = "Transport", "Authentication (HTTP)"
TRANSPORTS = ("stdio", "streamable-http", "sse")
LOOPBACK, DEFAULT_PORT = "127.0.0.1", 8000


@dataclass(frozen=True, slots=True)
class Listening:
    """How a server listens.

    Raises:
        SettingsError: The transport is unknown, or other machines can reach the address without authentication and
            without ``--unprotected``.
    """

    transport: str
    host: str
    port: int
    unprotected: bool = False
    authenticated: bool = False
    stateless: bool = False

    def __post_init__(self) -> None:
        """Refuse contradictory options."""
        if self.transport not in TRANSPORTS:
            raise SettingsError(f'There is no transport "{self.transport}"; there are: {", ".join(TRANSPORTS)}.')
        if self.stateless and self.transport != "streamable-http":
            raise SettingsError("--stateless requires --transport streamable-http.")
        if self.transport == "stdio":
            if self.unprotected or (self.host, self.port) != (LOOPBACK, DEFAULT_PORT):
                raise SettingsError("--host, --port and --unprotected require --transport streamable-http.")
            if self.authenticated:
                raise SettingsError(
                    "Over stdio there are no tokens: --auth… and keys from the Authorization header require "
                    "--transport streamable-http."
                )
            return
        if not (self.unprotected or self.authenticated or is_loopback(self.host)):
            raise SettingsError(
                f"--host {self.host} accepts other machines, and callers are not authenticated: every client that "
                "knows an object's id could read it. Authenticate them (--auth-tokens, --auth-jwks, --auth), listen on "
                "127.0.0.1 behind one that does, or add --unprotected."
            )


_auth_option = partial(typer.Option, rich_help_panel=AUTHENTICATION)
_transport_option = partial(typer.Option, rich_help_panel=TRANSPORT)


@dataclass(frozen=True, slots=True)
class ListenFlags:
    """The options as they were given."""

    transport: str = "stdio"
    host: Annotated[str, _transport_option(metavar="ADDRESS", help="Address to listen on (HTTP).")] = LOOPBACK
    port: Annotated[
        int,
        _transport_option(metavar="NUMBER", help="Port to listen on (HTTP).", min=0, max=65535),
    ] = DEFAULT_PORT
    stateless: bool = False
    unprotected: Annotated[
        bool,
        _transport_option(
            "--unprotected",
            help="Allow an address that other machines can reach although callers are not authenticated: every client "
            "that knows an object's id can then read it.",
        ),
    ] = False
    auth_tokens: Annotated[
        Path | None,
        _auth_option(
            metavar="FILE", help="Accept the bearer tokens of this list; each line has a name and a token's SHA-256."
        ),
    ] = None
    auth_jwks: Annotated[
        str | None,
        _auth_option(
            metavar="FILE|URL", help="Accept JWTs signed with one of these keys: file or https:// URL of a JWKS."
        ),
    ] = None
    auth_issuer: Annotated[
        str | None,
        _auth_option(metavar="ISSUER", help="With --auth-jwks: the required issuer of a token."),
    ] = None
    auth_audience: Annotated[
        str | None,
        _auth_option(
            metavar="AUDIENCE", help="With --auth-jwks: the required audience of a token, usually this server's URL."
        ),
    ] = None
    auth: Annotated[
        str | None,
        _auth_option(metavar="MODULE:ATTRIBUTE", help="Verify tokens with a TokenVerifier of your own."),
    ] = None

    @property
    def authenticates(self) -> bool:
        """Whether an option authenticates callers."""
        return any(given is not None for given in (self.auth_tokens, self.auth_jwks, self.auth))

    def listening(self, *, authenticated: bool) -> Listening:
        """Check the options; raises ``SettingsError`` if they are contradictory, or expose objects."""
        return Listening(self.transport, self.host, self.port, self.unprotected, authenticated, self.stateless)

    def authentication(self, of_toolsets: Iterable[Any] = ()) -> "Authentication | None":
        """Create the verifier, or take a toolset's; ``None`` without an option or a toolset's verifier.

        Raises:
            SettingsError: There are two verifiers, or the value of an option is invalid.
        """
        from coatcheck.mcp_server.authentication import Authentication, open_authentication

        brought = [verifier for verifier in of_toolsets if verifier is not None]
        if len(brought) > 1 or (brought and self.authenticates):
            raise SettingsError(
                "Callers can be authenticated in one way only: a toolset takes keys from the Authorization header "
                "already, so leave out --auth-tokens, --auth-jwks, --auth and other toolsets that do so."
            )
        if brought:
            return Authentication(brought[0])
        if self.auth is not None:
            sys.path.insert(0, "")  # modules are searched in the current folder first
        return open_authentication(
            tokens=self.auth_tokens,
            jwks=self.auth_jwks,
            issuer=self.auth_issuer,
            audience=self.auth_audience,
            verifier=self.auth,
        )


def listen_options(*, transports: str, stateless: str) -> Callable[[Command], Command]:
    """Add the options to a command; it receives them as the parameter ``listen``."""
    options = {each.name: (each.type, each.default) for each in fields(ListenFlags)}
    named = _transport_option(metavar="NAME", help=transports)
    flag = _transport_option("--stateless", help=stateless)
    options |= {"transport": (Annotated[str, named], "stdio"), "stateless": (Annotated[bool, flag], False)}
    return with_options("listen", options, lambda values: ListenFlags(**values))


def warn_of_open_tokens(listening: Listening) -> None:
    """Warn if tokens are sent in plain text, because neither command supports TLS."""
    if listening.authenticated and not is_loopback(listening.host):
        logger.warning("Tokens are sent unencrypted: put a TLS proxy in front of %s.", listening.host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
