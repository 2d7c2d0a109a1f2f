"""Our stdin with requests that the SDK's parser accepts: it drops others, and their client waits without end."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from coatcheck.codec import readable_part
from coatcheck.proxy.client_lines import has_too_many_levels
from coatcheck.proxy.jsonrpc import PARSED_AT_ONCE, parse, to_line, well_formed_line, without_mark
from coatcheck.proxy.request_lines import needs_repair, well_formed_request


def readable_request(line: bytes) -> bytes:
    """Return a request with ``U+FFFD`` for lone surrogates, and a description of what is nested too deeply."""
    line = well_formed_line(without_mark(line)) if needs_repair(line) else well_formed_request(line)
    message = parse(line) if len(line) <= PARSED_AT_ONCE and has_too_many_levels(line) else None
    return line if message is None else to_line(readable_part(message))


class _RepairedLines(io.BufferedIOBase):
    def __init__(self, lines: BinaryIO) -> None:
        self._lines = lines

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._lines.isatty()

    def read1(self, size: int = -1, /) -> bytes:
        del size  # The reader of the text accepts any number of bytes.
        return readable_request(self._lines.readline())


@contextmanager
def repaired_stdin() -> Iterator[None]:
    """Let ``sys.stdin`` return repaired lines; child processes read nothing from the client."""
    original, client = sys.stdin, os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    try:
        # Its descriptor stays open: a thread may still read from it.
        sys.stdin = io.TextIOWrapper(_RepairedLines(os.fdopen(client, "rb", closefd=False)), encoding="utf-8")
        yield
    finally:
        os.dup2(client, 0)
        sys.stdin = original
