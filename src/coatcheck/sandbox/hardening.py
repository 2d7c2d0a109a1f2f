"""What a worker process gives up before it works: descriptors, memory, files, children, its environment.

Everything is best effort: what a platform lacks is passed over, and a limit that is lower already stays.
"""

import contextlib
import os
import resource
import signal

HIGHEST_DESCRIPTOR_TRIED = 256
OOM_SCORE_OF_A_WORKER = b"800"


def take_pipes() -> tuple[int, int]:
    """Move stdin and stdout to private descriptors and put the null device in their place.

    Returns:
        The descriptor to read requests from and the one to write answers to.
    """
    requests, answers = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard, inheritable=False)
    os.close(null)
    return requests, answers


def limit_memory(memory_bytes: int) -> None:
    """Bound the address space; an allocation beyond it raises ``MemoryError`` or aborts the process."""
    if memory_bytes > 0:
        _lower(resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_CORE, 0)


def settle_signals() -> None:
    """Make the alarm deadly and the keyboard harmless, whatever the parent had set: ignored signals survive an exec."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def close_the_doors() -> None:
    """Leave no way to open a file or socket, to write a file or to start a process. Imports fail from here on."""
    os.environ.clear()  # the interpreter itself may have set LC_CTYPE
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "wb", buffering=0) as score:  # noqa: PTH123
        # Where memory runs out for the whole machine, a worker goes before the server.
        score.write(OOM_SCORE_OF_A_WORKER)
    _lower(resource.RLIMIT_FSIZE, 0)
    if hasattr(resource, "RLIMIT_NPROC"):
        _lower(resource.RLIMIT_NPROC, 0)
    _lower(resource.RLIMIT_NOFILE, _highest_open() + 1)


def _highest_open() -> int:
    highest = 0
    for descriptor in range(HIGHEST_DESCRIPTOR_TRIED):
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            highest = descriptor
    return highest


def _lower(kind: int, value: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        resource.setrlimit(kind, (value, value))
