"""``coatcheck`` and ``python -m coatcheck``: the command line."""

import gc
import os
import signal
import sys


def main() -> int:
    """Run the command line; a signal during its imports ends it without a traceback."""
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_default:
        signal.signal(signal.SIGINT, lambda number, _frame: os._exit(128 + number))
    gc.disable()  # until imports are done: searching modules for garbage takes a tenth of the start
    from coatcheck.cli import main as run

    if sys.argv[1:2] not in (["wrap"], ["serve"]):  # which import most of their modules later, and handle signals
        import coatcheck.cli.app
        import coatcheck.errors  # noqa: F401

        gc.enable()
        if is_default:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    return run()


if __name__ == "__main__":
    sys.exit(main())
