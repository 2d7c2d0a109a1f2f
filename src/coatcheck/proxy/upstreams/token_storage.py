"""Stores tokens of OAuth sign-ins in the system's keyring, or in a file that only its owner can read."""

import fcntl
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from coatcheck.errors import UpstreamError
from coatcheck.user_folders import make_private_folder

_SERVICE = "coatcheck"
_LEAST_PRIORITY = 1
"""Keyrings of lower priority are placeholders or unprotected files."""


@dataclass(slots=True)
class SignIn:
    """A sign-in at one server, with the data that the OAuth client needs after a restart."""

    url: str  # the server's URL
    tokens: dict[str, Any] | None = None  # access and refresh token, as returned by the token endpoint
    expires_at: float | None = None  # when the access token expires, in seconds since the epoch; `None` if unknown
    client: dict[str, Any] | None = None  # our registration at the authorization server
    server_metadata: dict[str, Any] | None = None  # metadata of the authorization server (RFC 8414)
    resource_metadata: dict[str, Any] | None = None  # metadata of the server (RFC 9728)

    def __repr__(self) -> str:
        """Show no token."""
        return f"SignIn({self.url!r})"

    @property
    def access_token(self) -> str | None:
        """The access token, if there is one."""
        token = self.tokens.get("access_token") if self.tokens else None
        return token if isinstance(token, str) else None

    @property
    def can_refresh(self) -> bool:
        """Whether there is a refresh token."""
        return bool(self.tokens and self.tokens.get("refresh_token") and self.client)

    @property
    def expired(self) -> bool:
        """Whether the access token has expired, or will shortly."""
        return self.expires_at is not None and time.time() > self.expires_at - 10


class TokenStorage:
    """Stores each sign-in in a file with mode 0600; the secrets are in the keyring if there is one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, url: str) -> SignIn:
        """Return the sign-in at a server; an empty one if there is none."""
        try:
            stored = json.loads(self._path(url).read_text("utf-8"))
        except (OSError, ValueError):
            return SignIn(url)
        if isinstance(stored, dict) and stored.get("keyring"):
            stored = _from_keyring(url)
        return _sign_in(url, stored)

    def save(self, sign_in: SignIn) -> None:
        """Store a sign-in.

        Raises:
            UpstreamError: It cannot be written.
        """
        written = json.dumps(asdict(sign_in))
        if _to_keyring(sign_in.url, written):
            written = json.dumps({"url": sign_in.url, "keyring": True})
        try:
            self._write(self._path(sign_in.url), written)
        except OSError as error:
            raise UpstreamError(f"The sign-in cannot be kept in {self._folder}: {error.strerror}.") from None

    def delete(self, url: str) -> bool:
        """Delete the sign-in at a server; return whether there was one."""
        _drop_from_keyring(url)
        try:
            self._path(url).unlink()
        except FileNotFoundError:
            return False
        return True

    def all(self) -> list[SignIn]:
        """Return all sign-ins, by URL."""
        urls: list[str] = []
        for path in self._folder.glob("*.json"):
            with suppress(OSError, ValueError):
                stored = json.loads(path.read_text("utf-8"))
                if isinstance(stored, dict) and isinstance(stored.get("url"), str):
                    urls.append(stored["url"])
        return [self.load(url) for url in sorted(urls)]

    @contextmanager
    def lock(self, url: str) -> Iterator[bool]:
        """Try to acquire the lock for signing in at a server; return whether it was acquired."""
        self._make_folder()
        with self._path(url).with_suffix(".lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _path(self, url: str) -> Path:
        return self._folder / f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.json"

    def _make_folder(self) -> None:
        make_private_folder(self._folder)

    def _write(self, path: Path, text: str) -> None:
        self._make_folder()
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=self._folder)  # has mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).replace(path)
        except OSError:
            with suppress(OSError):
                Path(temporary).unlink()
            raise


def _sign_in(url: str, stored: Any) -> SignIn:
    """Parse a stored sign-in; malformed parts count as missing."""
    if not isinstance(stored, dict):
        return SignIn(url)
    known = {field.name for field in fields(SignIn)} - {"url", "expires_at"}
    values = {name: value for name, value in stored.items() if name in known and isinstance(value, dict)}
    expires = stored.get("expires_at")
    return SignIn(url, expires_at=expires if isinstance(expires, (int, float)) else None, **values)


def _keyring() -> Any:
    """Return the system's keyring, or ``None`` if there is none that protects its secrets."""
    try:
        import keyring
    except ImportError:
        return None
    try:
        found = keyring.get_keyring()
        usable = found.priority >= _LEAST_PRIORITY
    except Exception:  # noqa: BLE001  # backends of others raise what they like
        return None
    return found if usable else None


def _from_keyring(url: str) -> Any:
    backend = _keyring()
    if backend is None:
        return None
    try:
        return json.loads(backend.get_password(_SERVICE, url) or "null")
    except Exception:  # noqa: BLE001  # as above
        return None


def _to_keyring(url: str, written: str) -> bool:
    backend = _keyring()
    if backend is None:
        return False
    try:
        backend.set_password(_SERVICE, url, written)
        return bool(backend.get_password(_SERVICE, url) == written)
    except Exception:  # noqa: BLE001  # as above: the file is used then
        return False


def _drop_from_keyring(url: str) -> None:
    backend = _keyring()
    if backend is not None:
        with suppress(Exception):
            backend.delete_password(_SERVICE, url)
