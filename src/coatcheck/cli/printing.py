"""Output of commands: data on stdout, messages on stderr."""

import os
import sys
from collections.abc import Sequence

from coatcheck.errors import CoatcheckError, output_failed


def print_message(text: str) -> None:
    """Write a message to stderr."""
    sys.stderr.write(f"coatcheck: {_printable(text)}\n")


def print_data(data: str | bytes) -> None:
    """Write data to stdout unchanged, but on a terminal without control characters."""
    if sys.stdout is None:  # it was closed when we were started
        raise CoatcheckError("The output cannot be written: stdout is closed.")
    if sys.stdout.isatty():
        text = data if isinstance(data, str) else data.decode(errors="replace")
        sys.stdout.write(_printable(text) + ("" if text.endswith("\n") else "\n"))
        return
    from coatcheck.codec.characters import well_formed  # slow to load

    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(well_formed(data).encode() if isinstance(data, str) else data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # the reader has closed the pipe
        raise
    except OSError as error:
        discard_output()
        raise output_failed(error) from None


def discard_output() -> None:
    """Discard what could not be written to stdout: Python would try it again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def print_line(text: str) -> None:
    """Write a line to stdout like ``print_data``."""
    print_data(f"{text}\n")


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Write rows to stdout, each on one line, with aligned columns except the last one."""
    rows = [[_one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        print_data("  ".join([*cells, row[-1]]) + "\n")


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in text)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)
