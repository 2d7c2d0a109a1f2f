# Runs a program as a fork of `fork_server.py`. `ADDRESS` and `FIRST` (arguments) are set in front of this text.
# It uses what is below `os`, `signal` and `socket`, because importing these takes longer than everything else here.
import _signal
import _socket
import marshal
import posix
import sys

FORWARDED = {_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGUSR1, _signal.SIGUSR2}
_signal.pthread_sigmask(_signal.SIG_BLOCK, FORWARDED)


def forward(number, _frame):
    try:  # noqa: SIM105  # contextlib is slow to import
        posix.kill(pid, number)
    except ProcessLookupError:
        pass  # The process has exited; its status is reported next.


connection = _socket.socket(_socket.AF_UNIX)
connection.connect(ADDRESS)  # noqa: F821
asked = marshal.dumps((FIRST + sys.argv[1:], posix.getcwd(), posix.environ))  # noqa: F821
# A process may be started with a descriptor closed; it gets the null device then.
null = posix.open("/dev/null", posix.O_RDWR)
given = []
for number in range(3):
    try:
        posix.fstat(number)
        given.append(number)
    except OSError:
        given.append(null)
packed = b"".join(number.to_bytes(4, sys.byteorder) for number in given)
connection.sendmsg([len(asked).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, packed)])
connection.sendall(asked)
# The other process must be the only one with these descriptors, because their closing has a meaning.
for number in range(3):
    posix.dup2(null, number)
connection.sendall(b"!")  # The program begins only now.
pid = int.from_bytes(connection.recv(4), "big")
for number in FORWARDED:
    _signal.signal(number, forward)
_signal.pthread_sigmask(_signal.SIG_UNBLOCK, FORWARDED)
status = int.from_bytes(connection.recv(4), "big")
if posix.WIFSIGNALED(status):
    killed_by = posix.WTERMSIG(status)
    if killed_by != _signal.SIGKILL:
        _signal.signal(killed_by, _signal.SIG_DFL)
    posix.kill(posix.getpid(), killed_by)
posix._exit(posix.WEXITSTATUS(status))
