"""The command line: ``coatcheck serve``, ``wrap``, ``doctor`` and the rest."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coatcheck.proxy.upstreams.process import ServerProcess

EXIT_FAILURE = 1
EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the command line and give its exit code: 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""
    from coatcheck.errors import CoatcheckError

    upstream: ServerProcess | None = None
    try:
        upstream = _started_early(sys.argv[1:])
        from coatcheck.cli.app import app

        code = app(obj=upstream)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILURE
    except CoatcheckError as error:
        from coatcheck.cli.logs import announce

        announce(str(error))
        return EXIT_FAILURE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    finally:
        if upstream is not None:
            upstream.end()
    return code if isinstance(code, int) else 0


def _started_early(arguments: Sequence[str]) -> "ServerProcess | None":
    """Start the server of ``wrap … -- COMMAND`` before anything slow is imported: it loads while we do."""
    if arguments[:1] != ["wrap"] or "--" not in arguments:
        return None
    own, command = arguments[1 : arguments.index("--")], arguments[arguments.index("--") + 1 :]
    # Over HTTP every session starts a server of its own.
    later = ("--transport", "--url", "--servers", "--env", "--cwd")
    if not command or any(flag in {"-h", "--help"} or flag.startswith(later) for flag in own):
        return None
    if len(command) == 1 and " " in command[0]:
        from coatcheck.installer.server_reader import split_command

        command = list(split_command(command[0]))
    from coatcheck.proxy.upstreams.process import start_server

    return start_server(command)
