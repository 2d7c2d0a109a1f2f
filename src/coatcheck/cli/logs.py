"""Logs on stderr, as text or as JSON."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType

from coatcheck.cli.printing import print_message
from coatcheck.errors import excerpt
from coatcheck.proxy.upstreams.process import DroppingStderr

logger = logging.getLogger("coatcheck")


class TextLines(logging.Formatter):
    """Formats a record as text, without forged lines and terminal control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text with a space before each further line."""
        return "\n ".join(excerpt(line, len(line)) for line in super().format(record).splitlines())


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time (UTC), level, logger, message, and the exception where there is one."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def configure_logging(log_format: str | None, *, verbose: bool) -> None:
    """Write everything that is logged, by any package, to stderr in one format."""
    if sys.stderr is sys.__stderr__:
        sys.stderr = DroppingStderr()  # A client that does not read stderr must not block us.
    logging.basicConfig(stream=sys.stderr, level=logging.INFO if verbose else logging.WARNING)
    if verbose:
        logging.getLogger("coatcheck.store.events").setLevel(logging.DEBUG)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(TextLines("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    write_logs_as(log_format)


@contextmanager
def warnings_as_messages() -> Iterator[None]:
    """Write warnings as messages of the command, for commands that print a result and exit.

    Warnings of the circuit breaker are omitted, because such a command reports the store's error itself.
    """
    handler = _Messages(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Messages(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "coatcheck.backends.breaker":
            print_message(record.getMessage())


def write_logs_as(log_format: str | None) -> None:
    """Switch to JSON if that is the format; the initial format is text."""
    if log_format == "json":
        for handler in logging.getLogger().handlers:
            handler.setFormatter(JsonLines())
        logging.captureWarnings(True)
        sys.excepthook = _log_exception


def announce(text: str, level: int = logging.INFO) -> None:
    """Write a message to stderr whatever is logged otherwise; as JSON, with ``level``, if that is the log format."""
    if any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers):
        record = logger.makeRecord(logger.name, level, "", 0, text, (), None)
        logger.handle(record)
    else:
        print_message(text)


def _log_exception(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logger.critical("%s ended it", kind.__name__, exc_info=(kind, error, traceback))
