"""Limits by name, and budgets of concurrent calls."""

from coatcheck.calls.call_budget import CallBudget, CallBudgets
from coatcheck.calls.limits import Limits


def test_never_goes_before_all_and_the_first_pattern_counts():
    limits = Limits(100, (("git_*", 10), ("git_log", 50)), never=("git_status",), always=("git_*",))
    assert limits.of("git_log") == 10
    assert limits.of("other") == 100
    assert limits.of("git_status") is None
    assert limits.always_keeps("git_log")
    assert not limits.always_keeps("git_status")
    assert limits.of("GIT_LOG") == 100


def test_a_budget_lasts_while_calls_overlap_and_for_the_window_after():
    now = [0.0]
    current = CallBudget(window=0.5, clock=lambda: now[0])
    current.call_started()
    current.spent = 70
    now[0] = 100
    current.call_started()
    current.call_ended()
    current.call_ended()
    assert current.spent == 70
    now[0] = 100.4
    current.call_started()
    assert current.spent == 70
    current.call_ended()
    now[0] = 101
    current.call_started()
    assert current.spent == 0


def test_each_caller_has_a_budget_and_a_stranger_a_new_one_each_time():
    budgets = CallBudgets(most=2)
    first = budgets.of("ann")
    assert budgets.of("ann") is first
    assert budgets.of("bob") is not first
    assert budgets.of(None) is not budgets.of(None)
    budgets.of("ann")
    budgets.of("eve")
    assert budgets.of("ann") is first
    assert budgets.of("bob").spent == 0
    assert budgets.of("ann") is first
