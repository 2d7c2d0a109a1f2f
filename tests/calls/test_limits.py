"""Limits by name, and rounds."""

from coatcheck.calls.call_budget import Round, Rounds
from coatcheck.calls.limits import Limits


def test_never_goes_before_all_and_the_first_pattern_counts():
    limits = Limits(100, (("git_*", 10), ("git_log", 50)), never=("git_status",), always=("git_*",))
    assert limits.of("git_log") == 10
    assert limits.of("other") == 100
    assert limits.of("git_status") is None
    assert limits.keeps_always("git_log")
    assert not limits.keeps_always("git_status")
    assert limits.of("GIT_LOG") == 100


def test_a_round_lasts_while_calls_overlap_and_for_the_window_after():
    now = [0.0]
    current = Round(window=0.5, clock=lambda: now[0])
    current.asked()
    current.spent = 70
    now[0] = 100
    current.asked()
    current.answered()
    current.answered()
    assert current.spent == 70
    now[0] = 100.4
    current.asked()
    assert current.spent == 70
    current.answered()
    now[0] = 101
    current.asked()
    assert current.spent == 0


def test_each_caller_has_a_round_and_a_stranger_a_new_one_each_time():
    rounds = Rounds(most=2)
    first = rounds.of("ann")
    assert rounds.of("ann") is first
    assert rounds.of("bob") is not first
    assert rounds.of(None) is not rounds.of(None)
    rounds.of("ann")
    rounds.of("eve")
    assert rounds.of("ann") is first
    assert rounds.of("bob").spent == 0
    assert rounds.of("ann") is first
