"""A backend of another package is found by its name, in all commands and the container."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from coatcheck.testing import BackendContract
from tests.preloaded_python import PYTHON

PACKAGE = Path(__file__).parents[2] / "examples" / "fsspec_backend"


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(PACKAGE))
    import coatcheck_fsspec

    yield coatcheck_fsspec
    sys.modules.pop("coatcheck_fsspec", None)


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path):
    return f"file://{tmp_path}/objects" if request.param == "file" else f"memory://{tmp_path.name}"


class TestFsspecBackend(BackendContract):
    @pytest.fixture
    def backend(self, module, url):
        return module.FsspecBackend(url)


@pytest.fixture
def installed(tmp_path):
    """Install the package into a folder; return the environment variables that make it importable."""
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    site = tmp_path / "site"
    information = site / f"coatcheck_fsspec-{project['version']}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1\n")
    points = [f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in each.items())
              for group, each in project["entry-points"].items()]  # fmt: skip
    (information / "entry_points.txt").write_text("\n".join(points))
    (site / "coatcheck_fsspec.py").write_text((PACKAGE / "coatcheck_fsspec.py").read_text())
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("COATCHECK_", "DEEPSET_"))}
    return clean | {"PYTHONPATH": str(site)}


def run(environment, *command):
    return subprocess.run([PYTHON, *command], env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_commands_accept_the_backend_by_name_with_its_options(installed, tmp_path):
    options = {"COATCHECK_OBJECT_STORE_OPTIONS": json.dumps({"url": f"file://{tmp_path}/objects"})}
    done = run(installed | options, "-m", "coatcheck", "doctor", "--object-store-backend", "fsspec")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "backend   ok  FsspecBackend" in done.stdout


def test_the_unmodified_container_accepts_the_backend_by_name(installed, tmp_path):
    (tmp_path / "settings.toml").write_text(
        f'object_store_backend = "fsspec"\n[object_store_options]\nurl = "file://{tmp_path}/objects"\n'
    )
    script = (
        "from coatcheck import Container\n"
        "first, second = Container(), Container()\n"
        "kept = first.store().put('kept')\n"
        "print(type(first.backend()).__name__, second.store().get(kept), len(second.store().list()), len(kept))\n"
    )
    done = run(installed | {"COATCHECK_CONFIG": str(tmp_path / "settings.toml")}, "-c", script)
    assert (done.stdout, done.stderr) == ("FsspecBackend kept 1 14\n", "")


def test_missing_options_and_unknown_names_are_errors_that_list_the_known_ones(installed):
    done = run(installed, "-m", "coatcheck", "doctor", "--object-store-backend", "fsspec")
    assert done.returncode == 1
    assert "backend   failed  The fsspec backend needs the option url" in done.stdout
    options = {"COATCHECK_OBJECT_STORE_OPTIONS": json.dumps({"url": "nowhere://objects"})}
    done = run(installed | options, "-m", "coatcheck", "doctor", "--object-store-backend", "fsspec")
    assert done.returncode == 1
    assert "The backend fsspec (coatcheck_fsspec:open_backend) cannot be opened: ValueError: " in done.stdout
    assert "Traceback" not in done.stderr
    done = run(installed, "-m", "coatcheck", "doctor", "--object-store-backend", "fspec")
    assert "there is no backend of this name; there are: fsspec, memory, redis, sqlite (did you mean fsspec?)" in (
        done.stdout + done.stderr
    )
