"""The listening address and the authentication of a server, from the command line."""

import ipaddress
import logging
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coatcheck.errors import SettingsError

if TYPE_CHECKING:
    from coatcheck.mcp_server.authentication import Authentication

logger = logging.getLogger(__name__)

TRANSPORTS = ("stdio", "streamable-http", "sse")


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
            raise SettingsError("--stateless goes with --transport streamable-http.")
        if self.transport == "stdio":
            if self.authenticated:
                raise SettingsError(
                    "Over stdio there are no tokens: --auth… and keys from the Authorization header go with "
                    "--transport streamable-http."
                )
            return
        if not (self.unprotected or self.authenticated or is_loopback(self.host)):
            raise SettingsError(
                f"--host {self.host} accepts other machines, and callers are not authenticated: every client that "
                "knows an object's id could read it. Authenticate them (--auth-tokens, --auth-jwks, --auth), listen on "
                "127.0.0.1 behind one that does, or add --unprotected."
            )


@dataclass(frozen=True, slots=True)
class AuthFlags:
    """The options of authentication."""

    tokens: Path | None = None
    jwks: str | None = None
    issuer: str | None = None
    audience: str | None = None
    verifier: str | None = None

    def open(self, of_toolsets: Iterable[Any] = ()) -> "Authentication | None":
        """Create the verifier; ``None`` without a flag or a toolset's verifier.

        Args:
            of_toolsets: The verifiers of toolsets, ``None`` for a toolset without one.

        Raises:
            SettingsError: There are two verifiers, or the value of a flag is invalid.
        """
        brought = [verifier for verifier in of_toolsets if verifier is not None]
        given = [flag for flag in (self.tokens, self.jwks, self.verifier) if flag is not None]
        if len(brought) + len(given) > 1 and brought:
            raise SettingsError(
                "Callers can be authenticated in one way only: a toolset takes keys from the Authorization header "
                "already, so leave out --auth-tokens, --auth-jwks, --auth and other toolsets that do so."
            )
        if brought:
            from coatcheck.mcp_server.authentication import Authentication

            return Authentication(brought[0])
        if self.verifier is not None:
            sys.path.insert(0, "")  # modules are searched in the current folder first
        from coatcheck.mcp_server.authentication import open_authentication

        return open_authentication(
            tokens=self.tokens,
            jwks=self.jwks,
            issuer=self.issuer,
            audience=self.audience,
            verifier=self.verifier,
        )


def warn_of_open_tokens(listening: Listening) -> None:
    """Warn if tokens are sent in plain text, because neither command supports TLS."""
    if listening.authenticated and not is_loopback(listening.host):
        logger.warning("Tokens travel as they are: put a proxy that speaks TLS in front of %s.", listening.host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
