"""Signed tokens (JWT) of an identity provider, verified with its published keys (JWKS)."""

import json
import logging
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import anyio
import anyio.to_thread
import jwt
from mcp.server.auth.provider import AccessToken

from coatcheck.errors import CoatcheckError, SettingsError, excerpt
from coatcheck.user_folders import read_user_file

logger = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Accepted signature algorithms: public-key ones only, so that published keys cannot sign; never ``none``."""

_BY_TYPE = {"RSA": ALGORITHMS[:6], "EC": ALGORITHMS[6:9], "OKP": ALGORITHMS[9:]}
_PRIVATE_PARTS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

REQUIRED_CLAIMS = ("exp", "iss", "aud")
LEEWAY = 10.0
"""Seconds of clock skew that are tolerated."""

LONGEST_TOKEN = 16_384
KEYS_KEPT = 600.0
"""Seconds after which keys are fetched again."""

FETCH_AGAIN_AFTER = 30.0
"""Minimum seconds between two fetches: tokens with unknown keys must not trigger a request at every call."""

FETCH_TIMEOUT = 5.0
LARGEST_KEYS = 1024 * 1024
"""Maximum bytes of a key set."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and the algorithms that it may be used with."""

    key: Any
    algorithms: tuple[str, ...]


Keys = dict[str | None, Key]


class KeysUnavailable(CoatcheckError):
    """The keys are unavailable."""


class KeySource:
    """The keys of an identity provider, from a file or URL, read at first use and cached.

    ``read`` may block; ``name`` is without secrets.
    """

    def __init__(self, read: Callable[[], bytes], name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._read = read
        self._clock = clock
        self._keys: Keys = {}
        self._tried: float | None = None
        self._read_at: float | None = None
        self._lock = anyio.Lock()

    async def key(self, key_id: str | None) -> Key | None:
        """Find a key by its id; a token without an id may use the only key."""
        if key_id not in self._keys or self._is_old():
            async with self._lock:
                if self._may_fetch(key_id):
                    await self._fetch()
        if key_id is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(key_id)

    def load(self) -> None:
        """Read the keys now; raises ``KeysUnavailable`` if they cannot be read or are invalid."""
        self._tried = self._clock()
        self._keys = _parse(self._read(), self.name)
        self._read_at = self._clock()

    def _is_old(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at > KEYS_KEPT

    def _may_fetch(self, key_id: str | None) -> bool:
        # Checked again under the lock: another caller may have fetched the keys meanwhile.
        is_needed = key_id not in self._keys or self._is_old()
        return is_needed and (self._tried is None or self._clock() - self._tried >= FETCH_AGAIN_AFTER)

    async def _fetch(self) -> None:
        try:
            await anyio.to_thread.run_sync(self.load)
        except KeysUnavailable as error:
            # The previous keys stay valid until new ones are available.
            logger.warning("%s", error)


class JwtVerifier:
    """Verifies signed tokens: signature, expiry, issuer and audience."""

    def __init__(self, keys: KeySource, *, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience

    def __repr__(self) -> str:
        return f"JwtVerifier(keys={self._keys.name!r}, issuer={self._issuer!r}, audience={self._audience!r})"

    @classmethod
    def open(cls, keys: str, *, issuer: str, audience: str) -> "JwtVerifier":
        """Create one with the keys in a file, which is read at once, or behind a URL, which is fetched when needed.

        Raises:
            SettingsError: The URL is not safe, or the file has no keys.
        """
        if "://" in keys:
            return cls(_from_url(keys), issuer=issuer, audience=audience)
        source = KeySource(lambda: _read_file(Path(keys)), str(keys))
        try:
            source.load()
        except KeysUnavailable as error:
            raise SettingsError(str(error)) from None
        return cls(source, issuer=issuer, audience=audience)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Identify the user of a token; ``None`` if it is invalid in any way."""
        try:
            claims = await self._claims(token)
            return None if claims is None else _access_token(token, claims)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            logger.info("A token was refused: %s.", type(error).__name__)
            return None

    async def _claims(self, token: str) -> dict[str, Any] | None:
        if len(token) > LONGEST_TOKEN:
            return None
        header = jwt.get_unverified_header(token)
        key_id, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in ALGORITHMS or not isinstance(key_id, str | None):
            logger.info("A token was refused: its algorithm is not one of those accepted.")
            return None
        key = await self._keys.key(key_id)
        if key is None:
            logger.info("A token was refused: its key is not among those of the issuer.")
            return None
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=key.algorithms,
            issuer=self._issuer,
            audience=self._audience,
            leeway=LEEWAY,
            options={"require": list(REQUIRED_CLAIMS)},
        )
        return claims


def _access_token(token: str, claims: dict[str, Any]) -> AccessToken:
    client = claims.get("client_id", claims.get("azp"))
    subject, scope = claims.get("sub"), claims.get("scope", claims.get("scp"))
    scopes = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else []
    return AccessToken(
        token=token,
        client_id=client if isinstance(client, str) else "",
        scopes=[each for each in scopes if isinstance(each, str)],
        # The SDK compares this with its clock again, without leeway.
        expires_at=int(claims["exp"] + LEEWAY),
        # An empty subject names no user: the token then distinguishes its bearer.
        subject=subject if isinstance(subject, str) and subject else None,
        claims=claims,
    )


def _parse(text: bytes, name: str) -> Keys:
    try:
        listed = json.loads(text)["keys"]
        keys = {facts.get("kid"): key for facts in listed if (key := _key(facts)) is not None}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise KeysUnavailable(f"The keys in {name} cannot be used: it is not a JSON Web Key Set.") from None
    if not keys:
        raise KeysUnavailable(f"The keys in {name} cannot be used: there is no public key for signatures among them.")
    return keys


def _key(facts: dict[str, Any]) -> Key | None:
    """Read one key; ``None`` for an unsupported type or use."""
    algorithm = facts.get("alg")
    if facts.get("use", "sig") != "sig" or facts.get("kty") not in _BY_TYPE or algorithm not in {None, *ALGORITHMS}:
        return None
    try:
        public = jwt.PyJWK({name: value for name, value in facts.items() if name not in _PRIVATE_PARTS}).key
    except jwt.PyJWTError:
        return None
    return Key(public, (algorithm,) if algorithm else _BY_TYPE[facts["kty"]])


def _read_file(path: Path) -> bytes:
    try:
        return read_user_file(path, LARGEST_KEYS, unsafe=stat.S_IWOTH)
    except OSError as error:
        raise KeysUnavailable(f"The keys in {path} cannot be read: {error.strerror}.") from None


def _from_url(url: str) -> KeySource:
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = urlunsplit((parts.scheme, host + (f":{parts.port}" if parts.port else ""), parts.path, "", ""))
    if parts.scheme != "https" and not (parts.scheme == "http" and host in {"localhost", "127.0.0.1", "::1"}):
        raise SettingsError(
            f"--auth-jwks {excerpt(shown)}: keys are fetched by https:// alone, or a machine in between could put "
            "keys of its own there (http:// is for this machine only)."
        )
    return KeySource(lambda: _fetch_url(url, shown), shown)


class _NoRedirects(HTTPRedirectHandler):
    """A redirect could lead to an address without TLS, or into the operator's own network."""

    def redirect_request(self, *_: Any, **__: Any) -> Request | None:
        return None


def _fetch_url(url: str, shown: str) -> bytes:
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - the scheme was checked
    try:
        with build_opener(_NoRedirects).open(request, timeout=FETCH_TIMEOUT) as answer:
            text: bytes = answer.read(LARGEST_KEYS + 1)
    except HTTPError as error:
        error.close()
        raise KeysUnavailable(f"The keys at {shown} cannot be fetched: the answer is {error.code}.") from None
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise KeysUnavailable(f"The keys at {shown} cannot be fetched: {type(error).__name__}.") from None
    if len(text) > LARGEST_KEYS:
        raise KeysUnavailable(f"The keys at {shown} cannot be used: the answer is larger than {LARGEST_KEYS:,} bytes.")
    return text
