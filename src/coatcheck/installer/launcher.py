"""The command with which a client starts coatcheck."""

import json
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from coatcheck.errors import SettingsError


def find_launcher(*, in_project: bool = False) -> tuple[str, ...]:
    """Return the command that starts this coatcheck.

    Desktop clients do not know a shell's PATH, so the path is absolute. In a project's file it is the bare name, which
    works on other machines too. If coatcheck runs from the cache of ``uvx`` or ``pipx run``, which may be emptied at
    any time, the command is that program with the package's name.

    Raises:
        SettingsError: coatcheck runs from such a cache, and the program is not found.
    """
    if in_project:
        return ("coatcheck",)
    called = Path(sys.argv[0]).absolute()
    beside = Path(sys.executable).with_name("coatcheck" + (".exe" if sys.platform == "win32" else ""))
    script = called if called.stem == "coatcheck" and called.is_file() else beside
    runner = _cache_of(script) or _cache_of(Path(sys.prefix))
    if runner is not None:
        return _from_cache(runner)
    if script.is_file():
        return (str(script),)
    return (sys.executable, "-m", "coatcheck")


def _cache_of(path: Path) -> str | None:
    """Name the program whose cache a path is in: ``uvx``, ``pipx``, or none."""
    parts = path.absolute().parts
    if any(part.startswith(("archive-v", "environments-v", "builds-v")) for part in parts):
        return "uvx"
    if "pipx" in parts and (".cache" in parts or "cache" in parts):
        return "pipx"
    marked = any((folder / "CACHEDIR.TAG").is_file() for folder in path.absolute().parents)
    return "uvx" if marked else None


def _from_cache(runner: str) -> tuple[str, ...]:
    program = shutil.which(runner)
    if program is None:
        raise SettingsError(
            f"coatcheck runs from a cache that {runner} may empty, and {runner} is not in the PATH, so that clients "
            "could not start it. Install it first: uv tool install coatcheck, or pipx install coatcheck."
        )
    source = _source()
    if runner == "pipx":
        return (program, "run", *(() if source == "coatcheck" else ("--spec", source)), "coatcheck")
    return (program, *(() if source == "coatcheck" else ("--from", source)), "coatcheck")


def _source() -> str:
    """Return the requirement of the installed package, with the extras whose packages are installed."""
    extras = [extra for extra, module in (("redis", "redis"), ("metrics", "prometheus_client")) if find_spec(module)]
    name = f"coatcheck[{','.join(extras)}]" if extras else "coatcheck"
    url = _direct_url()
    return f"{name} @ {url}" if url else name


def _direct_url() -> str | None:
    """Return the address that the package was installed from, if it was not a registry (direct_url.json)."""
    try:
        text = distribution("coatcheck").read_text("direct_url.json")
        found = json.loads(text) if text else {}
    except (PackageNotFoundError, ValueError):
        return None
    url, vcs = found.get("url"), found.get("vcs_info")
    return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if url and isinstance(vcs, dict) else url
