"""A short run of ``make load``."""

import os
import re
import subprocess
from pathlib import Path

from tests.preloaded_python import FOR_CHILDREN, PYTHON

ROOT = Path(__file__).parents[2]


def test_a_short_load_causes_no_errors():
    command = [PYTHON, "-m", "load.run", "--seconds", "2", "--clients", "20"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **FOR_CHILDREN}, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stdout + done.stderr
    figures = dict(re.findall(r"^(.{14})(.*)", done.stdout, re.MULTILINE))
    figures = {name.strip(): value for name, value in figures.items()}
    assert figures["errors"] == "0"
    assert int(figures["calls"].split(",")[0]) >= 20
