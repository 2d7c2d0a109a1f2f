"""Authentication over HTTP: verifiers of bearer tokens, and the SDK's options for them.

There are three kinds, each a ``TokenVerifier`` of the MCP SDK: a list of tokens for small deployments, signed tokens
(JWT) of an identity provider, and the operator's own. A verifier returns ``None`` for a token that it does not accept.
The reason is logged, the token never is.
"""

import hashlib
import hmac
import importlib
import logging
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mcp.server.auth.provider import AccessToken, TokenVerifier
from mcp.server.auth.settings import AuthSettings

from coatcheck.errors import SettingsError, excerpt
from coatcheck.user_folders import read_user_file

logger = logging.getLogger(__name__)

LISTED_CLIENT = "coatcheck-token-list"
"""The client and issuer of the tokens of a list; the name in the list is the subject."""

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_HOW_TO_HASH = (
    'It needs the token\'s SHA-256, 64 hexadecimal digits: printf %s "$TOKEN" | sha256sum; '
    "a token: openssl rand -base64 32"
)


@dataclass(frozen=True, slots=True)
class Authentication:
    """How callers are authenticated."""

    verifier: TokenVerifier  # identifies the user of a token
    # URL of the issuer of tokens, if known; advertised to clients if `audience` is a URL too.
    issuer: str | None = None
    audience: str | None = None  # the intended audience of tokens: in MCP, this server's own URL

    def server_options(self) -> dict[str, Any]:
        """Return the arguments for an ``MCPServer`` that requires tokens."""
        audience = self.audience if self.audience and _is_url(self.audience) else None
        # Without an advertised issuer the SDK still requires one, and does not show it.
        issuer = self.issuer if self.issuer and _is_url(self.issuer) else None
        return {
            "token_verifier": self.verifier,
            "auth": AuthSettings.model_validate(
                {
                    "issuer_url": issuer or "https://issuer.invalid",
                    "resource_server_url": audience if issuer else None,
                    "validate_token_resource": False,  # the verifier checks the audience itself
                }
            ),
        }


def open_authentication(
    *,
    tokens: Path | None = None,
    jwks: str | None = None,
    issuer: str | None = None,
    audience: str | None = None,
    verifier: str | None = None,
) -> Authentication | None:
    """Create the authentication that the flags of ``coatcheck serve`` configure; ``None`` without such flags.

    Args:
        tokens: Path of a list of tokens.
        jwks: Path or URL of an identity provider's keys.
        issuer: Required issuer of signed tokens.
        audience: Required audience of signed tokens.
        verifier: ``module:attribute`` of your own verifier.

    Raises:
        SettingsError: Flags conflict, or a file, key or verifier is invalid.
    """
    if sum(given is not None for given in (tokens, jwks, verifier)) > 1:
        raise SettingsError("Choose one of --auth-tokens, --auth-jwks and --auth.")
    if jwks is None and (issuer is not None or audience is not None):
        raise SettingsError("--auth-issuer and --auth-audience require --auth-jwks.")
    if tokens is not None:
        return Authentication(TokenList.load(tokens))
    if verifier is not None:
        return Authentication(load_verifier(verifier))
    if jwks is None:
        return None
    if not issuer or not audience:
        raise SettingsError(
            "--auth-jwks needs --auth-issuer and --auth-audience: without them a token that was signed for another "
            "service would be accepted here."
        )
    from coatcheck.mcp_server.jwt_verifier import JwtVerifier

    return Authentication(JwtVerifier.open(jwks, issuer=issuer, audience=audience), issuer, audience)


class TokenList:
    """Verifies tokens by a list of their hashes.

    Args:
        hashes: The SHA-256 of each token in hexadecimal, by the name of its user, who may have several tokens. Tokens
            must be random: a guessable one can be found from its hash.
    """

    def __init__(self, hashes: Mapping[str, Sequence[str]]) -> None:
        self._hashes = [(name, bytes.fromhex(each)) for name, several in hashes.items() for each in several]

    def __repr__(self) -> str:
        return f"TokenList({len(self._hashes)} tokens)"

    @classmethod
    def load(cls, path: Path) -> "TokenList":
        """Read a list: lines ``name hash``, or TOML (``*.toml``) with a table ``tokens`` of ``name = "hash"``.

        Empty lines and lines that begin with ``#`` are skipped. The list is read once.

        Raises:
            SettingsError: The file is missing, malformed or empty; the message quotes only names.
        """
        try:
            text = read_user_file(path, unsafe=stat.S_IWGRP | stat.S_IWOTH).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise SettingsError(f"The list of tokens {path} cannot be read: {reason}.") from None
        pairs = _toml_pairs(path, text) if path.suffix == ".toml" else _line_pairs(path, text)
        hashes: dict[str, list[str]] = {}
        for name, given in pairs:
            found = _SHA256.fullmatch(given)
            if found is None:
                # The value may be the token itself.
                raise SettingsError(f"The list of tokens {path} has no hash for {excerpt(name)}. {_HOW_TO_HASH}.")
            hashes.setdefault(name, []).append(found.group(1))
        if not hashes:
            raise SettingsError(f'The list of tokens {path} is empty; it needs lines "name hash". {_HOW_TO_HASH}.')
        return cls(hashes)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Identify the user of a token. Every hash is compared, in constant time, even after a match."""
        given = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        owner: str | None = None
        for name, known in self._hashes:
            if hmac.compare_digest(given, known):
                owner = name
        if owner is None:
            logger.info("A token was refused: it is not in the list.")
            return None
        return AccessToken(
            token=token, client_id=LISTED_CLIENT, scopes=[], subject=owner, claims={"iss": LISTED_CLIENT, "sub": owner}
        )


def _line_pairs(path: Path, text: str) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.split()
        if not parts or parts[0].startswith("#"):
            continue
        if len(parts) != 2:  # noqa: PLR2004 - a name and a hash
            raise SettingsError(f'Line {number} of the list of tokens {path} is no "name hash". {_HOW_TO_HASH}.')
        pairs.append((parts[0], parts[1]))
    return pairs


def _toml_pairs(path: Path, text: str) -> list[tuple[str, str]]:
    try:
        table = tomllib.loads(text).get("tokens", {})
    except tomllib.TOMLDecodeError:  # its message may quote the file
        raise SettingsError(f"The list of tokens {path} is not valid TOML.") from None
    if not isinstance(table, dict):
        raise SettingsError(f'The list of tokens {path} needs a table: [tokens], then lines name = "hash".')
    return [
        (name, str(each)) for name, given in table.items() for each in (given if isinstance(given, list) else [given])
    ]


def load_verifier(name: str) -> TokenVerifier:
    """Load your own verifier: an object with ``verify_token``, or a function that returns one.

    Raises:
        SettingsError: It does not exist, or is not a verifier.
    """
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise SettingsError(f'--auth takes "module:attribute", not {excerpt(name)}.')
    try:
        found = getattr(importlib.import_module(module), attribute)
        if callable(found) and (isinstance(found, type) or not hasattr(found, "verify_token")):
            found = found()
    except Exception as error:  # the module may raise any exception, with any text
        logger.debug("--auth %s failed", name, exc_info=True)
        raise SettingsError(f"The verifier {excerpt(name)} cannot be loaded: {type(error).__name__}.") from None
    if not callable(getattr(found, "verify_token", None)):
        raise SettingsError(f"{excerpt(name)} is not a verifier: it has no verify_token(token).")
    verifier: TokenVerifier = found
    return verifier


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
