import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.preloaded_python import FOR_CHILDREN, PYTHON

DEMO = Path(__file__).parents[2] / "examples" / "demo"
SECONDS = 60


def run_demo(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the demo like ``make demo``, with ``folder`` for temporary files."""
    return subprocess.run(
        [PYTHON, str(DEMO / "demo.py")],
        env={**os.environ, **FOR_CHILDREN, "TMPDIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def modules(monkeypatch):
    """The modules of the demo, with its folder on the import path."""
    monkeypatch.syspath_prepend(str(DEMO))
    monkeypatch.setattr(sys, "executable", PYTHON)
    yield __import__("demo"), __import__("repository"), __import__("terminal")
    for name in ("claims", "demo", "repository", "terminal"):
        del sys.modules[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def done(folder):
    """The finished demo, run once for all tests."""
    return run_demo(folder)


def test_the_demo_succeeds_with_every_claim_checked_and_leaves_no_files(done, folder):
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All 7 claims hold" in done.stdout
    assert "FAILED" not in done.stdout
    assert list(folder.iterdir()) == []


def test_the_demo_prints_plain_text_without_a_terminal_and_progress_on_stderr(done):
    assert "\x1b" not in done.stdout + done.stderr
    log = re.search(r"git_log max_count=2000 +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) +([\d,]+) : 1", done.stdout)
    characters, tokens, kept, kept_tokens, ratio = (int(figure.replace(",", "")) for figure in log.groups())
    assert characters > 400_000
    assert kept < 4_000
    assert ratio == round(tokens / kept_tokens)
    assert "Making a repository" in done.stderr
    assert "Making a repository" not in done.stdout


def test_without_git_the_demo_names_git_and_fails(tmp_path):
    done = run_demo(tmp_path, PATH="/nowhere")
    assert done.returncode == 1
    assert "The demo needs git" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
async def test_a_server_that_keeps_nothing_fails_the_demo(modules, tmp_path):
    demo, repository, terminal = modules
    repository.make_repository(tmp_path, demo.COMMITS)
    printed = io.StringIO()
    run = demo.Demo(tmp_path, demo.Claims(terminal.Terminal(printed, io.StringIO())))
    command = [demo.program("mcp-server-git"), "--repository", str(tmp_path)]
    await run.run(command, command)
    assert [claim for claim in run.claims.failures if "history was kept" in claim]
    assert [claim for claim in run.claims.failures if "more than 4,000 characters" in claim]
    assert "FAILED" in printed.getvalue()


@pytest.mark.anyio
async def test_a_coatcheck_that_does_not_start_fails_the_demo_with_a_reason(modules, tmp_path, monkeypatch, capsys):
    demo, _, _ = modules
    found = demo.program
    monkeypatch.setattr(demo, "COMMITS", 20)
    monkeypatch.setattr(demo, "program", lambda name: "false" if name == "coatcheck" else found(name))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert await __import__("claims").played(demo.play, "", "") == 1
    assert "the demo stopped" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_history_is_reproducible(modules, tmp_path):
    _, repository, _ = modules
    heads = set()
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        repository.make_repository(folder, 50)
        heads.add(repository.git(folder, "rev-parse", "HEAD"))
        assert repository.git(folder, "rev-list", "--count", "HEAD").strip() == "50"
    assert len(heads) == 1


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_colours_unless_they_are_disabled(modules, monkeypatch):
    _, _, terminal = modules
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    coloured, plain = Screen(), Screen()
    terminal.Terminal(coloured, io.StringIO()).heading("Heading")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal.Terminal(plain, io.StringIO()).heading("Heading")
    assert "\x1b[1mHeading\x1b[0m" in coloured.getvalue()
    assert plain.getvalue() == "\nHeading\n"
