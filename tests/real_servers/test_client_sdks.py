"""The TypeScript and Python SDKs, in both versions, accept short and kept results for every kind of schema."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.preloaded_python import PYTHON
from tests.real_servers import packages
from tests.real_servers.schema_server import TOOLS, large_value
from tests.real_servers.sessions import coatcheck

pytestmark = pytest.mark.npm
HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PATIENCE = 60


def typescript(sdk: str) -> list[str]:
    packages.npm_script(sdk, "package.json")
    return [packages.node(), str(HERE / "typescript_client.mjs"), str(packages.FOLDER / "node_modules"), sdk]


def python_of_the_first_sdk() -> str:
    return str(Path(packages.sqlite_server()).with_name("python"))


@pytest.mark.parametrize(
    "client",
    [
        pytest.param(lambda: typescript("sdk"), id="TypeScript 1"),
        pytest.param(lambda: typescript("client"), id="TypeScript 2"),
        pytest.param(lambda: [python_of_the_first_sdk(), str(HERE / "python_client.py")], id="Python 1"),
        pytest.param(lambda: [PYTHON, str(HERE / "python_client.py")], id="Python 2"),
    ],
)
def test_short_and_kept_results_fit_their_schemas(client: Callable[[], list[str]]) -> None:
    server = coatcheck(PYTHON, "-m", "tests.real_servers.schema_server")
    done = subprocess.run(
        [*client(), *server], cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    assert outcomes.keys() == TOOLS.keys()
    for name, (_, good, _) in TOOLS.items():
        short, kept = outcomes[name]
        assert short == good, name
        assert set(kept) == ({"$stored"} if large_value(name) else set(good)), (name, kept)
