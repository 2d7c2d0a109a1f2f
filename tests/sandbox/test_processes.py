"""The worker processes as seen by the operating system (Linux)."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path

import pytest

from coatcheck.errors import FilterError, SandboxFailed, SandboxTimeout
from coatcheck.explorer.sandbox import Sandbox
from coatcheck.explorer.sandbox.worker_process import LOW_PRIORITY
from tests.processes import children_of, is_running, state_of, wait_until_computing, wait_until_ended
from tests.waiting import DEADLINE, until, wait_until

ARGS = {"reference": "@obj_1", "path": "", "limit": 1000}

CALL = """
from coatcheck.codec import encode
from coatcheck.explorer.sandbox import Sandbox
encoded = encode({"a": 7})
sandbox = Sandbox()
def call(filter=".a"):
    args = {"reference": "@obj_1", "path": "", "limit": 1000, "filter": filter}
    return sandbox.run("query", args, key="k", namespace="n", load=lambda: (encoded.metadata, encoded.payload)).text
"""


def query(sandbox, stored, program=".", namespace="n"):
    return sandbox.run("query", ARGS | {"filter": program}, key="k", namespace=namespace, load=stored({"a": 1}))


def query_with(sandbox, load, namespace):
    return sandbox.run("query", ARGS | {"filter": "."}, key=namespace, namespace=namespace, load=load)


def niceness_of(pids):
    return [os.getpriority(os.PRIO_PROCESS, pid) for pid in pids]


def python(*arguments, text=None, cwd=None):
    return subprocess.run(
        [sys.executable, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


def test_nothing_is_started_before_the_first_use(stored):
    threads, processes = threading.active_count(), children_of(os.getpid())
    sandbox = Sandbox()
    assert (threading.active_count(), children_of(os.getpid()), sandbox.pids()) == (threads, processes, [])

    query(sandbox, stored)
    assert len(sandbox.pids()) == 1
    assert threading.active_count() == threads
    sandbox.close()


def test_a_worker_inherits_no_environment(sandbox, stored, monkeypatch):
    monkeypatch.setenv("COATCHECK_CANARY", "canary-5a1d")
    query(sandbox, stored)
    (pid,) = sandbox.pids()

    assert Path(f"/proc/{pid}/environ").read_bytes() == b""
    for program in ("$__loc__", "[builtins]", "now | localtime", "getpath([])"):
        assert "canary" not in query(sandbox, stored, program).text


def test_a_worker_has_only_the_null_device_and_its_two_pipes(sandbox, stored, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server, (tmp_path / "open").open("w") as file:
        os.set_inheritable(server.fileno(), True)
        os.set_inheritable(file.fileno(), True)
        query(sandbox, stored)
        (pid,) = sandbox.pids()
        targets = {int(path.name): str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}

    assert [targets.pop(descriptor) for descriptor in (0, 1, 2)] == ["/dev/null"] * 3
    assert len(targets) == 2
    assert all(target.startswith("pipe:") for target in targets.values())


def test_a_worker_cannot_open_files_or_sockets_or_write(sandbox, stored):
    query(sandbox, stored)
    (pid,) = sandbox.pids()
    limits = Path(f"/proc/{pid}/limits").read_text()
    soft = {line[:25].strip(): line[25:].split()[0:2] for line in limits.splitlines()[1:]}
    highest = max(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir())

    assert soft["Max open files"] == [str(highest + 1)] * 2
    assert soft["Max file size"] == ["0", "0"]
    assert soft["Max core file size"] == ["0", "0"]
    assert soft["Max address space"] == [str(1024**3)] * 2
    assert soft["Max processes"] == ["0", "0"]


def test_closing_leaves_no_process_and_no_zombie(stored):
    sandbox = Sandbox()
    query(sandbox, stored)
    pids = sandbox.pids()
    sandbox.close()

    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(SandboxFailed, match="closed"):
        query(sandbox, stored)


def test_a_killed_worker_leaves_no_zombie(sandbox, stored):
    query(sandbox, stored)
    (pid,) = sandbox.pids()
    with pytest.raises(SandboxTimeout, match="Stopped after"):
        query(sandbox, stored, "def f: f; f")

    assert not Path(f"/proc/{pid}").exists()


def test_closing_ends_a_running_task(sandbox, stored):
    query(sandbox, stored)
    outcome = []

    def work():
        try:
            query(sandbox, stored, "last(range(1e12))")
        except Exception as error:  # noqa: BLE001
            outcome.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    (pid,) = sandbox.pids()
    wait_until_computing(pid)
    sandbox.close()
    thread.join(DEADLINE)

    assert not thread.is_alive()
    assert "closed" in outcome[0]
    assert sandbox.pids() == []


def test_a_worker_with_a_long_operation_gets_low_priority(stored):
    sandbox = Sandbox(timeout=DEADLINE)
    query(sandbox, stored)
    (pid,) = sandbox.pids()
    assert niceness_of([pid]) == niceness_of([0])

    def work():
        with pytest.raises((SandboxTimeout, SandboxFailed)):
            query(sandbox, stored, "last(range(1e12))")

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: niceness_of([pid]) == [niceness_of([0])[0] + LOW_PRIORITY], "low priority")
    sandbox.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()


def test_an_extra_worker_starts_with_low_priority(stored):
    sandbox = Sandbox(workers=1)
    seen = []

    def load_while_the_extra_worker_waits():
        seen.extend(niceness_of(sandbox.pids()))
        return stored({"a": 1})()

    def load_while_the_only_worker_waits():
        query_with(sandbox, load_while_the_extra_worker_waits, "another")
        return stored({"a": 1})()

    query_with(sandbox, load_while_the_only_worker_waits, "one")
    sandbox.close()
    assert seen == [niceness_of([0])[0], niceness_of([0])[0] + LOW_PRIORITY]


def test_the_workers_of_a_garbage_collected_sandbox_exit(stored):
    sandbox = Sandbox()
    query(sandbox, stored)
    (pid,) = sandbox.pids()
    del sandbox
    gc.collect()

    wait_until_ended(pid)


@pytest.mark.parametrize("how", ["file", "stdin", "command"])
def test_the_sandbox_works_without_a_main_guard_and_the_script_exits(how, tmp_path):
    script = CALL + "print('called', call(), sandbox.pids()[0])\n"
    if how == "file":
        path = tmp_path / "script.py"
        path.write_text(script)
        done = python(str(path))
    elif how == "stdin":
        done = python("-", text=script)
    else:
        done = python("-c", script)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    called, value, pid = done.stdout.split()
    assert (called, value) == ("called", "7")
    wait_until_ended(int(pid))


def test_a_worker_does_not_run_the_main_module_or_import_it(tmp_path):
    (tmp_path / "script.py").write_text("print('imported')\n" + CALL + "call()\n")
    done = python("script.py", cwd=tmp_path)

    assert done.stdout == "imported\n"


@pytest.mark.parametrize("state", ["idle", "stuck"])
def test_no_worker_outlives_a_parent_that_was_killed(state):
    script = CALL + textwrap.dedent(
        """
        import threading
        call()
        if {stuck}:
            threading.Thread(target=call, args=("last(range(1e12))",)).start()
        print(sandbox.pids()[0], flush=True)
        threading.Event().wait()
        """
    ).format(stuck=state == "stuck")
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        if state == "stuck":
            wait_until_computing(pid)
        parent.send_signal(signal.SIGKILL)

    wait_until_ended(pid)


def test_a_stuck_worker_is_stopped_even_if_the_parent_ignores_or_blocks_signals():
    script = (
        "import signal\n"
        "signal.signal(signal.SIGALRM, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n" + CALL + "print(call())\n"
        "from pathlib import Path\n"
        "status = Path(f'/proc/{sandbox.pids()[0]}/status').read_text()\n"
        "for line in status.splitlines():\n"
        "    if line.startswith(('SigBlk', 'SigIgn')): print(line.split()[1])\n"
    )
    value, blocked, ignored = python("-c", script).stdout.split()

    assert value == "7"
    assert not int(blocked, 16) & (1 << (signal.SIGALRM - 1))
    assert not int(ignored, 16) & (1 << (signal.SIGALRM - 1))
    assert int(ignored, 16) & (1 << (signal.SIGINT - 1))


def test_a_forked_child_uses_its_own_workers(sandbox, stored):
    query(sandbox, stored)
    (pid,) = sandbox.pids()
    script = CALL + textwrap.dedent(
        """
        import os
        call()
        parents = sandbox.pids()
        child = os.fork()
        if child == 0:
            assert call() == "7"
            assert sandbox.pids() != parents
            sandbox.close()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert call() == "7"
        assert sandbox.pids() == parents
        print("done")
        """
    )
    done = python("-c", script)

    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
    assert is_running(pid)


@pytest.mark.anyio
async def test_on_an_event_loop_waiting_callers_block_neither_the_loop_nor_each_other(stored):
    sandbox = Sandbox(timeout=0.8)

    async def call(program, namespace):
        return await sandbox.arun(
            "query", ARGS | {"filter": program}, key="k", namespace=namespace, load=stored({"a": 1})
        )

    await call(".", "alice")
    hostile = [asyncio.create_task(call("last(range(1e12))", "mallory")) for _ in range(2)]
    await until(lambda: len(sandbox.pids()) == 2, "a worker has started for mallory")
    answered = 0
    while not any(task.done() for task in hostile):
        assert (await call(".a", "alice")).text == "1"
        answered += 1
    errors = await asyncio.gather(*hostile, return_exceptions=True)

    assert answered > 1  # all but the last while both were running
    assert all("Stopped after 0.8 s" in str(error) for error in errors)
    assert len(sandbox.pids()) <= 2
    sandbox.close()


@pytest.mark.anyio
async def test_a_cancelled_call_releases_its_namespace(sandbox, stored):
    args = {"key": "k", "namespace": "n", "load": stored({"a": 1})}
    await sandbox.arun("query", ARGS | {"filter": "."}, **args)
    task = asyncio.create_task(sandbox.arun("query", ARGS | {"filter": "last(range(1e12))"}, **args))
    await until(lambda: state_of(sandbox.pids()[0]) == "R", "the worker computes")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await sandbox.arun("query", ARGS | {"filter": ".a"}, **args)).text == "1"


def test_several_event_loops_and_threads_share_one_sandbox(sandbox, stored):
    async def call():
        answer = await sandbox.arun("query", ARGS | {"filter": ".a"}, key="k", namespace="n", load=stored({"a": 1}))
        return answer.text

    assert [asyncio.run(call()) for _ in range(3)] == ["1"] * 3
    texts = []
    threads = [threading.Thread(target=lambda: texts.append(asyncio.run(call()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["1"] * 4


def test_a_surviving_forked_child_does_not_keep_the_killed_parent_s_worker_alive():
    script = CALL + textwrap.dedent(
        """
        import os, signal
        call()
        child = os.fork()
        if child == 0:
            signal.pause()
        print(sandbox.pids()[0], child, flush=True)
        signal.pause()
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        worker, child = map(int, parent.stdout.readline().split())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        try:
            wait_until_ended(worker)
            assert is_running(child)
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.anyio
async def test_the_error_of_a_task_does_not_hold_its_object(sandbox, stored):
    def load():
        return stored({"a": 1})()

    freed = threading.Event()
    weakref.finalize(load, freed.set)
    gc.disable()
    try:
        with contextlib.suppress(FilterError):  # `pytest.raises` would hold it
            await sandbox.arun("query", ARGS | {"filter": "error"}, key="k", namespace="n", load=load)
            pytest.fail("it raised nothing")
        del load
        assert await asyncio.to_thread(freed.wait, DEADLINE)  # a thread may hold it for a moment
    finally:
        gc.enable()
