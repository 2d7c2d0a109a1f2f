"""A backend over fsspec: every object is a file of any file system that fsspec opens.

The package's entry point names `open_backend`; coatcheck calls it when the setting ``object_store_backend`` is
``fsspec``. `coatcheck.testing.BackendContract` runs the tests of coatcheck's own backends.
"""

import hashlib
import struct
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

from fsspec.core import url_to_fs

from coatcheck.backends import Backend
from coatcheck.errors import SettingsError
from coatcheck.settings import Settings

HEAD = struct.Struct(">dI")
"""Every file begins with its expiry, in seconds since the epoch, and the length of its key."""


class FsspecBackend(Backend):
    """Stores objects as files below a URL such as ``file:///var/objects`` or ``s3://bucket/objects``.

    Args:
        url: The URL for the files.
        options: More options of the file system.
    """

    shared = True

    def __init__(self, url: str, **options: Any) -> None:
        self._files, self._root = url_to_fs(url, **options)

    def generate_id(self) -> str:
        """Generate an id that is unique across processes."""
        return f"obj_{uuid.uuid4().hex}"

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Write a file; readers see the old or the new one, never a partial one."""
        expires = time.time() + ttl_seconds if ttl_seconds is not None else float("inf")
        name = key.encode()
        stored = HEAD.pack(expires, len(name)) + name + value
        self._files.makedirs(self._root, exist_ok=True)
        if "file" not in self._files.protocol:
            self._files.pipe_file(self._path(key), stored)  # object stores replace an object as a whole
            return
        new = f"{self._root}/{uuid.uuid4().hex}.new"
        self._files.pipe_file(new, stored)
        self._files.mv(new, self._path(key))

    def get(self, key: str) -> bytes | None:
        """Read a file, unless it has expired."""
        return self._read(key, None)

    def head(self, key: str, n: int) -> bytes | None:
        """Read the beginning of a file, unless it has expired."""
        return self._read(key, n)

    def delete(self, key: str) -> bool:
        """Remove a file; return whether one existed that had not expired."""
        existed = self._read(key, 0) is not None
        try:
            self._files.rm_file(self._path(key))
        except FileNotFoundError:
            return False
        return existed

    def scan(self, prefix: str) -> Iterator[str]:
        """Yield the keys of files that have not expired."""
        try:
            paths = self._files.ls(self._root, detail=False, refresh=True)
        except FileNotFoundError:
            return
        for path in paths:
            if str(path).endswith(".new"):
                continue
            try:
                expires, length = HEAD.unpack(self._files.cat_file(path, end=HEAD.size))
                name = self._files.cat_file(path, start=HEAD.size, end=HEAD.size + length).decode()
            except FileNotFoundError:
                continue  # removed in the meantime
            if expires > time.time() and name.startswith(prefix):
                yield name

    def ping(self) -> None:
        """Check that the URL can be listed."""
        self._files.makedirs(self._root, exist_ok=True)
        self._files.ls(self._root, detail=False)

    def _read(self, key: str, n: int | None) -> bytes | None:
        begin = HEAD.size + len(key.encode())
        try:
            stored = self._files.cat_file(self._path(key), end=None if n is None else begin + n)
        except FileNotFoundError:
            return None
        return stored[begin:] if HEAD.unpack_from(stored)[0] > time.time() else None

    def _path(self, key: str) -> str:
        # A key may contain any character, a file name may not.
        return f"{self._root}/{hashlib.sha256(key.encode()).hexdigest()}"


def open_backend(settings: Settings, exit_stack: AsyncExitStack) -> FsspecBackend:
    """Open the backend for the settings; the exit stack closes its resources.

    Raises:
        SettingsError: The option ``url`` is missing.
    """
    del exit_stack  # fsspec closes its sessions itself
    options = dict(settings.object_store_options)
    if not isinstance(options.get("url"), str):
        raise SettingsError(
            "The fsspec backend needs the option url, for example "
            'COATCHECK_OBJECT_STORE_OPTIONS=\'{"url": "s3://bucket/objects"}\'.'
        )
    return FsspecBackend(**options)
