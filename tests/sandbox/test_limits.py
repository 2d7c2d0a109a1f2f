import os
import signal
import threading

import pytest

from coatcheck.codec import Metadata, ToolResult, encode
from coatcheck.errors import (
    CoatcheckError,
    ObjectNotFound,
    SandboxFailed,
    SandboxMemoryExceeded,
    SandboxOutputExceeded,
    SandboxTimeout,
)
from coatcheck.explorer.sandbox import Sandbox
from tests.waiting import wait_until, within

MEBIBYTE = 1024 * 1024
ARGS = {"reference": "@obj_1", "path": "", "limit": 1000}


def query(sandbox, stored, program, value=None, *, key="k", namespace="n"):
    return sandbox.run("query", ARGS | {"filter": program}, key=key, namespace=namespace, load=stored(value))


def test_an_object_over_the_memory_limit_is_refused_and_the_next_call_works(stored):
    sandbox = Sandbox(memory_bytes=128 * MEBIBYTE, timeout=30)
    try:
        with pytest.raises(SandboxMemoryExceeded, match="128 MiB"):
            sandbox.run("show", ARGS, key="big", namespace="n", load=stored("x" * (160 * MEBIBYTE)))
        assert query(sandbox, stored, ".a", {"a": 1}).text == "1"
    finally:
        sandbox.close()


def test_a_long_text_is_shown_although_the_fast_decoder_would_need_more_memory(stored):
    sandbox = Sandbox(memory_bytes=400 * MEBIBYTE, timeout=30)
    result = ToolResult({"content": [{"type": "text", "text": "x" * (35 * MEBIBYTE)}]})
    try:
        answer = sandbox.run("show", ARGS | {"headline": True}, key="big", namespace="n", load=stored(result))
        assert "36,700,160 characters" in answer.text
    finally:
        sandbox.close()


def test_a_filter_over_the_memory_limit_is_stopped_with_the_limit_and_what_to_do(stored):
    sandbox = Sandbox(memory_bytes=300 * MEBIBYTE, timeout=30)
    try:
        with pytest.raises(SandboxMemoryExceeded, match=r"300 MiB.*Ask for less"):
            query(sandbox, stored, '"x" * 400000000')
        assert query(sandbox, stored, ".a", {"a": 1}).text == "1"
    finally:
        sandbox.close()


def test_a_result_over_the_output_limit_is_refused_and_the_next_call_works(stored):
    sandbox = Sandbox(output_bytes=MEBIBYTE, timeout=30)
    try:
        with pytest.raises(SandboxOutputExceeded, match="1 MiB"):
            query(sandbox, stored, '"x" * 3000000')
        assert query(sandbox, stored, '"x" * 1000').payload == b"x" * 1000
    finally:
        sandbox.close()


def test_a_memory_limit_too_low_to_start_is_an_error_that_says_so(stored):
    sandbox = Sandbox(memory_bytes=8 * MEBIBYTE)
    with pytest.raises(SandboxFailed, match="memory limit is too low"):
        query(sandbox, stored, ".")
    sandbox.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_an_idle_worker_that_was_killed_from_outside_is_replaced(sandbox, stored, how):
    query(sandbox, stored, ".")
    (killed,) = sandbox.pids()
    os.kill(killed, how)

    assert query(sandbox, stored, ".a", {"a": 2}, key="other").text == "2"
    assert killed not in sandbox.pids()


def test_a_task_whose_worker_is_killed_from_outside_is_tried_again(sandbox, stored):
    killed = []

    def load():
        if not killed:
            killed.extend(sandbox.pids())
            os.kill(killed[0], signal.SIGKILL)
        encoded = encode([1, 2, 3])
        return encoded.metadata, encoded.payload

    answer = sandbox.run("query", ARGS | {"filter": "length"}, key="k", namespace="n", load=load)

    assert answer.text == "3"
    assert sandbox.pids() != killed


def test_an_exception_while_loading_reaches_the_caller_and_the_worker_keeps_running(sandbox, stored):
    query(sandbox, stored, ".")
    before = sandbox.pids()

    def load():
        raise ObjectNotFound("obj_gone")

    with pytest.raises(ObjectNotFound, match="obj_gone"):
        sandbox.run("query", ARGS | {"filter": "."}, key="gone", namespace="n", load=load)

    assert query(sandbox, stored, ".a", {"a": 3}, key="x").text == "3"
    assert sandbox.pids() == before


def test_the_second_access_to_an_object_neither_loads_nor_sends_it(sandbox, stored):
    load = stored([{"id": number, "name": f"user {number}"} for number in range(50_000)])
    for _ in range(3):
        answer = sandbox.run("show", ARGS | {"path": "[7].name"}, key="big", namespace="n", load=load)

    assert answer.text == "user 7"
    assert load.calls == 1


def test_objects_beyond_the_cache_are_sent_again_and_the_recent_ones_are_kept(stored):
    sandbox = Sandbox(workers=1, cache_bytes=MEBIBYTE, memory_bytes=300 * MEBIBYTE, timeout=30)
    first, second = stored(["x" * 80_000]), stored(["y" * 80_000])
    try:
        for load, key in ((first, "1"), (second, "2"), (second, "2"), (first, "1")):
            sandbox.run("show", ARGS, key=key, namespace="n", load=load)
    finally:
        sandbox.close()

    assert (first.calls, second.calls) == (2, 1)


def test_without_a_cache_every_access_loads(stored):
    sandbox = Sandbox(cache_bytes=0, timeout=30)
    load = stored([1])
    for _ in range(2):
        sandbox.run("show", ARGS, key="k", namespace="n", load=load)
    sandbox.close()

    assert load.calls == 2


@pytest.mark.alone
def test_calls_of_one_namespace_wait_for_each_other_up_to_the_queue_timeout(stored):
    sandbox = Sandbox(timeout=0.2)
    release = threading.Event()

    def slow_load():
        release.wait(20)
        return stored(1)()

    blocker = threading.Thread(
        target=lambda: sandbox.run("show", ARGS, key="slow", namespace="n", load=slow_load), daemon=True
    )
    blocker.start()
    wait_until(sandbox.pids, "a worker has started")
    with pytest.raises(SandboxTimeout, match=r"none ended within 1 s"):
        query(sandbox, stored, ".")
    release.set()
    blocker.join()
    assert query(sandbox, stored, ".").text == "null"
    sandbox.close()


def test_a_stuck_load_of_many_namespaces_takes_extra_workers_that_end_afterwards(stored):
    sandbox = Sandbox(workers=1)
    release, arrived = threading.Event(), threading.Barrier(4)

    def slow_load():
        arrived.wait(20)
        release.wait(20)
        return stored(1)()

    threads = [
        threading.Thread(
            target=lambda name=name: sandbox.run("show", ARGS, key=name, namespace=name, load=slow_load), daemon=True
        )
        for name in ("a", "b", "c")
    ]
    for thread in threads:
        thread.start()
    arrived.wait(20)
    assert len(sandbox.pids()) == 3
    assert query(sandbox, stored, ".a", {"a": 1}, namespace="d").text == "1"
    release.set()
    for thread in threads:
        thread.join()

    assert len(sandbox.pids()) == 1
    sandbox.close()


def test_arguments_too_long_for_a_request_are_refused(sandbox, stored):
    with pytest.raises(ValueError, match=r"arguments are longer than"):
        query(sandbox, stored, "." + " " * 2_000_000)
    assert query(sandbox, stored, ".a", {"a": 1}, key="x").text == "1"


def test_an_unexpected_fault_in_a_worker_reveals_no_internals(sandbox, stored):
    with pytest.raises(SandboxFailed) as raised:
        sandbox.run("no such operation", ARGS, key="k", namespace="n", load=stored(1))
    assert "no such operation" not in str(raised.value)
    assert "KeyError" not in str(raised.value)


ROWS = b"[" + b",".join(b'{"id":%d,"name":"user %d"}' % (n, n) for n in range(50_000)) + b"]"


def many_rows(times):
    payload = b'{"rows":[' + b",".join([ROWS] * times) + b"]}"
    metadata = Metadata(kind="json", size=len(payload), type="object", length=1)
    return f"{times} times", lambda: (metadata, payload)


def ask_for(sandbox, program, rows):
    key, load = rows
    try:
        with within(3.0):
            return sandbox.run("query", ARGS | {"filter": program}, key=key, namespace="n", load=load).text
    except CoatcheckError as error:
        return str(error)


@pytest.mark.alone
def test_an_object_too_large_for_a_filter_s_time_limit_is_refused_immediately_with_a_suggestion(sandbox):
    rows = many_rows(48)  # 80 MB, for which jq takes 5 s
    ask_for(sandbox, "1", many_rows(1))
    answer = ask_for(sandbox, "[.rows[][].id] | add", rows)
    assert "characters of JSON" in answer  # refused before the start: otherwise the error would be "Stopped after 2 s"
    assert ".[0:10000] |" in answer


@pytest.mark.alone
def test_a_filter_that_begins_with_a_path_reads_only_that_part(sandbox):
    rows = many_rows(20)
    assert ask_for(sandbox, ".rows[19][49000:49003] | map(.id)", rows) == "[49000,49001,49002]"
    assert ask_for(sandbox, ".rows[3] | length", rows) == "50000"


@pytest.mark.alone
def test_an_answer_arrives_within_three_seconds_for_an_object_of_any_size(sandbox):
    ask_for(sandbox, "1", many_rows(1))
    answer = ask_for(sandbox, "[.rows[][].id] | add", many_rows(18))  # 29 MB: started, and possibly stopped
    assert answer == "22499550000" or "Stopped after 2 s" in answer or "characters of JSON" in answer
