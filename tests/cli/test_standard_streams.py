"""Standard streams that are closed, full or not read."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coatcheck.containers import Container
from coatcheck.settings import Settings
from tests import preloaded_python

COATCHECK = [sys.executable, "-m", "coatcheck"]
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
INITIALIZE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}) + "\n"
SERVER = [
    sys.executable,
    "-c",
    "import sys; print(sys.stdin.readline().replace('params', 'result'), flush=True); input()",
]


def redirected(command: list[str], redirection: str, **options) -> "subprocess.Popen[str]":
    """Start a command with a redirection of the shell."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(["sh", "-c", f'exec "$@" {redirection}', "sh", *command], text=True, **pipes, **options)


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "<&- >&-"])
@pytest.mark.parametrize("command", [["wrap", "--", "cat"], ["serve"]], ids=["wrap", "serve"])
def test_a_server_on_stdio_needs_stdin_and_stdout(command, redirection):
    with redirected([*COATCHECK, *command], redirection) as process:
        _, output = process.communicate(timeout=60)
    assert process.returncode == 1
    assert output.startswith("coatcheck: A client over stdio needs both stdin and stdout")
    assert output.count("\n") == 1


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_no_pipe_takes_the_descriptor_of_a_closed_stderr():
    with redirected([*COATCHECK, "wrap", "--", *SERVER], "2>&-") as process:
        process.stdin.write(INITIALIZE)
        process.stdin.flush()
        assert "result" in process.stdout.readline()
        assert Path(f"/proc/{process.pid}/fd/2").readlink() == Path(os.devnull)
        process.stdin.close()


def test_a_command_whose_messages_nobody_reads_does_its_work(tmp_path):
    home = {**os.environ, "HOME": str(tmp_path), "COATCHECK_OBJECT_STORE_BACKEND": "sqlite"}
    with redirected([*COATCHECK, "objects", "ls"], "2>&-", env=home) as process:
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_serve_exits_cleanly_when_the_client_stops_reading():
    with redirected([preloaded_python.COATCHECK, "serve"], "") as process:
        process.stdout.close()
        process.stdin.write(INITIALIZE)
        process.stdin.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to /dev/full")
@pytest.mark.parametrize(
    "command",
    [["--version"], ["--help"], ["status"], ["serve"], ["wrap", "--", "cat"]],
    ids=lambda command: command[0],
)
def test_an_output_that_cannot_be_written_is_reported_in_one_line_for_every_command(command, tmp_path):
    with redirected([*COATCHECK, *command], ">/dev/full", env={**os.environ, "HOME": str(tmp_path)}) as process:
        _, output = process.communicate(INITIALIZE, timeout=60)
    assert process.returncode == 1
    assert output == "coatcheck: The output cannot be written: No space left on device.\n"


def test_nohup_keeps_a_server_running_after_its_terminal_closes():
    with redirected(
        [*COATCHECK, "wrap", "--", *SERVER], "", preexec_fn=lambda: signal.signal(1, signal.SIG_IGN)
    ) as process:
        process.stdin.write(INITIALIZE)
        process.stdin.flush()
        assert "result" in process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
        assert process.wait(60) == 1  # The server's own, whose input ended.


def test_lone_surrogates_of_a_stored_text_are_replaced_in_a_pipe(tmp_path):
    settings = Settings(object_store_backend="sqlite", sqlite_path=tmp_path / "objects.sqlite")
    store = Container(settings=settings).store()
    object_id = store.put("half \ud83d of it")
    store.close()
    command = [
        preloaded_python.COATCHECK,
        "objects",
        "get",
        object_id,
        "--sqlite-path",
        str(tmp_path / "objects.sqlite"),
    ]
    environment = {**os.environ, "COATCHECK_OBJECT_STORE_BACKEND": "sqlite"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=60)
    assert (done.stdout.decode(), done.stderr) == ("half \ufffd of it", b"")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_commands_work_with_an_undecodable_path_and_an_ascii_stdout(tmp_path):
    folder = tmp_path / "no\udcff text"
    folder.mkdir()
    home = bytes(folder)
    for encoding in (b"utf-8", b"ascii"):
        environment = {**os.environb, b"HOME": home, b"PYTHONIOENCODING": encoding}
        for command in ("status", "doctor"):
            done = subprocess.run([*COATCHECK, command], capture_output=True, env=environment, timeout=60)
            assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("command", [["wrap", "--", "cat"], ["serve"], ["doctor"]], ids=["wrap", "serve", "doctor"])
def test_a_signal_during_the_imports_gives_no_traceback(command):
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "coatcheck", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.split("|")[-1].strip() == "typing":
                break
        process.send_signal(signal.SIGINT)
        said.append(process.communicate(timeout=60)[1])
    assert process.returncode == 130
    assert "Traceback" not in "".join(said)


CONVERTING = """
import signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "pydantic":
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise ValueError("pydantic converts it") from None

sys.meta_path.insert(0, Finder())
sys.argv = ["coatcheck", "serve"]
from coatcheck.__main__ import main
sys.exit(main())
"""


def test_a_signal_that_a_library_would_convert_gives_no_traceback():
    done = subprocess.run([sys.executable, "-c", CONVERTING], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    assert (done.returncode, done.stderr) == (130, b"")
