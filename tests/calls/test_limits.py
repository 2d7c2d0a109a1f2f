"""Limits by name and in tokens, and budgets of concurrent calls."""

import base64
import json
from random import Random

import pytest

from coatcheck.calls.interceptor import Interceptor
from coatcheck.calls.limits import CallBudget, CallBudgets, Limits

RANDOM = Random(7)
DENSE = {
    "numbers": "\n".join(" ".join(f"{RANDOM.uniform(0, 100):.3f}" for _ in range(8)) for _ in range(105)),
    "hex": RANDOM.randbytes(2_800).hex(),
    "base64": base64.b64encode(RANDOM.randbytes(3_900)).decode(),
    "Chinese": "今天的会议讨论了下一季度的产品计划，包括新功能的开发进度和市场推广策略。" * 145,  # noqa: RUF001
    "array of numbers": json.dumps([RANDOM.randrange(10**5) for _ in range(770)]),
}
ORDINARY = {
    "prose": "The quick brown fox jumps over the lazy dog while nobody looks. " * 120,
    "records": json.dumps([{"id": n, "name": f"user {n}", "is_active": True, "team": "blue"} for n in range(110)]),
    "Russian": "Сервер читает файл настроек и при запуске проверяет соединение с базой данных. " * 90,  # noqa: RUF001
}


def test_never_keep_takes_precedence_and_the_first_matching_pattern_counts():
    limits = Limits(100, (("git_*", 10), ("git_log", 50)), never=("git_status",), always=("git_*",))
    assert limits.of("git_log") == 10
    assert limits.of("other") == 100
    assert limits.of("git_status") is None
    assert limits.always_keeps("git_log")
    assert not limits.always_keeps("git_status")
    assert limits.of("GIT_LOG") == 100


def test_a_budget_lasts_while_calls_overlap_and_for_a_window_afterwards():
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


def test_each_caller_has_a_budget_and_an_anonymous_caller_a_new_one_each_time():
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


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [*DENSE, *ORDINARY])
async def test_a_result_of_more_tokens_than_ordinary_text_is_kept_below_the_limit(explorer, kind):
    text = DENSE.get(kind) or ORDINARY[kind]
    assert 5_000 < len(text) < 8_000
    result = {"content": [{"type": "text", "text": text}]}
    kept = await Interceptor(explorer).result("t", result)
    assert (kept is not result) == (kind in DENSE)


@pytest.mark.anyio
async def test_structured_content_counts_its_tokens_too(explorer):
    result = {"content": [], "structuredContent": {"values": [RANDOM.randrange(10**5) for _ in range(1_000)]}}
    assert "$stored" in (await Interceptor(explorer).result("t", result))["structuredContent"]


@pytest.mark.anyio
async def test_tokens_count_in_the_budget_of_concurrent_calls(explorer):
    numbers = {"content": [{"type": "text", "text": DENSE["numbers"][:4_000]}]}  # as many tokens as 6,200 characters
    interceptor = Interceptor(explorer, limits=Limits(for_concurrent_calls=12_000))
    budget = CallBudget(clock=lambda: 0.0)
    passed = [await interceptor.result("t", numbers, budget=budget) is numbers for _ in range(3)]
    assert passed == [True, False, False]
