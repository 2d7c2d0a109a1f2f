"""With which words a client starts coatcheck."""

import shutil
import sys
from pathlib import Path


def find_launcher(*, shared: bool = False) -> tuple[str, ...]:
    """Give the command that starts this coatcheck.

    Clients with a window know nothing of a shell's PATH, so the path is a whole one; in a file that belongs to a
    project it is the bare name, which means something on other machines too.
    """
    if shared:
        return ("coatcheck",)
    called = Path(sys.argv[0]).absolute()
    beside = Path(sys.executable).with_name("coatcheck" + (".exe" if sys.platform == "win32" else ""))
    script = called if called.stem == "coatcheck" and called.is_file() else beside
    if _is_fleeting(script):
        return (shutil.which("uvx") or "uvx", "coatcheck")
    if script.is_file():
        return (str(script),)
    return (sys.executable, "-m", "coatcheck")


def _is_fleeting(script: Path) -> bool:
    """Whether a path is in the cache of uvx, from which it may vanish."""
    return any(part.startswith("archive-v") for part in script.parts) and "uv" in script.parts
