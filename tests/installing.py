"""Installs packages for tests into ignored folders of the repository, once, in the first process that needs them."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

INSTALL_SECONDS = 600.0


class InstallFailed(Exception):
    """A package could not be installed; the message ends with the installer's output."""


@contextmanager
def installed_once(folder: Path, content: str) -> Iterator[bool]:
    """Yield whether ``folder`` must be created, under a lock against other processes.

    A marker file names the content and is written last, so that an incomplete or outdated folder is created again.
    """
    folder.parent.mkdir(exist_ok=True)
    marker = folder.with_name(f"{folder.name}.ready")
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not folder.exists() or not marker.exists() or marker.read_text() != content
        if missing:
            marker.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        yield missing
        if missing:
            marker.write_text(content)


def run(command: Sequence[str], folder: Path) -> str:
    """Run an installer in a folder and return its stdout.

    Raises:
        InstallFailed: It is missing, or it failed.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, cwd=folder)
    except FileNotFoundError:
        raise InstallFailed(f"There is no {command[0]} on this machine.") from None
    if done.returncode:
        raise InstallFailed(
            f"{' '.join(command)} ended with {done.returncode}:\n{(done.stderr or done.stdout)[-2_000:]}"
        )
    return done.stdout
