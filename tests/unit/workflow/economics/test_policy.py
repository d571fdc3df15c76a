"""Quotas, and what is said of them."""

import pytest

from botyard.workflow.economics.policy import (
    CONCURRENCY,
    ProviderBudgetPolicy,
    QuotaPolicy,
    Row,
    budgets_of,
    described,
    policy_for,
    running_low,
    violations,
)

HOUR = 3_600_000


def test_only_limits_that_are_set_count() -> None:
    limits = QuotaPolicy(max_concurrent=2, tokens_per_hour=100, total_requests=0).limits()
    assert [(limit.name, limit.what, limit.period, limit.most) for limit in limits] == [
        ("max_concurrent", "turns", "total", 2),
        ("total_requests", "requests", "total", 0),
        ("tokens_per_hour", "tokens", "hour", 100),
    ]
    assert QuotaPolicy().limits() == ()


@pytest.mark.parametrize("most", [-1, "many", True, float("nan")])
def test_a_limit_that_is_no_number_says_so(most: object) -> None:
    with pytest.raises(ValueError, match="requests_per_day"):
        QuotaPolicy(requests_per_day=most).limits()  # type: ignore[arg-type]


def test_policies_are_found_by_type_of_user_in_any_form() -> None:
    class Own:
        requests_per_day = 3

    policies = {
        "paid": QuotaPolicy(total_requests=1),
        "registered": {"requests_per_day": 2, "more": 1},
        "default": Own(),
    }
    assert policy_for(policies, "paid").total_requests == 1
    assert policy_for(policies, "registered").requests_per_day == 2
    assert policy_for(policies, "anonymous").requests_per_day == 3
    assert policy_for(None, "anonymous") == QuotaPolicy()


def test_what_is_used_up_is_named_and_turns_at_once_come_last() -> None:
    rows = [Row("max_concurrent", 1, 1), Row("requests_per_day", 5, 5, HOUR), Row("tokens_per_day", 9, 3, HOUR)]
    assert violations(rows) == ["requests_per_day", CONCURRENCY]
    told = described(rows)
    assert told["remaining"] == {"max_concurrent": 0, "requests_per_day": 0, "tokens_per_day": 6}
    assert (told["messages_remaining"], told["retry_after_sec"], told["retry_scope"]) == (0, 3600, "day")
    assert told["retry_after_hours"] == 1.0


def test_without_limits_nothing_is_said() -> None:
    assert described([])["messages_remaining"] is None
    assert described([Row("total_requests", 1, 1)])["retry_after_sec"] is None


def test_a_fifth_is_low() -> None:
    assert running_low([Row("requests_per_day", 10, 8), Row("tokens_per_day", 10, 7)]) == ["requests_per_day"]


def test_budgets_of_providers_are_in_coins() -> None:
    policies = {"openai": ProviderBudgetPolicy(usd_per_day=2.5), "acme": {"usd_per_hour": 0, "usd_per_month": 1}}
    assert [(each.provider, each.period, each.coins) for each in budgets_of(policies)] == [
        ("openai", "day", 2_500_000),
        ("acme", "hour", 0),
        ("acme", "month", 1_000_000),
    ]
    assert budgets_of(None) == ()
    with pytest.raises(ValueError, match="'x'"):
        budgets_of({"x": {"usd_per_day": -1}})
