"""In coatcheck's own processes, the garbage collector ignores what was loaded at startup."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

SERVER = [sys.executable, str(Path(__file__).parents[1] / "security" / "echo_server.py")]
CODE = """
import atexit, gc, sys
atexit.register(lambda: print("spared", gc.get_freeze_count(), "enabled", gc.isenabled(), file=sys.stderr))
from coatcheck.__main__ import main
sys.exit(main())
"""
HTTP = ["--transport", "streamable-http", "--port", "0"]
COMMANDS = {"serve": ["serve"], "wrap": ["wrap", "--", *SERVER], "wrap over HTTP": ["wrap", *HTTP, "--", *SERVER]}


@pytest.mark.parametrize("command", COMMANDS)
def test_modules_loaded_at_startup_are_frozen(command):
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, *COMMANDS[command]],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        if "HTTP" in command:
            url = next(re.search(r"http\S+:\d+", line)[0] for line in process.stderr if "listening" in line)
            assert httpx2.get(f"{url}/healthz", timeout=30).is_success
            process.send_signal(signal.SIGTERM)
        process.stdin.close()
        output = process.stderr.read()
    spared, enabled = re.search(r"spared (\d+) enabled (\w+)", output).groups()
    assert int(spared) > 10_000
    assert enabled == "True"


def test_other_commands_collect_garbage():
    done = subprocess.run([sys.executable, "-c", CODE, "--version"], capture_output=True, text=True, check=True)
    assert "enabled True" in done.stderr
