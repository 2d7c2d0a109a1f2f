"""Attacks on the sandbox, which must produce a clear error without affecting other callers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from coatcheck.errors import (
    ArgumentRejected,
    CoatcheckError,
    FilterError,
    PatternError,
    SandboxMemoryExceeded,
    SandboxOutputExceeded,
    SandboxTimeout,
)
from coatcheck.explorer.sandbox import Sandbox

ALMOST = "a" * 40 + "!"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LIMITS = (SandboxTimeout, SandboxMemoryExceeded, SandboxOutputExceeded)

HOSTILE = [
    pytest.param("search", ALMOST, {"pattern": "(a+)+$"}, LIMITS, id="nested-repetition"),
    pytest.param("search", "a" * 3000, {"pattern": ".*.*.*.*X"}, LIMITS, id="many-stars"),
    pytest.param("search", "a" * 60 + "b" * 30, {"pattern": "(.*a){12}$"}, LIMITS, id="counted-stars"),
    pytest.param("search", "x" * 60, {"pattern": "(x+x+)+y"}, LIMITS, id="nested-pairs"),
    pytest.param("replace", ALMOST, {"pattern": "(a+)+$", "replacement": ""}, LIMITS, id="replacement"),
    *(
        pytest.param(
            "replace",
            text,
            {"pattern": pattern, "replacement": ""},
            LIMITS,
            id=f"replace-{name}",
            marks=pytest.mark.long,
        )
        for name, text, pattern in (
            ("many-stars", "a" * 3000, ".*.*.*.*X"),
            ("counted-stars", "a" * 60 + "b" * 30, "(.*a){12}$"),
            ("nested-pairs", "x" * 60, "(x+x+)+y"),
        )
    ),
    pytest.param("replace", "a" * 5000, {"pattern": "", "replacement": "y" * 900_000}, LIMITS, id="growing-text"),
    pytest.param("query", 1, {"filter": "[range(1e9)]"}, LIMITS, id="range"),
    pytest.param("query", 1, {"filter": "def f: f; f"}, LIMITS, id="recursion"),
    pytest.param("query", 1, {"filter": '"x"*1000000000'}, LIMITS, id="long-string"),
    pytest.param("query", 1, {"filter": "[limit(1000000000; repeat(1))]"}, LIMITS, id="repeat"),
    pytest.param("query", 1, {"filter": "repeat(1)"}, LIMITS, id="endless-outputs"),
    pytest.param("query", 1, {"filter": "last(range(1e12))"}, LIMITS, id="endless-work"),
    pytest.param("query", 1, {"filter": "$ENV"}, FilterError, id="environment-variable"),
    pytest.param("query", 1, {"filter": "env"}, FilterError, id="environment"),
    pytest.param("query", 1, {"filter": 'import "x" as $d {search:"/etc"}; $d'}, FilterError, id="import"),
    pytest.param("query", 1, {"filter": "[" * 100_000}, FilterError, id="deep-filter"),
    pytest.param("query", 1, {"filter": ".", "path": "[" * 3000}, CoatcheckError, id="deep-path"),
    pytest.param("query", "[" * 100_000 + "]" * 100_000, {"filter": ".[0]"}, FilterError, id="deep-text"),
    pytest.param("search", "x", {"pattern": "(" * 100_000}, PatternError, id="deep-pattern"),
    pytest.param("search", "x", {"pattern": "(?:a{1000}){1000}{999999999999}"}, PatternError, id="large-repeat"),
    pytest.param("query", BOMB, {"filter": "."}, ArgumentRejected, id="yaml-bomb"),
    pytest.param("show", BOMB, {"path": "i[0]"}, ArgumentRejected, id="yaml-bomb-by-path"),
]


@pytest.fixture(scope="module")
def sandboxes():
    """Two sandboxes for all tests: one with a short time limit for what reaches it, one for all other input."""
    opened = Sandbox(timeout=0.5), Sandbox(timeout=30)
    yield opened
    for each in opened:
        each.close()


@pytest.fixture
def sandbox(sandboxes, request):
    """The sandbox of a test; a busy machine is slow, so only the tests of limits have a short time limit."""
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    return sandboxes[0] if parameters.get("expected") in (LIMITS, SandboxTimeout) else sandboxes[1]


@pytest.mark.parametrize(("operation", "value", "args", "expected"), HOSTILE)
def test_hostile_input_is_refused_while_another_namespace_is_served(ask, operation, value, args, expected):
    for namespace in ("mallory", "alice"):  # with different workers
        ask("query", {"a": 1}, namespace=namespace, filter=".a")
    over = threading.Event()

    def attack():
        try:
            with pytest.raises(expected) as raised:
                ask(operation, value, **args)
            return str(raised.value)
        finally:
            over.set()

    with ThreadPoolExecutor() as threads:
        attacking = threads.submit(attack)
        served_meanwhile = 0
        while not over.wait(0.02):
            assert ask("query", {"a": 1}, namespace="alice", filter=".a").text == "1"
            served_meanwhile += not over.is_set()
        message = attacking.result()

    assert served_meanwhile or "Stopped after" not in message
    assert 20 < len(message) < 700
    assert "Traceback" not in message
    assert ask("search", "needle", namespace="mallory", pattern="need").facts["matches"] == 1


@pytest.mark.parametrize("expected", [SandboxTimeout])
def test_the_answer_to_a_timeout_names_the_limit_and_what_to_do(ask, expected):
    with pytest.raises(expected, match=r"0\.5 s.*simpler pattern"):
        ask("search", ALMOST, pattern="(a+)+$")


def test_a_document_nested_a_hundred_thousand_levels_deep_is_shown_and_searched_as_text(ask):
    deep = "[" * 100_000 + "]" * 100_000

    assert len(ask("show", deep).text) <= 1000
    assert ask("search", deep, pattern=r"\[\]").facts["matches"] == 1
