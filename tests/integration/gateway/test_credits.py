"""…/credits: tokens that users paid for."""

from botyard.budget import accounts
from botyard.budget.reports import Reports
from tests.integration.gateway.system import BASE, ECHO, System, bearer, problem


async def test_a_credit_counts_once_and_only_from_who_operates_the_bot(system: System) -> None:
    body = {"user": "ann", "tokens": 100, "id": "order-1"}
    problem(await system.http.post(f"{BASE}/credits", json=body, headers=bearer("ann")), 403, "forbidden")
    for duplicate in (False, True):
        answer = await system.http.post(f"{BASE}/credits", json=body, headers=bearer("keeper"))
        assert (answer.status_code, answer.json()["duplicate"]) == (201, duplicate)
    (account,) = await Reports(system.redis).read(ECHO, [(accounts.credit("ann"), "")])
    assert account.granted == 100


async def test_a_credit_of_nothing_is_refused(system: System) -> None:
    for body in ({"user": "", "tokens": 1}, {"user": "ann", "tokens": 0}, {"user": "ann"}):
        answer = await system.http.post(f"{BASE}/credits", json=body, headers=bearer("keeper"))
        problem(answer, 422, "invalid-body")
