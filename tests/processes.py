"""States of processes: from ``/proc``, else from ``ps``."""

import contextlib
import subprocess
from pathlib import Path

from tests.waiting import DEADLINE, until, wait_until

_PROC = Path("/proc")


def state_of(pid: int) -> str:
    """The state of a process, such as ``R`` while it computes; empty if there is no such process."""
    if not _PROC.exists():
        return _ps("stat=", pid)[:1]
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    """Whether a process is running; a zombie is not."""
    return state_of(pid) not in {"", "Z", "X"}


def children_of(pid: int) -> list[int]:
    """The child processes of a process."""
    if not _PROC.exists():
        listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
        return [int(child) for child in listed.split()]
    found: list[int] = []
    for thread in (_PROC / str(pid) / "task").glob("*/children"):
        with contextlib.suppress(OSError):  # it has ended
            found.extend(map(int, thread.read_text().split()))
    return found


def descendants_of(pid: int) -> list[int]:
    """The child processes of a process, their child processes, and so on."""
    return [found for child in children_of(pid) for found in (child, *descendants_of(child))]


def command_of(pid: int) -> str:
    """The command line of a process."""
    if not _PROC.exists():
        return _ps("command=", pid)
    return (_PROC / str(pid) / "cmdline").read_text()


def wait_until_computing(pid: int) -> None:
    """Wait until a process computes."""
    wait_until(lambda: state_of(pid) == "R", f"process {pid} computes")


def wait_until_ended(*pids: int, seconds: float = DEADLINE) -> None:
    """Wait until all processes have exited."""
    wait_until(lambda: not any(map(is_running, pids)), f"{pids} end", seconds=seconds)


async def until_ended(*pids: int, seconds: float = DEADLINE) -> None:
    """Do the same without blocking the event loop."""
    await until(lambda: not any(map(is_running, pids)), f"{pids} end", seconds=seconds)


def _ps(column: str, pid: int) -> str:
    return subprocess.run(
        ["ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
