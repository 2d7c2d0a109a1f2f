"""``PYTHON``: a Python interpreter whose imports are already done, in place of ``sys.executable``.

Importing coatcheck, the MCP SDK and a web server takes a process about one second of processor time, and the tests
start some thousand processes. ``PYTHON -m coatcheck …`` and ``PYTHON script.py …`` ask a server process of this test run,
which has imported them, to fork: the process begins within milliseconds. It has its own descriptors, environment,
working directory and exit code; signals are forwarded to it, and it is killed when what was started is killed.
``COATCHECK`` is the same for the installed program ``coatcheck``. With the variables ``FOR_CHILDREN``, a program that
starts ``sys.executable``, or programs beside it, starts these.

It differs from a process of its own in three ways, so tests of these use ``sys.executable``: its parent is not the
process that started it, everything is imported before it begins, and it shares memory with others.
"""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
INSTALLED = Path(sys.executable).parent
FOLDER_VARIABLE = "PRELOADED_PYTHON"
"""Names the folder of both programs for the workers of a test run, which share one server process."""


def _start() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="coatcheck-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    address = folder / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        # Clients that connect before the server has imported everything wait in this queue.
        listener.bind(str(address))
        listener.listen(256)
        command = [sys.executable, "-W", "ignore", str(HERE / "fork_server.py"), str(listener.fileno())]
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, pass_fds=[listener.fileno()], cwd="/", start_new_session=True
        )
    atexit.register(_stop, server)
    code = (HERE / "launcher.py").read_text()
    programs = {name: [str(INSTALLED / name)] for name in ("coatcheck", "mcp-server-git")}
    for name, first in {"python": [], **programs}.items():
        launcher = folder / name
        launcher.write_text(f"#!{sys.executable} -IS\nADDRESS = {str(address)!r}\nFIRST = {first}\n{code}")
        launcher.chmod(0o700)
    os.environ[FOLDER_VARIABLE] = str(folder)
    return folder


def _stop(server: "subprocess.Popen[bytes]") -> None:
    if server.stdin is not None:
        server.stdin.close()
    server.wait()


if sys.platform == "linux":
    _folder = Path(os.environ.get(FOLDER_VARIABLE) or _start())
    PYTHON, COATCHECK = str(_folder / "python"), str(_folder / "coatcheck")
else:
    PYTHON, COATCHECK = sys.executable, str(INSTALLED / "coatcheck")

FOR_CHILDREN = {"PRELOADED_EXECUTABLE": PYTHON}
