"""Limits by name, and rounds."""

from coatcheck.wire.limits import Limits, Round


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
