"""The command line: ``coatcheck serve``, ``wrap``, ``doctor`` and the rest."""

import errno
import io
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coatcheck.proxy.upstreams.process import ServerProcess

EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the command line; return its exit code: 1 for a failure, 2 for wrong usage or settings, 130 for Ctrl-C."""
    from coatcheck.errors import CoatcheckError, SettingsError

    _open_standard_streams()
    upstream: ServerProcess | None = None
    handlers = _handle_signals() if sys.argv[1:2] == ["wrap"] else {}
    try:
        upstream = _started_early(sys.argv[1:])
        from coatcheck.cli.app import app
        from coatcheck.cli.late_fastapi import LateFastAPI

        sys.meta_path.insert(0, LateFastAPI())
        code = app(obj=upstream)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILURE
    except CoatcheckError as error:
        import logging

        from coatcheck.cli.logs import announce

        announce(str(error), logging.ERROR)
        return EXIT_USAGE if isinstance(error, SettingsError) else EXIT_FAILURE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:
        if error.errno not in _WRITING_FAILED:
            raise
        from coatcheck.cli.printing import discard_output, print_message
        from coatcheck.errors import output_failed

        discard_output()
        print_message(str(output_failed(error)))
        return EXIT_FAILURE
    finally:
        if upstream is not None:
            upstream.end()
        for number, handler in handlers.items():
            if signal.getsignal(number) is _end_with_servers:  # otherwise later signals are ignored on purpose
                signal.signal(number, handler)
    return code if isinstance(code, int) else 0


_WRITING_FAILED = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})


def _open_standard_streams() -> None:
    """Open the null device in place of standard streams that are closed, and let stdout take any character.

    Otherwise the next pipe would get the descriptor, and our messages on stderr would be sent to the server.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stderr is None:  # Python found it closed.
        sys.stderr = os.fdopen(2, "w", errors="backslashreplace", closefd=False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # An undecodable path or a terminal with a small character set must not crash a command.
        sys.stdout.reconfigure(errors="backslashreplace")


def _handle_signals() -> dict[int, Any]:
    """Exit at signals that arrive before the session handles them, and stop servers; return the previous handlers."""
    with suppress(ValueError):  # Only the main thread can set handlers.
        return {
            number: signal.signal(number, _end_with_servers)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            if signal.getsignal(number) is not signal.SIG_IGN
        }
    return {}


def _end_with_servers(number: int, _frame: object) -> None:
    module: Any = sys.modules.get("coatcheck.proxy.upstreams.process")
    if not hasattr(module, "start_server"):  # It is not imported yet, so no server runs.
        os._exit(128 + number)

    def end() -> None:
        module.kill_servers()
        os._exit(128 + number)

    module.when_servers_are_known(end)


FLAGS_OF_WRAP = frozenset(
    {"--limits-in-tokens", "--no-oauth", "--oauth", "--resource-links", "--sse", "--stateless", "--unprotected"}
    | {"--verbose", "-v"}
)
"""The options of ``wrap`` without a value, which are needed before they are imported."""


def _started_early(arguments: Sequence[str]) -> "ServerProcess | None":
    """Start the server of ``wrap … -- COMMAND`` before slow imports, so that it loads in parallel."""
    if arguments[:1] != ["wrap"] or "--" not in arguments:
        return None
    own, command = arguments[1 : arguments.index("--")], arguments[arguments.index("--") + 1 :]
    # Over HTTP every session starts its own server.
    later = ("--transport", "--url", "--servers", "--env", "--cwd")
    if not command or any(flag in {"-h", "--help"} or flag.startswith(later) for flag in own):
        return None
    if not _are_options(own):
        return None  # The command begins before ``--``.
    if len(command) == 1 and " " in command[0]:
        from coatcheck.installer.server_reader import split_command

        command = list(split_command(command[0]))
    from coatcheck.errors import UpstreamError
    from coatcheck.proxy.upstreams.process import start_server

    with suppress(UpstreamError):  # It is tried again, after faults of our own options are reported.
        return start_server(command)
    return None


def _are_options(arguments: Sequence[str]) -> bool:
    """Whether arguments are options of ``wrap`` and their values."""
    takes_value = False
    for argument in arguments:
        if not takes_value and not argument.startswith("-"):
            return False
        takes_value = not takes_value and "=" not in argument and argument not in FLAGS_OF_WRAP
    return not takes_value
