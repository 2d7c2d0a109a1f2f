"""Shared by the demos: checked claims, and the end of a run."""

import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import anyio
from mcp import MCPError
from terminal import Terminal

DEADLINE = 120
"""Seconds after which a demo gives up."""


class DemoError(Exception):
    """A missing requirement of the demo; the message says what to do."""


@dataclass
class Claims:
    """The claims of a run.

    Attributes:
        terminal: The output.
        count: Number of checked claims.
        failures: False claims.
    """

    terminal: Terminal
    count: int = 0
    failures: list[str] = field(default_factory=list)

    def check(self, is_true: bool, claim: str) -> None:
        """Print whether a claim is true, and record it if it is false."""
        self.count += 1
        if is_true:
            self.terminal.good(claim)
        else:
            self.terminal.bad(claim)
            self.failures.append(claim)


def program(name: str) -> str:
    """Find a program that is installed beside this Python.

    Raises:
        DemoError: It is not.
    """
    found = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise DemoError(f"{name} is not installed here: pip install -e '.[dev]' installs what the demo needs.")
    return found


def run(play: Callable[[Claims], Awaitable[None]], where: str, command: str) -> None:
    """Run a demo and exit: with 1 if a claim is false, or if the demo could not continue.

    Args:
        play: Makes the calls and checks the claims.
        where: Introduces the command in the last line.
        command: The command that a user would run.
    """
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    try:
        sys.exit(anyio.run(played, play, where, command))
    except KeyboardInterrupt:
        sys.exit(130)


async def played(play: Callable[[Claims], Awaitable[None]], where: str, command: str) -> int:
    """Run a demo and return the exit code; see ``run``."""
    terminal = Terminal()
    claims = Claims(terminal)
    try:
        with anyio.fail_after(DEADLINE):
            await play(claims)
    except DemoError as error:
        terminal.bad(str(error))
        return 1
    except TimeoutError:
        terminal.bad(f"not done after {DEADLINE} seconds")
        return 1
    except (MCPError, OSError, ExceptionGroup) as error:
        terminal.bad(f"the demo stopped: {_innermost(error)}")
        return 1
    if claims.failures:
        terminal.heading(f"{len(claims.failures)} claims do not hold:")
        for claim in claims.failures:
            terminal.line(f"  - {claim}")
        return 1
    terminal.heading(f"All {claims.count} claims hold. {where}:")
    terminal.line()
    terminal.line(f"  {command}")
    return 0


def _innermost(error: Exception) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
