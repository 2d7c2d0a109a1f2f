import re
from pathlib import Path

from tests.redis_servers import redis_server

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_decorated_tools_keep_results_and_accept_references(run):
    printed = run("examples/decorated_tools.py").splitlines()
    assert re.match(r"explorable: +@obj_001: array of 8,760 items", printed[0])
    assert re.match(r"referenceable: +\{'day': 4, 'hour': 23, 'celsius': 24.1\}", printed[1])
    assert re.match(r"with a path: +\{'day': 0, 'hour': 21, 'celsius': 22.7\}", printed[2])
    assert re.match(r"in a server: +@obj_a: array of 720 items", printed[3])
    assert re.match(r"kept in its turn: @obj_b: array of 73 items", printed[4])
    assert re.match(r'handed on: +\{ "day": 4, "hour": 23, "celsius": 24.1 \}', printed[5])


def test_a_host_s_container_shares_the_store(run):
    printed = run("examples/embed_in_a_container.py").splitlines()
    assert printed == [
        "The service wrote a report; a tool read it by reference: 2025-03",
        "Sold in the whole year, by a jq query: 62000",
    ]


def test_the_tests_that_override_providers_pass(run):
    # With the settings of this project, in which warnings, also of unclosed resources, are errors.
    assert "4 passed" in run("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/override_in_tests.py")


def test_a_reference_is_used_in_another_process_over_a_redis_that_the_example_starts(run):
    assert_two_processes(run("examples/two_processes_over_redis.py"))


def test_a_reference_is_used_in_another_process_over_a_given_redis(run):
    with redis_server() as server:
        assert_two_processes(run("examples/two_processes_over_redis.py", REDIS_URL=server.url))


def assert_two_processes(printed: str) -> None:
    lines = printed.splitlines()
    assert re.match(r"another process made @obj_[\w-]+: array of 5,000 items", lines[0])
    assert lines[1] == f"jq works on it here: {str([tree * 31 % 200 for tree in range(20)]).replace(' ', '')[:40]} …"
    assert lines[2] == f"apples of its last tree: {4999 * 31 % 200}"


def test_every_example_is_short_and_starts_with_how_to_run_it():
    scripts = sorted(EXAMPLES.glob("*.py"))
    assert len(scripts) >= 7
    for script in scripts:
        lines = script.read_text().splitlines()
        assert len(lines) < 80, script.name
        assert [line for line in lines[:8] if script.stem in line], script.name
