"""``--log-format json``: everything on stderr is one JSON object per line, whichever library logs it, and no line contains a secret."""

import datetime
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys

import httpx2
import pytest

from coatcheck.backends import InMemoryBackend
from coatcheck.cli import main
from coatcheck.cli.logs import configure_logging
from coatcheck.object_store import ObjectStore
from tests.monitoring.connecting import client_of, flags_of
from tests.monitoring.running import served
from tests.preloaded_python import COATCHECK
from tests.waiting import wait_until

pytestmark = pytest.mark.anyio

CANARY = "canary-Qm7t9"


def entries(log: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.splitlines()]


@pytest.mark.parametrize("kind", ["serve", "wrap"])
async def test_every_line_is_an_object_including_those_of_the_web_server_and_the_sdk(kind, tmp_path):
    environment = {"COATCHECK_REDIS_URL": f"redis://:{CANARY}@127.0.0.1:1", "COATCHECK_NAMESPACE_SECRET": CANARY}
    with served(kind, tmp_path, "--log-format", "json", "--verbose", *flags_of(kind), **environment) as server:
        async with client_of(server, mode="legacy") as client:
            await client.call_tool("many", {"rows": 2})
        server.get("/healthz")
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)
        found = entries(server.log)
    assert {"coatcheck", "uvicorn.access", "uvicorn.error"} <= {entry["logger"] for entry in found}
    assert any(entry["logger"].startswith("mcp") for entry in found)
    assert any(entry["message"] == f"listening on {server.mcp}" for entry in found)
    for entry in found:
        assert entry.keys() - {"exception"} == {"time", "level", "logger", "message"}
        assert datetime.datetime.fromisoformat(entry["time"]).utcoffset() == datetime.timedelta(0)
        assert entry["level"] in {"debug", "info", "warning", "error"}
    assert CANARY not in server.log


def test_an_exception_is_in_its_line(tmp_path):
    (tmp_path / "breaking.py").write_text(
        "class Verifier:\n    async def verify_token(self, token):\n        raise RuntimeError('two\\nlines')\n"
    )
    flags = ["--auth", "breaking:Verifier"]
    with served("serve", tmp_path, *flags, PYTHONPATH=str(tmp_path), COATCHECK_LOG_FORMAT="json") as server:
        answer = httpx2.post(server.mcp, headers={"Authorization": f"Bearer {CANARY}"}, json={}, timeout=10)
        assert answer.status_code == 500
        wait_until(lambda: "Traceback" in server.log, "the log has the exception, once the response has been sent")
        (entry,) = [entry for entry in entries(server.log) if "exception" in entry]
    assert entry["level"] == "error"
    assert "RuntimeError: two\nlines" in entry["exception"]
    assert CANARY not in server.log


def test_a_failed_start_is_logged_as_an_object_too():
    flags = ["--redis-url", f"redis://:{CANARY}@127.0.0.1:1", "--object-store-backend", "redis"]
    variables = {"COATCHECK_LOG_FORMAT": "json", "COATCHECK_INLINE_LIMT": "3"}
    done = subprocess.run(
        [COATCHECK, "serve", *flags], capture_output=True, text=True, timeout=60, env={**os.environ, **variables}
    )
    assert (done.returncode, done.stdout) == (1, "")
    misspelt, logged, failed = entries(done.stderr)
    assert "Did you mean COATCHECK_INLINE_LIMIT?" in misspelt["message"]
    assert "process list" in logged["message"]
    assert "refused the connection" in failed["message"]
    assert (logged["level"], failed["level"]) == ("warning", "error")
    assert CANARY not in done.stderr


def test_an_unknown_format_is_a_usage_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["coatcheck", "serve", "--log-format", "xml"])
    assert main() == 2
    assert "'text', 'json'" in capsys.readouterr().err


def test_the_format_in_the_variable_is_known_before_other_settings(monkeypatch, capsys):
    monkeypatch.setenv("COATCHECK_LOG_FORMAT", "xml")
    monkeypatch.setattr(sys, "argv", ["coatcheck", "serve", "--inline-limit", "-3"])
    assert main() == 2
    assert "COATCHECK_LOG_FORMAT" in capsys.readouterr().err


def test_warnings_and_uncaught_errors_are_objects_too():
    program = (
        "import warnings; from coatcheck.cli.logs import configure_logging\n"
        "configure_logging('json', verbose=False)\n"
        "warnings.warn('careful', stacklevel=1)\n"
        "raise KeyError('lost')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    warned, broke = entries(done.stderr)
    assert (warned["level"], warned["logger"]) == ("warning", "py.warnings")
    assert "careful" in warned["message"]
    assert broke["level"] == "critical"
    assert "KeyError: 'lost'" in broke["exception"]


def test_text_logs_have_the_time_and_verbose_ones_the_kept_results(monkeypatch):
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure_logging(None, verbose=True)
    ObjectStore(InMemoryBackend()).record_result("git_log", reference="@obj_1", characters=406_874, shown=1_505)
    ObjectStore(InMemoryBackend()).record_result("two\nlines", reference=None, characters=9_000, shown=10)
    (first, second) = stderr.getvalue().splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} DEBUG \S+: .*", first)
    assert first.endswith(": git_log: 406,874 → 1,505 characters, @obj_1")
    assert second.endswith(': "two�lines": 9,000 → 10 characters, not kept')
