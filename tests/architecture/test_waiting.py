"""Tests wait for events: only the shared functions sleep."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]

SLEEPS = {
    "waiting.py": "the shared functions poll",
    "fault_proxy.py": "simulates the delay of a network",
    "degradation/load.py": "callers pause between calls to limit the load",
    "degradation/test_soak.py": "varies the duration of a fault",
}
"""Files that test a duration itself."""


def sleep_lines(source: str) -> Iterator[int]:
    """The lines that sleep, in the code and in scripts inside its strings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "sleep":
                yield node.lineno
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "sleep(" in node.value:
            yield node.lineno


def test_no_test_sleeps_instead_of_waiting_for_an_event():
    found = {
        f"{path.relative_to(TESTS)}:{line}"
        for path in TESTS.rglob("*.py")
        if path != Path(__file__) and path.relative_to(TESTS).as_posix() not in SLEEPS
        for line in sleep_lines(path.read_text())
    }
    assert not found, "use tests/waiting.py, an event, or tests/virtual_time.py"


def test_every_listed_exception_sleeps():
    assert [name for name in SLEEPS if not list(sleep_lines((TESTS / name).read_text()))] == []


def test_sleeps_are_found_in_code_and_in_scripts():
    assert list(sleep_lines("import time\ntime.sleep(1)\nsleep(0)\nasyncio.sleep(x)\n")) == [2, 3, 4]
    assert list(sleep_lines("script = 'import time; time.sleep(9)'")) == [1]
    assert list(sleep_lines("await anyio.sleep_forever()")) == []
