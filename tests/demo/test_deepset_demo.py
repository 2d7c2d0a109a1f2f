import os
import re
import subprocess
from pathlib import Path

from tests.preloaded_python import FOR_CHILDREN, PYTHON

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "deepset_demo.py"


def test_the_deepset_demo_succeeds_with_every_claim_checked():
    environment = {**os.environ, **FOR_CHILDREN}
    done = subprocess.run(
        [PYTHON, str(DEMO)], env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 5 claims hold" in done.stdout
    assert "FAILED" not in done.stdout
    together = re.search(r"together +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+)", done.stdout)
    on_platform, _, seen, _ = (int(figure.replace(",", "")) for figure in together.groups())
    assert seen * 10 < on_platform
    assert "DEPLOYED" in done.stderr
    assert "\x1b" not in done.stdout
