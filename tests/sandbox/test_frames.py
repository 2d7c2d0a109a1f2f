import json
import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coatcheck.explorer.operations import Answer
from coatcheck.explorer.sandbox.channel import (
    PREFIX,
    BodyTooLarge,
    Channel,
    DeadlinePassed,
    FrameError,
    WorkerGone,
    frame_head,
    read_header,
    read_prefix,
)


@pytest.fixture
def pipes():
    """A channel, and the ends that a worker would read and write."""
    to_worker, from_worker = os.pipe(), os.pipe()
    channel = Channel(to_worker[1], from_worker[0])
    yield channel, to_worker[0], from_worker[1]
    channel.close()
    for descriptor in (to_worker[0], from_worker[1]):
        os.close(descriptor)


def answering(channel, descriptor, data):
    os.write(descriptor, data)
    return channel.receive(1000, time.monotonic() + 5)


def test_a_frame_arrives_unchanged(pipes):
    channel, _, worker = pipes
    header = {"text": "\ud800 ☃", "number": 1}

    assert answering(channel, worker, frame_head(header, 3) + b"abc") == (header, b"abc")


@pytest.mark.parametrize(
    "data",
    [
        PREFIX.pack(2**32 - 1, 0),
        PREFIX.pack(4, 0) + b"\xff\xfe\x00\x01",
        PREFIX.pack(2, 0) + b"[]",
        PREFIX.pack(60_000, 0) + b"[" * 60_000,
    ],
)
def test_an_answer_that_is_not_a_frame_is_refused(pipes, data):
    channel, _, worker = pipes
    with pytest.raises(FrameError):
        answering(channel, worker, data)


def test_an_answer_with_a_body_over_the_limit_is_refused_before_it_is_read(pipes):
    channel, _, worker = pipes
    with pytest.raises(BodyTooLarge):
        answering(channel, worker, PREFIX.pack(2, 2**60) + b"{}")


def test_waiting_for_a_worker_that_does_not_answer_ends_at_the_deadline(pipes):
    channel, _, _ = pipes
    started = time.monotonic()
    with pytest.raises(DeadlinePassed):
        channel.receive(1000, started + 0.05)
    assert time.monotonic() - started >= 0.05


def test_sending_to_a_worker_that_does_not_read_ends_at_the_deadline(pipes):
    channel, _, _ = pipes
    started = time.monotonic()
    with pytest.raises(DeadlinePassed):
        channel.send({}, b"x" * 5_000_000, started + 0.05)
    assert time.monotonic() - started >= 0.05


def test_sending_stops_when_the_worker_answers_early(pipes):
    channel, _, worker = pipes
    os.write(worker, frame_head({"status": "error"}, 0))

    assert channel.send({}, b"x" * 5_000_000, time.monotonic() + 5) is False


def test_a_worker_that_has_exited_is_detected_immediately():
    to_worker, from_worker = os.pipe(), os.pipe()
    channel = Channel(to_worker[1], from_worker[0])
    os.close(to_worker[0])
    os.close(from_worker[1])

    assert channel.send({}, b"x", time.monotonic() + 5) is False
    with pytest.raises(WorkerGone):
        channel.receive(1000, time.monotonic() + 5)
    channel.close()


@given(st.binary(max_size=64), st.integers(0, 2**20))
def test_any_bytes_are_a_frame_or_a_frame_error(data, most):
    try:
        if len(data) >= PREFIX.size:
            read_prefix(data[: PREFIX.size], most)
        assert isinstance(read_header(data), dict)
    except FrameError:
        pass


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(["text_bytes", "has_payload", "metadata", "facts", "x"]), json_values),
    st.binary(max_size=40),
)
def test_any_frame_of_a_worker_is_an_answer_or_a_value_error(header, body):
    try:
        answer = Answer.from_wire(json.loads(json.dumps(header)), body)
    except ValueError:
        return
    assert isinstance(answer.text, str)
    assert answer.payload is None or answer.metadata["size"] == len(answer.payload)
