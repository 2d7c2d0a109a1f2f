"""The peers of the comparison, each in a separate environment under ``.bench/`` that is created on first use."""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent / ".bench"
REQUIREMENTS = {"deepset-mcp": ["deepset-mcp==0.1.38", "mcp<2"], "ctxtual": ["ctxtual[mcp]==0.5.0"]}


class PeerMissing(Exception):
    """The peer could not be installed or run; the message says why."""


def peer_figures() -> dict[str, float]:
    """Return the seconds that deepset-mcp takes, by name.

    Raises:
        PeerMissing: It could not be installed or run.
    """
    python = programs_of("deepset-mcp") / "python"
    done = _run([str(python), str(HERE / "peer_script.py")], "run deepset-mcp")
    figures: dict[str, float] = json.loads(done.splitlines()[-1])
    return figures


def programs_of(peer: str) -> Path:
    """Return the folder of a peer's programs, after installing them if needed.

    A marker file is written last, so that an incomplete installation is repeated.

    Raises:
        PeerMissing: It could not be installed.
    """
    environment, requirements = ENVIRONMENTS / peer, REQUIREMENTS[peer]
    python, marker = environment / "bin" / "python", environment / ".ready"
    if not marker.exists() or marker.read_text() != " ".join(requirements):
        print(f"Installing {requirements[0]} into {environment} (once)…", file=sys.stderr)
        _run([sys.executable, "-m", "venv", "--clear", str(environment)], f"create an environment for {peer}")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, *requirements], f"install {peer}")
        marker.write_text(" ".join(requirements))
    return environment / "bin"


def _run(command: list[str], what: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissing(f"Could not {what}: {error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PeerMissing(f"Could not {what}: {last}")
    return done.stdout
