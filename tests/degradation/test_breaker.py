import threading

import pytest

from coatcheck.backends import BreakerBackend, CircuitBreaker, InMemoryBackend, RedisBackend, as_backend
from coatcheck.errors import ObjectStoreUnavailable
from coatcheck.testing import BackendContract
from tests.waiting import wait_until


class Refused(ObjectStoreUnavailable):
    answered = True


class Flaky(InMemoryBackend):
    """A backend that can be made to fail; it counts the calls."""

    def __init__(self):
        super().__init__()
        self.wrong = None
        self.calls = 0
        self.pings = 0

    def get(self, key):
        self.calls += 1
        if self.wrong:
            raise self.wrong
        return super().get(key)

    def ping(self):
        self.pings += 1
        if self.wrong:
            raise self.wrong


@pytest.fixture
def flaky():
    return Flaky()


@pytest.fixture
def guarded(flaky):
    guarded = BreakerBackend(flaky, failures=3, first_pause=0.01, longest_pause=0.02)
    yield guarded
    guarded.stop()


def fail(guarded, times):
    for _ in range(times):
        with pytest.raises(ObjectStoreUnavailable):
            guarded.get("a")


class TestMemoryBehindABreaker(BackendContract):
    @pytest.fixture
    def backend(self):
        return BreakerBackend(InMemoryBackend())


class TestRedisBehindABreaker(BackendContract):
    @pytest.fixture
    def backend(self, redis_server):
        backend = BreakerBackend(RedisBackend(redis_server.url))
        yield backend
        backend.close()


def test_the_breaker_has_the_optional_methods_of_its_backend():
    redis, memory = BreakerBackend(RedisBackend("redis://127.0.0.1:1")), BreakerBackend(InMemoryBackend())
    memory.set("a", b"abc", None)
    memory.touch("a")
    assert (memory.head("a", 2), list(memory.scan("")), memory.statistics().bytes) == (b"ab", ["a"], 3)
    assert (memory.blocking, redis.blocking) == (False, True)
    assert redis.statistics() is None
    assert redis.generate_id() != redis.generate_id()


class RaisingBackend:
    """A backend of four methods that raises its own exceptions."""

    def generate_id(self):
        return "obj_1"

    def fail(self, *_):
        raise ConnectionError

    set = get = delete = fail


def test_unexpected_errors_of_a_plain_backend_open_the_breaker_too():
    guarded = BreakerBackend(RaisingBackend(), first_pause=60)
    fail(guarded, 3)
    assert guarded.breaker.is_open
    guarded.stop()


def test_after_consecutive_failures_the_store_is_not_called(guarded, flaky):
    flaky.wrong = ObjectStoreUnavailable("It is down.")
    fail(guarded, 3)
    assert guarded.breaker.is_open
    with pytest.raises(
        ObjectStoreUnavailable, match=r"unavailable at the moment; try again in a few seconds\. It is down"
    ):
        guarded.get("a")
    assert flaky.calls == 3


def test_a_success_in_between_restarts_the_count(guarded, flaky):
    for _ in range(3):
        flaky.wrong = ObjectStoreUnavailable("It is down.")
        fail(guarded, 2)
        flaky.wrong = None
        guarded.get("a")
    assert not guarded.breaker.is_open


def test_refusals_of_the_store_never_open_the_breaker(guarded, flaky):
    flaky.wrong = Refused("No memory left.")
    fail(guarded, 20)
    assert (guarded.breaker.is_open, flaky.calls) == (False, 20)


def test_the_breaker_closes_when_the_store_answers_again(guarded, flaky):
    guarded.set("a", b"1", None)
    flaky.wrong = ObjectStoreUnavailable("It is down.")
    fail(guarded, 3)
    wait_until(lambda: flaky.pings >= 3, "the store was probed repeatedly")
    assert guarded.breaker.is_open
    flaky.wrong = None
    wait_until(lambda: not guarded.breaker.is_open, "the breaker closes")
    assert guarded.get("a") == b"1"


def test_an_explicit_ping_is_sent_and_closes_the_breaker_too(flaky):
    guarded = BreakerBackend(flaky, first_pause=60)
    flaky.wrong = ObjectStoreUnavailable("It is down.")
    fail(guarded, 3)
    with pytest.raises(ObjectStoreUnavailable):
        guarded.ping()
    assert guarded.breaker.is_open
    flaky.wrong = None
    guarded.ping()
    assert not guarded.breaker.is_open


def test_a_store_that_refuses_the_probe_counts_as_available(guarded, flaky):
    flaky.wrong = ObjectStoreUnavailable("It is down.")
    fail(guarded, 3)
    flaky.wrong = Refused("Read-only.")
    wait_until(lambda: not guarded.breaker.is_open, "the breaker closes")


def test_many_threads_open_the_breaker_once_and_its_thread_ends(guarded, flaky):
    flaky.wrong = ObjectStoreUnavailable("It is down.")
    threads = [threading.Thread(target=fail, args=(guarded, 20)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(thread.name == "coatcheck-breaker" for thread in threading.enumerate()) == 1
    guarded.stop()
    wait_until(lambda: all(thread.name != "coatcheck-breaker" for thread in threading.enumerate()), "its thread ends")


def test_a_probe_that_fails_unexpectedly_is_repeated():
    answers = iter([RuntimeError("unforeseen"), None])

    def probe():
        answer = next(answers)
        if answer:
            raise answer

    breaker = CircuitBreaker(probe, failures=1, first_pause=0.01, longest_pause=0.01)
    breaker.note(ObjectStoreUnavailable("away"))
    wait_until(lambda: not breaker.is_open, "the breaker closes")


@pytest.mark.anyio
async def test_asynchronous_calls_and_listings_are_refused_too():
    guarded = BreakerBackend(RedisBackend("redis://127.0.0.1:1"), first_pause=60)
    full = as_backend(guarded)
    for _ in range(3):
        with pytest.raises(ObjectStoreUnavailable, match="refused the connection"):
            await full.aget("a")
    for call in (lambda: full.aset("a", b"", None), lambda: full.adelete("a"), lambda: full.ahead("a", 1)):
        with pytest.raises(ObjectStoreUnavailable, match="at the moment"):
            await call()
    with pytest.raises(ObjectStoreUnavailable, match="at the moment"):
        [key async for key in full.ascan("")]
    with pytest.raises(ObjectStoreUnavailable, match="at the moment"):
        list(guarded.scan(""))
    guarded.stop()
    await full.aclose()
