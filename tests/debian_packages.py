"""Programs from Debian's packages, without root: the installed one, else unpacked once into the ignored ``.debian/``."""

import functools
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.installing import InstallFailed, installed_once, run

FOLDER = Path(__file__).parents[1] / ".debian"
SYSTEM_PATHS = ("/usr/sbin", "/usr/local/sbin", "/sbin")
"""Folders of servers, in addition to ``PATH``."""


@dataclass(frozen=True, slots=True)
class Program:
    """An executable program.

    Attributes:
        path: Its path.
        environment: Additional variables that it needs.
        root: The folder of its unpacked package; ``/`` for an installed program.
    """

    path: str
    environment: dict[str, str]
    root: Path = Path("/")


@functools.cache
def debian_program(package: str, path: str) -> Program:
    """Return a program of one of Debian's packages.

    Args:
        package: The package that contains it.
        path: Its path there, such as ``usr/sbin/nginx``.

    Raises:
        InstallFailed: It is not installed, and unpacking its package failed.
    """
    name = Path(path).name
    found = shutil.which(name) or shutil.which(name, path=":".join(SYSTEM_PATHS))
    if found is not None:
        return Program(found, {})
    folder = FOLDER / package
    program = folder / path
    with installed_once(folder, package) as missing:
        if missing:
            try:
                _unpack([package], folder)
                if libraries := _missing_libraries(program):
                    _unpack(_library_packages(folder), folder)
                    if libraries := _missing_libraries(program, _library_path(folder)):
                        raise InstallFailed(f"Its libraries are missing: {', '.join(libraries)}.")  # noqa: TRY301
            except InstallFailed as failed:
                raise InstallFailed(
                    f"These tests need {name}: install it (apt-get install {package}), or let them unpack Debian's "
                    f"package into {folder}, which failed. {failed}"
                ) from None
    library_path = _library_path(folder)
    return Program(str(program), {"LD_LIBRARY_PATH": library_path} if library_path else {}, folder)


def _unpack(packages: Sequence[str], folder: Path) -> None:
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    before = set(downloads.glob("*.deb"))
    try:
        run(["apt-get", "--quiet", "download", *packages], downloads)
    except InstallFailed:
        # The machine's package lists are missing or old; separate new lists need no root.
        run(["apt-get", "--quiet", *_package_list_options(), "update"], downloads)
        run(["apt-get", "--quiet", *_package_list_options(), "download", *packages], downloads)
    for archive in set(downloads.glob("*.deb")) - before:
        run(["dpkg-deb", "--extract", str(archive), str(folder)], downloads)


def _package_list_options() -> list[str]:
    state, cache = FOLDER / "lists", FOLDER / "cache"
    for each in (state, cache):
        (each / "partial").mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::lists={state}", "-o", f"Dir::Cache={cache}"]


def _library_packages(folder: Path) -> list[str]:
    archive = next((folder / "downloads").glob("*.deb"))
    depends = run(["dpkg-deb", "--field", str(archive), "Depends"], folder)
    return re.findall(r"(?:^|, )(lib[a-z0-9.+-]+)", depends)


def _library_path(folder: Path) -> str:
    libraries = (file for file in folder.rglob("*.so*") if re.search(r"\.so(\.\d|$)", file.name))
    return ":".join(sorted({str(library.parent) for library in libraries}))


def _missing_libraries(program: Path, library_path: str = "") -> list[str]:
    output = subprocess.run(
        ["ldd", str(program)], capture_output=True, text=True, check=False, env={"LD_LIBRARY_PATH": library_path}
    ).stdout
    return re.findall(r"(\S+) => not found", output)
