"""Effects of the options of `wrap` before the first message."""

import os
import subprocess

import pytest

from tests.preloaded_python import PYTHON

WRAP = [PYTHON, "-m", "coatcheck", "wrap"]


def wrap(*arguments, **variables):
    return subprocess.run(
        [*WRAP, *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env={**os.environ, **variables},
    )  # fmt: skip


def test_the_command_receives_its_variables_and_working_directory(tmp_path):
    out = tmp_path / "out"
    script = f'printf "%s|%s|%s" "$PWD" "$MINE" "$OURS" > {out}'
    flags = ["--env", "MINE=a b", "--env", "OURS", "--cwd", str(tmp_path)]
    wrap(*flags, "--", "sh", "-c", script, OURS="from here")
    assert out.read_text() == f"{tmp_path}|a b|from here"


@pytest.mark.parametrize("before", [[], ["--"]])
def test_a_command_given_as_one_string_is_split(tmp_path, before):
    out = tmp_path / "out"
    wrap(*before, f"sh -c 'printf one > {out}'")
    assert out.read_text() == "one"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cwd", "/no/such/folder", "--", "cat"], "The working directory /no/such/folder does not exist."),
        (
            ["--env", "NOT_SET_HERE", "--", "cat"],
            "--env NOT_SET_HERE needs the variable NOT_SET_HERE, which is not set.",
        ),
        (["--env", "=x", "--", "cat"], "--env takes NAME=VALUE"),
        (["--env", "A=b"], "--env and --cwd require a command"),
        (["--env", "A=b", "--url", "http://127.0.0.1:1/mcp"], "not both"),
        (["--auth-tokens", "tokens.txt", "--", "true"], "Over stdio there are no tokens"),
        (["--transport", "sse", "--", "true"], "wrap serves its clients over stdio or streamable-http"),
    ],
)
def test_invalid_options_are_refused_in_one_line(arguments, message):
    done = wrap(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert message in done.stderr


@pytest.mark.parametrize(
    ("option", "message"), [("--colour", "No such option: --colour"), ("--inline-limit", "number")]
)
def test_a_wrong_option_is_reported_before_a_command_that_does_not_exist(option, message):
    done = wrap(option, "x", "--", "no-such-command")
    assert done.returncode == 2
    assert message in done.stderr
    assert "no-such-command" not in done.stderr


def test_a_secret_in_env_on_the_command_line_causes_a_warning_that_does_not_repeat_it():
    done = wrap("--env", "API_KEY=hunter2", "--", "true")
    assert "set the variable and write --env API_KEY" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_misspelt_variable_is_reported_with_the_right_name():
    done = wrap(
        "--", "true", COATCHECK_INLINE_LIMITS="5", COATCHECK_ZZZ="topsecret", COATCHECK_HEADER_AUTHORIZATION="x"
    )
    message = [line for line in done.stderr.splitlines() if "is not a setting" in line]
    start = "is not a setting and has no effect."
    assert message == [
        f"coatcheck: the variable COATCHECK_INLINE_LIMITS {start} Did you mean COATCHECK_INLINE_LIMIT?",
        f"coatcheck: the variable COATCHECK_ZZZ {start} The README lists the settings.",
    ]
    assert "topsecret" not in done.stderr


def test_the_sqlite_file_can_be_named(tmp_path):
    done = wrap("--object-store-backend", "sqlite", "--sqlite-path", "/proc/none/x.sqlite", "--", "cat")
    assert done.returncode == 1
    assert "/proc/none" in done.stderr
