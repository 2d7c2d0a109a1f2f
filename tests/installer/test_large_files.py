"""A client's file may contain megabytes of other data: it costs little, and is never shown or changed."""

import json
import sys
from collections.abc import Callable

import pytest

from coatcheck.installer import CLIENTS, ConfigFile, carry_out, plan_install, plan_uninstall
from coatcheck.installer.change_preview import show_changes
from coatcheck.installer.client_registry import parse_config
from coatcheck.installer.config_files import ConfigFileError
from tests.installer.conftest import LAUNCHER


def history(prompts):
    return [{"display": "topsecret " * 5, "cost": 0.25, "pasted": {}, "tags": [1, None, True]}] * prompts


def claude_file(path, *, projects=1, prompts=1, servers=1, indent=2):
    text = json.dumps(
        {
            "projects": {
                f"/home/zoe/p{number}": {"history": history(prompts), "mcpServers": {"m": {"command": "x"}}}
                for number in range(projects)
            },
            "mcpServers": {f"s{number}": {"command": "npx", "args": ["-y", "p"]} for number in range(servers)},
            "last": history(prompts),
        },
        indent=indent,
    )
    path.write_text(text)
    return ConfigFile(CLIENTS["claude-code"], path)


def preview(plan):
    return show_changes(plan.trees, plan.edits, plan.file.client, "file")


def calls(work: Callable[[], object]) -> int:
    """Count function calls, which do not depend on the machine's load."""
    count = 0

    def note(_frame, event, _argument):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def install_and_show(file):
    preview(plan_install(file, LAUNCHER))


def test_other_data_costs_the_same_number_of_calls_at_any_length(tmp_path):
    short = claude_file(tmp_path / "short", prompts=5)
    long = claude_file(tmp_path / "long", prompts=5_000)
    few, many = calls(lambda: install_and_show(short)), calls(lambda: install_and_show(long))
    # Only the scanner calls functions for each number and object.
    assert many - few < 5_000 * 2 * 4 * 8


@pytest.mark.parametrize("grown", ["projects", "servers"])
def test_the_work_grows_no_faster_than_the_file(tmp_path, grown):
    small = claude_file(tmp_path / "small", **{grown: 100})
    large = claude_file(tmp_path / "large", **{grown: 400})
    assert calls(lambda: install_and_show(large)) < 6 * calls(lambda: install_and_show(small))


def test_of_a_file_in_one_line_only_the_surroundings_of_the_change_are_shown(tmp_path):
    file = claude_file(tmp_path / "f", prompts=2_000, indent=None)
    before = file.path.read_bytes()
    plan = plan_install(file, LAUNCHER)
    shown = preview(plan)
    assert "topsecret" not in shown
    assert len(shown) < 8_000
    assert '+…"•••"' in shown
    assert '"wrap", "--", "npx"' in shown
    carry_out(plan)
    carry_out(plan_uninstall(file))
    assert file.path.read_bytes() == before


def test_the_shown_lines_are_numbered_as_in_the_file(tmp_path):
    file = claude_file(tmp_path / "f", prompts=50, servers=3)
    plan = plan_install(file, LAUNCHER, ["s2"])
    lines, shown = plan.before.decode().split("\n"), preview(plan).split("\n")
    header = next(line for line in shown if line.startswith("@@"))
    start, count = map(int, header.split()[1].removeprefix("-").split(","))
    assert [line[1:] for line in shown[3:] if line[0] in " -"] == lines[start - 1 : start - 1 + count]


@pytest.mark.parametrize(
    ("inside", "place"),
    [
        ('{"a": [1, 2,, 3]}', "line 3, column 24"),
        ('{"a": "topsecret}', "line 3, column 18"),
        ('{"a": NaN}', "line 3, column 18"),
        ('{"a": 1 "b": 2}', "line 3, column 20"),
    ],
)
def test_a_fault_outside_the_servers_is_found_with_its_position(tmp_path, inside, place):
    path = tmp_path / "f"
    path.write_text('{"mcpServers": {"a": {"command": "x"}},\n\n  "other": ' + inside + "}")
    with pytest.raises(ConfigFileError, match=place) as caught:
        plan_install(ConfigFile(CLIENTS["cursor"], path), LAUNCHER)
    assert "topsecret" not in str(caught.value)


def test_comments_and_trailing_commas_outside_the_servers_are_read_and_not_shown(tmp_path):
    path = tmp_path / "f"
    text = '{"other": [1, /* qone */ {"a": 2,}, // qtwo\n],\n"mcpServers": {"a": {"command": "x"}}, "last": [/* qthree */]}'
    path.write_text(text)
    file = ConfigFile(CLIENTS["cursor"], path)
    plan = plan_install(file, LAUNCHER)
    shown = preview(plan)
    assert not [word for word in ("qone", "qtwo", "qthree") if word in shown]
    carry_out(plan)
    carry_out(plan_uninstall(file))
    assert path.read_text() == text


def test_numbers_of_any_length_outside_the_servers_are_accepted():
    tree = parse_config('{"n": [' + "9" * 10_000 + '], "mcpServers": {}}', CLIENTS["cursor"])
    assert [member.name for member in tree.root.members] == ["n", "mcpServers"]
