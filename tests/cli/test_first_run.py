"""First use: the included demo, and the output for users who start a server in a terminal."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests import preloaded_python

COATCHECK = [sys.executable, "-m", "coatcheck"]


def test_the_demo_shows_the_effect_and_uses_a_reference():
    environment = {**os.environ, **preloaded_python.FOR_CHILDREN}
    command = [preloaded_python.COATCHECK, "demo"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    directly = re.search(r"directly +([\d,]+) characters", ended.stdout)
    through = re.search(r"through coatcheck +([\d,]+) characters", ended.stdout)
    assert directly
    assert through
    assert int(directly[1].replace(",", "")) > 50 * int(through[1].replace(",", ""))
    assert re.search(r'total\(orders="@obj_\w+"\) = \d+', ended.stdout)


@pytest.mark.parametrize("arguments", [["serve"], ["wrap", "--", sys.executable, "-m", "coatcheck", "serve"]])
def test_on_a_terminal_a_server_says_that_it_waits_and_one_interrupt_ends_it(arguments):
    terminal, end = pty.openpty()
    process = subprocess.Popen([*COATCHECK, *arguments], stdin=end, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(end)
    deadline = threading.Timer(60, process.kill)  # A server that says nothing would be read without end.
    deadline.start()
    try:
        answer = b""
        while b"Ctrl-C" not in answer:
            line = process.stderr.readline()
            assert line, answer
            answer += line
        text = answer.decode()
        assert "waiting for an MCP client on stdin" in text
        entry = json.loads(text[text.index("{") : text.rindex("}") + 1])
        server = entry["mcpServers"]["NAME"]
        assert Path(server["command"]).is_absolute()  # clients may have another PATH than the shell
        assert server["args"][-len(arguments) :] == arguments
        words = [server["command"], *server["args"][: -len(arguments)], "--version"]
        assert subprocess.run(words, capture_output=True, text=True, timeout=60).stdout.startswith("coatcheck ")
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
        assert b"Traceback" not in rest
    finally:
        deadline.cancel()
        process.kill()
        process.wait()
        os.close(terminal)


def test_a_client_that_starts_a_server_gets_no_message():
    ended = subprocess.run([preloaded_python.COATCHECK, "serve"], input="", capture_output=True, text=True, timeout=60)
    assert "waiting" not in ended.stderr
