"""A custom backend: every object is a file in a folder, and survives the process.

    python examples/custom_backend.py FOLDER

A backend needs only four methods. `coatcheck.testing.BackendContract` runs the tests of coatcheck's own backends.
"""

import hashlib
import struct
import sys
import time
import uuid
from pathlib import Path

from coatcheck.containers import Container
from coatcheck.settings import Settings

EXPIRY = struct.Struct(">d")  # every file begins with the time at which it expires, in seconds since the epoch


class FolderBackend:
    """Stores objects as files in ``folder``, which processes of one machine may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def generate_id(self) -> str:
        """Generate an id that is unique across processes."""
        return f"obj_{uuid.uuid4().hex}"

    def set(self, key: str, value: bytes, ttl_seconds: float | None) -> None:
        """Write a file; readers see the old or the new one, never a partial one."""
        expires = time.time() + ttl_seconds if ttl_seconds is not None else float("inf")
        new = self._folder / f"{uuid.uuid4().hex}.new"
        new.write_bytes(EXPIRY.pack(expires) + value)
        new.replace(self._file(key))

    def get(self, key: str) -> bytes | None:
        """Read a file, unless it has expired."""
        try:
            stored = self._file(key).read_bytes()
        except FileNotFoundError:
            return None
        return stored[EXPIRY.size :] if EXPIRY.unpack_from(stored)[0] > time.time() else None

    def delete(self, key: str) -> bool:
        """Remove a file; return whether one existed that had not expired."""
        existed = self.get(key) is not None
        self._file(key).unlink(missing_ok=True)
        return existed

    def _file(self, key: str) -> Path:
        # A key may contain any character, a file name may not.
        return self._folder / hashlib.sha256(key.encode()).hexdigest()


def main(folder: Path) -> None:
    """Store a value, and read it with another container, as another process would."""
    first = Container(settings=Settings(), backend=FolderBackend(folder))
    object_id = first.store().put({"fruit": ["apple", "quince"], "kept": True})
    print("kept in a file:", *(file.name[:12] + "…" for file in folder.iterdir()))
    second = Container(settings=Settings(), backend=FolderBackend(folder))
    print("found again:   ", second.explorer().explore(object_id, "fruit[1]"))


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  # the script and the folder
        sys.exit("Usage: python examples/custom_backend.py FOLDER")
    main(Path(sys.argv[1]))
