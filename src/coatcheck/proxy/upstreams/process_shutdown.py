"""Ends a server's process group."""

import asyncio
import os
import signal
from contextlib import suppress

from coatcheck.proxy.upstreams.process import ServerProcess

TERMINATE_GRACE = 1.0
"""Seconds between asking a process to end and ending it; an impatient client gives us two."""

STDIN_GRACE = 0.3
_POLL = 0.02


async def has_ended(upstream: ServerProcess) -> None:
    """Wait for the end of the server's process, without collecting it."""
    try:
        descriptor = os.pidfd_open(upstream.process.pid)
    except (AttributeError, OSError):
        while upstream.process.poll() is None:  # noqa: ASYNC110  # nothing else tells
            await asyncio.sleep(0.25)
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def stop_server(upstream: ServerProcess) -> None:
    """End a server: close its stdin, then ask, then force, and likewise what is left of its process group."""
    if upstream.process.stdin is not None:
        with suppress(OSError):
            upstream.process.stdin.close()
    if not await _ends_within(upstream, STDIN_GRACE):
        upstream.signal_group(signal.SIGTERM)
        if not await _ends_within(upstream, TERMINATE_GRACE):
            upstream.signal_group(signal.SIGKILL)
            await _ends_within(upstream, TERMINATE_GRACE)
    await _end_group(upstream)
    upstream.close()


async def _ends_within(upstream: ServerProcess, seconds: float) -> bool:
    waited = 0.0
    while upstream.process.poll() is None:
        if waited >= seconds:
            return False
        await asyncio.sleep(_POLL)
        waited += _POLL
    return True


async def _end_group(upstream: ServerProcess) -> None:
    """End what the server started and left behind."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        waited = 0.0
        while _group_is_alive(upstream):
            if waited == 0:
                upstream.signal_group(number)
            if waited >= TERMINATE_GRACE:
                break
            await asyncio.sleep(_POLL)
            waited += _POLL


def _group_is_alive(upstream: ServerProcess) -> bool:
    try:
        os.killpg(upstream.process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
