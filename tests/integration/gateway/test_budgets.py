"""…/budget: what is spent, and grants, of a bot whose replicas have told their budgets."""

from typing import Any

import pytest

from botyard.budget.errors import BudgetExceeded
from tests.integration.budget.terms import call
from tests.integration.gateway.spending import Spending, spending_of
from tests.integration.gateway.system import BASE, System, bearer, problem

NORA = f"{BASE}/personas/nora/budget"
GRANTS = f"{NORA}/grants"


@pytest.fixture
async def spending(system: System) -> Spending:
    return await spending_of(system, daily=100)


async def read(system: System, path: str, user: str = "keeper") -> dict[str, Any]:
    answer = await system.http.get(path, headers=bearer(user))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_persona_tells_spent_and_reserved_apart(system: System, spending: Spending) -> None:
    await spending.spend(1, 10)
    await spending.meter.reserve(call(2, 10, 20))
    found = await read(system, f"{NORA}?thread=t1&days=2", "ann")
    day, thread = found["accounts"]
    assert {name: day[name] for name in ("account", "limit", "spent", "reserved", "remaining", "exceeded")} == {
        "account": "persona:nora",
        "limit": 100,
        "spent": 10,
        "reserved": 30,
        "remaining": 60,
        "exceeded": False,
    }
    assert (thread["account"], thread["period"], thread["spent"]) == ("thread:nora/t1", "", 0)
    assert [(each["account"], each["coins"], each["counts"]["calls"]) for each in found["days"]] == [
        ("persona:nora", 10, 1)
    ]


async def test_the_bots_budget_is_told_to_those_who_operate_it(system: System, spending: Spending) -> None:
    await spending.spend(1, 10)
    found = await read(system, f"{BASE}/budget")
    assert [(line["account"], line["limit"], line["spent"]) for line in found["accounts"]] == [
        ("bot", None, 10),
        ("persona:nora", 100, 10),
    ]
    problem(await system.http.get(f"{BASE}/budget", headers=bearer("ann")), 403, "forbidden")


async def test_a_grant_answers_a_request_and_counts_once(system: System, spending: Spending) -> None:
    with pytest.raises(BudgetExceeded):
        await spending.meter.reserve(call(1, 120, 20))
    [ask] = (await read(system, NORA))["asks"]
    assert (ask["persona"], ask["needed"], ask["limit"]) == ("nora", 136, 100)
    for duplicate in (False, True):
        answer = await system.http.post(GRANTS, json={"coins": 50, "id": "g1"}, headers=bearer("keeper"))
        assert (answer.status_code, answer.json()) == (201, {"account": ask["account"], "duplicate": duplicate})
    found = await read(system, NORA)
    assert (found["asks"], found["accounts"][0]["granted"], found["accounts"][0]["remaining"]) == ([], 50, 150)
    assert (await spending.meter.reserve(call(1, 120, 20))).coins == 140


@pytest.mark.parametrize(
    "body", [{}, {"coins": 0}, {"coins": -5}, {"coins": 10**16}, {"coins": 5, "task": "a", "thread": "b"}], ids=str
)
async def test_what_is_no_grant_is_refused(system: System, spending: Spending, body: dict[str, Any]) -> None:
    problem(await system.http.post(GRANTS, json=body, headers=bearer("keeper")), 422, "invalid-body")


async def test_only_those_who_operate_the_bot_grant(system: System, spending: Spending) -> None:
    answer = await system.http.post(GRANTS, json={"coins": 50}, headers=bearer("ann"))
    assert "`operate`" in problem(answer, 403, "forbidden")["detail"]


async def test_what_nobody_knows_is_not_made_up(system: System) -> None:
    problem(await system.http.get(NORA, headers=bearer("ann")), 503, "bot-not-ready")
    problem(await system.http.post(GRANTS, json={"coins": 5}, headers=bearer("keeper")), 503, "bot-not-ready")
    path = f"{BASE}/personas/nobody/budget"
    problem(await system.http.get(path, headers=bearer("ann")), 404, "unknown-persona")


async def test_a_time_zone_that_does_not_exist_is_named(system: System) -> None:
    await spending_of(system, daily=100, time_zone="Mars/Base")
    found = problem(await system.http.get(NORA, headers=bearer("ann")), 409, "budget-unusable")
    assert "Mars/Base" in found["detail"]
