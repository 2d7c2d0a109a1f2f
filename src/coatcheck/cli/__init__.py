"""The command line: ``coatcheck serve``, ``wrap``, ``doctor``."""

import sys

EXIT_FAILURE = 1
EXIT_INTERRUPTED = 130


def main() -> int:
    """Run the command line and give its exit code: 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""
    from coatcheck.cli.app import app
    from coatcheck.errors import CoatcheckError

    try:
        code = app(standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else EXIT_FAILURE
    except CoatcheckError as error:
        sys.stderr.write(f"coatcheck: {error}\n")
        return EXIT_FAILURE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else 0
