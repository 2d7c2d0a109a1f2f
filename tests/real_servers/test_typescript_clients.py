"""Both SDKs in TypeScript compile every widened output schema and find short and kept results in order."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real_servers import packages
from tests.real_servers.schema_server import TOOLS, large_value
from tests.real_servers.sessions import coatcheck

pytestmark = pytest.mark.npm
HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PATIENCE = 60


@pytest.mark.parametrize("sdk", ["sdk", "client"])
def test_short_and_kept_results_fit_their_schemas(sdk: str) -> None:
    packages.npm_script(sdk, "package.json")
    server = coatcheck(sys.executable, "-m", "tests.real_servers.schema_server")
    command = [packages.node(), str(HERE / "typescript_client.mjs"), str(packages.FOLDER / "node_modules"), sdk]
    done = subprocess.run(
        [*command, *server], cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert outcomes.keys() == TOOLS.keys()
    for name, (_, good, _) in TOOLS.items():
        short, kept = outcomes[name]
        assert short == good, name
        assert set(kept) == ({"$stored"} if large_value(name) else set(good)), (name, kept)
