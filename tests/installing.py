"""What tests install for themselves goes into ignored folders of the repository, once, by whichever process comes first."""

import fcntl
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

INSTALL_SECONDS = 600.0


class InstallFailed(Exception):
    """A package could not be installed; the message holds the end of what the installer said."""


@contextmanager
def made_once(folder: Path, content: str) -> Iterator[bool]:
    """Say whether ``folder`` has to be made, and keep others from making it at the same moment.

    A mark beside it names what was installed and is written last, so a broken or outdated folder is made again.
    """
    folder.parent.mkdir(exist_ok=True)
    mark = folder.with_name(f"{folder.name}.ready")
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not folder.exists() or not mark.exists() or mark.read_text() != content
        if missing:
            mark.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        yield missing
        if missing:
            mark.write_text(content)


def run(command: Sequence[str], folder: Path) -> str:
    """Run an installer in a folder, and give what it wrote to stdout.

    Raises:
        InstallFailed: It is not there, or it failed.
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
