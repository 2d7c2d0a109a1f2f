"""Memory of ``coatcheck wrap`` while many sessions over HTTP receive large results at once."""

import asyncio
import os
import re
import sys
from pathlib import Path

from hostile_work import WRAP, Session
from table import Figure

SECTION = "large results of 20 sessions over HTTP at once"
SESSIONS, SIZE, KEPT, TARGET = 20, 50_000_000, 64 << 20, 1.0
SERVER = [sys.executable, str(Path(__file__).with_name("plain_server.py")), "stdio"]


def memory_in_flight() -> list[Figure]:
    """Measure the peak of resident memory over that of the idle process, divided by the bytes of all results."""
    return [
        Figure(SECTION, f"peak memory per byte of results: {name}", "x", asyncio.run(_measured(options)), target=TARGET)
        for name, options in {"kept": [], "passed whole": ["--never-keep", "text"]}.items()
    ]


async def _measured(options: list[str]) -> float:
    environment = {**os.environ, "COATCHECK_MAX_NAMESPACE_BYTES": str(KEPT)}
    process = await asyncio.create_subprocess_exec(
        *WRAP[:-1], *options, "--", *SERVER, stderr=asyncio.subprocess.PIPE, env=environment
    )
    try:
        assert process.stderr is not None
        listening = re.search(r"listening on (\S+)", (await process.stderr.readline()).decode())
        assert listening is not None
        sessions = [await Session.open(listening[1]) for _ in range(SESSIONS)]
        for session in sessions:
            await session.request("tools/list", {})
        idle = _resident(process.pid, "VmRSS")
        _reset_peak(process.pid)
        answers = await asyncio.gather(*(session.call("text", size=SIZE) for session in sessions))
        peak = _resident(process.pid, "VmHWM")
    finally:
        process.terminate()
        await process.wait()
    assert all(("obj_" in answer) is not bool(options) for answer in answers), "a result was dropped"
    return (peak - idle) / (SESSIONS * SIZE)


def _reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _resident(pid: int, kind: str) -> int:
    found = re.search(rf"{kind}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
