"""Runs the command line in this process, because starting a process for each command is slow."""

import contextlib
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from coatcheck.cli import main
from tests.preloaded_python import COATCHECK


class CommandResult(NamedTuple):
    """The result of a command."""

    returncode: int
    stdout: str
    stderr: str


def run_here(*arguments: str, environment: Mapping[str, str], folder: Path) -> CommandResult:
    """Run a command with an empty stdin and these variables, in this folder."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "argv", [COATCHECK, *arguments]),
        mock.patch.object(sys, "path", [*environment.get("PYTHONPATH", "").split(os.pathsep), *sys.path]),
        contextlib.chdir(folder),
        open(os.devnull) as nothing,  # noqa: PTH123
        mock.patch.object(sys, "stdin", nothing),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main()
    return CommandResult(code, *(stream.buffer.getvalue().decode() for stream in (out, err)))
