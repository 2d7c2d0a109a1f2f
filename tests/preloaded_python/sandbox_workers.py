"""Start the workers of sandboxes as forks too: a worker of its own takes as long as everything else in many tests."""

from coatcheck.explorer.sandbox import worker_process

OWN_COMMAND = worker_process.command
"""The command of a separate process, for tests of the memory, the priority and the end of workers."""


def start_workers_with(python: str) -> None:
    """Let all sandboxes of this process start their workers with this interpreter."""
    worker_process.command = lambda limits, nice: [python, *OWN_COMMAND(limits, nice)[1:]]
