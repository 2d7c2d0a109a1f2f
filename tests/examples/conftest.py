import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.preloaded_python import PYTHON

EXAMPLES = Path(__file__).parents[2] / "examples"
SECONDS = 60


@pytest.fixture
def run():
    """Run an example as its docstring says; return its output."""

    def run_example(*command: str, **environment: str) -> str:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("COATCHECK_", "DEEPSET_"))}
        done = subprocess.run(
            [sys.executable if "pytest" in command else PYTHON, *command],
            cwd=EXAMPLES.parent,
            env=clean | environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    return run_example


@pytest.fixture
def example(monkeypatch):
    """Import an example as a module."""
    imported = []

    def import_example(name: str):
        monkeypatch.syspath_prepend(str(EXAMPLES))
        imported.append(name)
        return __import__(name)

    yield import_example
    for name in imported:
        sys.modules.pop(name, None)
