"""deepset-mcp in an environment of its own under ``.bench/``, made when it is first needed."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / ".bench" / "deepset-mcp"
REQUIREMENTS = ["deepset-mcp==0.1.38", "mcp<2"]
NAME = "deepset-mcp 0.1.38"


class PeerMissing(Exception):
    """The peer could not be installed or run; the message says why."""


def peer_figures() -> dict[str, float]:
    """Give the seconds that the peer takes, by name.

    Raises:
        PeerMissing: It could not be installed or run.
    """
    done = _run([str(_environment()), str(HERE / "peer_script.py")], "run")
    figures: dict[str, float] = json.loads(done.splitlines()[-1])
    return figures


def _environment() -> Path:
    """Give the environment's Python; the mark is made last, so that a broken installation is made again."""
    python, mark = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".ready"
    if not mark.exists():
        print(f"Installing {NAME} into {ENVIRONMENT} (once)…", file=sys.stderr)
        _run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], "make an environment for")
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS], "install")
        mark.touch()
    return python


def _run(command: list[str], what: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(f"Could not {what} {NAME}: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PeerMissing(f"Could not {what} {NAME}: {last}")
    return done.stdout
