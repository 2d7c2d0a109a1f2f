"""Run the official conformance suite against the SDK's server, directly and behind coatcheck.

    python -m conformance.run            compare with baseline.json; the exit code is 1 if anything differs
    python -m conformance.run --update   write baseline.json

The baseline contains the passed and failed checks of each scenario for the server alone, and the scenarios that differ
behind coatcheck. A scenario that no longer runs is a difference too.
"""

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.ports import free_port
from tests.real_servers import packages
from tests.real_servers.serving import serving

HERE = Path(__file__).parent
BASELINE = HERE / "baseline.json"
NODE = 22
SUITE_SECONDS = 300.0
SUITES: dict[str, list[str]] = {
    "2025-11-25": ["--spec-version", "2025-11-25"],
    "2025-11-25 all": ["--spec-version", "2025-11-25", "--suite", "all"],
    "2026-07-28 all": ["--spec-version", "2026-07-28", "--suite", "all"],
}
DIRECT = "direct"
CONNECTIONS = (DIRECT, "in front of a URL", "in front of a command")

Checks = dict[str, tuple[int, int]]
"""Passed and failed checks by scenario."""

_LINE = re.compile(r"^[✓✗] (\S+): (\d+) passed, (\d+) failed", re.MULTILINE)


class SuiteFailed(Exception):
    """The suite did not run; the message ends with its output."""


def main() -> int:
    """Run the selected suites, print the scores, and return 1 if they differ from the baseline."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the baseline instead of comparing with it")
    parser.add_argument("--connection", action="append", choices=CONNECTIONS, help="only this connection; repeatable")
    parser.add_argument("--suite", action="append", choices=list(SUITES), help="only this suite; repeatable")
    options = parser.parse_args()
    connections, suites = options.connection or list(CONNECTIONS), options.suite or list(SUITES)
    scores: dict[str, dict[str, Checks]] = {}
    for connection in connections:
        scores[connection] = measure(connection, suites)
        for suite, checks in scores[connection].items():
            print(f"{connection:<22} {suite:<15} {total(checks)}", flush=True)
    if options.update:
        if set(connections) != set(CONNECTIONS) or set(suites) != set(SUITES):
            parser.error("a baseline needs all connections and suites")
        written = json.dumps(_only_differences(scores), indent=1)
        BASELINE.write_text(re.sub(r"\[\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2]", written) + "\n")
        return 0
    differing = differences(scores, json.loads(BASELINE.read_text()))
    print("\n".join(differing) or "Same as the baseline.")
    return 1 if differing else 0


def total(checks: Checks) -> str:
    """Return the score as one line."""
    passed, failed = (sum(check[side] for check in checks.values()) for side in (0, 1))
    return f"{passed} of {passed + failed} checks in {len(checks)} scenarios"


def _only_differences(scores: dict[str, dict[str, Checks]]) -> dict[str, dict[str, Checks]]:
    direct = scores[DIRECT]
    return {
        connection: {
            suite: {
                name: check
                for name, check in checks.items()
                if connection == DIRECT or check != direct[suite].get(name)
            }
            for suite, checks in suites.items()
        }
        for connection, suites in scores.items()
    }


def differences(scores: dict[str, dict[str, Checks]], baseline: dict[str, dict[str, Checks]]) -> list[str]:
    """Return where the scores differ from the baseline."""
    differing = []
    for connection, suites in scores.items():
        for suite, checks in suites.items():
            expected = {**baseline[DIRECT][suite], **baseline[connection].get(suite, {})}
            for scenario in sorted(checks.keys() | expected.keys()):
                now, then = (found.get(scenario, (0, 0)) for found in (checks, expected))
                if tuple(now) != tuple(then):
                    differing.append(
                        f"{connection}, {suite}, {scenario}: {now[0]} passed, {now[1]} failed; not {then[0]}, {then[1]}"
                    )
    return differing


def measure(connection: str, suites: Sequence[str]) -> dict[str, Checks]:
    """Return the checks of each suite for a kind of connection; every suite gets a new server."""
    return {suite: _measure(connection, SUITES[suite]) for suite in suites}


def _measure(connection: str, options: Sequence[str]) -> Checks:
    with contextlib.ExitStack() as stack:
        source = packages.everything_of_the_sdk()
        port = free_port()
        wrap = [sys.executable, "-m", "coatcheck", "wrap", "--transport", "streamable-http", "--port", str(port)]
        if connection == CONNECTIONS[2]:
            stack.enter_context(serving([*wrap, "--", *packages.everything_of_the_sdk_over_stdio()], port))
        else:
            served = port if connection == DIRECT else free_port()
            command = [sys.executable, "-m", "mcp_everything_server", "--port", str(served)]
            stack.enter_context(serving(command, served, folder=source))
            if connection != DIRECT:
                stack.enter_context(serving([*wrap, "--url", f"http://127.0.0.1:{served}/mcp"], port))
        return run_suite(port, options)


def run_suite(port: int, options: Sequence[str]) -> Checks:
    """Run the suite against the server on a local port."""
    program = [packages.node(NODE), packages.npm_script("conformance")]
    with tempfile.TemporaryDirectory() as results:
        done = subprocess.run(
            [*program, "server", "--url", f"http://localhost:{port}/mcp", *options],
            capture_output=True,
            text=True,
            timeout=SUITE_SECONDS,
            check=False,
            cwd=results,
        )
    checks = {name: (int(passed), int(failed)) for name, passed, failed in _LINE.findall(done.stdout)}
    if not checks:
        raise SuiteFailed(f"The suite ran no checks:\n{(done.stderr or done.stdout)[-2_000:]}")
    return checks


if __name__ == "__main__":
    sys.exit(main())
