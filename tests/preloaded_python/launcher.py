# Runs a program as a fork of `fork_server.py`. `ADDRESS` is set in front of this text.
import marshal
import os
import signal
import socket
import sys

FORWARDED = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}
signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)


def forward(number, _frame):
    try:  # noqa: SIM105  # contextlib is slow to import
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # The process has exited; its status is reported next.


with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(ADDRESS)  # type: ignore[name-defined]  # noqa: F821
    asked = marshal.dumps((sys.argv[1:], os.getcwd(), dict(os.environ)))  # noqa: PTH109  # pathlib is slow to import
    # A process may be started with a descriptor closed; it gets the null device then.
    null = os.open(os.devnull, os.O_RDWR)
    given = []
    for number in range(3):
        try:
            os.fstat(number)
            given.append(number)
        except OSError:
            given.append(null)
    socket.send_fds(connection, [len(asked).to_bytes(4, "big")], given)
    connection.sendall(asked)
    # The other process must be the only one with these descriptors, because their closing has a meaning.
    for number in range(3):
        os.dup2(null, number)
    connection.sendall(b"!")  # The program begins only now.
    pid = int.from_bytes(connection.recv(4), "big")
    for number in FORWARDED:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    status = int.from_bytes(connection.recv(4), "big")
if os.WIFSIGNALED(status):
    killed_by = os.WTERMSIG(status)
    if killed_by != signal.SIGKILL:
        signal.signal(killed_by, signal.SIG_DFL)
    os.kill(os.getpid(), killed_by)
os._exit(os.WEXITSTATUS(status))
