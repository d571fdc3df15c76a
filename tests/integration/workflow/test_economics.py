"""Workflows with quotas that a host runs itself, counted on its Redis."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from botyard.budget import accounts, direct, quotas
from botyard.budget.direct import DirectTreasury
from botyard.budget.errors import LedgerUnavailable
from botyard.budget.ledger import Ledger
from botyard.core.address import BotAddress
from botyard.workflow.economics.policy import QuotaPolicy as NativePolicy
from botyard.workflow.economics.treasury import Asked
from kdcube_ai_app.apps.chat.sdk.infra.economics.policy import EconomicsLimitException, QuotaPolicy
from kdcube_ai_app.apps.chat.sdk.protocol import ChatTaskPayload
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint_with_economic import BaseEntrypointWithEconomics
from kdcube_ai_app.infra.accounting import AccountingSystem, ServiceUsage, track_llm

BOT = BotAddress("t1", "p1")


class Relay:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def emit(self, *, event: str, data: dict[str, Any], **kw: Any) -> None:
        self.sent.append((event, data))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of the events of a type."""
        return [data["data"] for _, data in self.sent if data["type"] == kind]


@track_llm(usage_extractor=lambda result, *a, **k: ServiceUsage(input_tokens=20, output_tokens=30))
async def ask() -> str:
    return "x"


class Flow(BaseEntrypointWithEconomics):
    app_quota_policies: Any = {"registered": QuotaPolicy(requests_per_day=2)}
    seen: Any = None
    inside: Any = None

    async def pre_run_hook(self, *, state: Any, econ_ctx: Any) -> None:
        self.seen = econ_ctx

    async def execute_core(self, *, state: Any, thread_id: str, params: Any) -> dict[str, Any]:
        await ask()
        if self.inside is not None:
            await self.inside()
        return {"final_answer": "fine"}

    async def post_run_hook(self, *, state: Any, result: Any, econ_ctx: Any) -> None:
        assert econ_ctx is self.seen


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Relay:
    found = Relay()
    monkeypatch.setattr("kdcube_ai_app.apps.chat.emitters.build_relay_from_env", lambda: found)
    AccountingSystem.init_storage(None)
    return found


async def run(redis: Redis | None, turn: str, *, user_type: str = "registered", **attributes: Any) -> Any:
    """Run one turn as hosts do."""
    kind = type("Flow", (Flow,), attributes)
    task = ChatTaskPayload.model_validate(
        {
            "routing": {"session_id": "s1", "conversation_id": "c1", "turn_id": turn},
            "actor": {"tenant_id": "t1", "project_id": "p1"},
            "user": {"user_id": "u1", "user_type": user_type},
            "request": {"message": "hi"},
        }
    )
    flow = kind(config=None, redis=redis, comm_context=task)
    flow.set_state({"user": "u1", "user_type": user_type, "turn_id": turn, "conversation_id": "c1", "text": "hi"})
    await flow.run(text="hi")
    return flow


async def test_requests_beyond_the_quota_are_denied_with_code_and_data(redis_client: Redis, relay: Relay) -> None:
    flow = await run(redis_client, "turn1")
    assert flow.seen["lane"] == "tier"
    assert set(flow.seen) == {"lane", "admit", "policies", "reservations"}
    await run(redis_client, "turn2")
    with pytest.raises(EconomicsLimitException) as caught:
        await run(redis_client, "turn3")
    assert caught.value.code == "rate_limited"
    (data,) = relay.of("rate_limit.denied")
    assert data == caught.value.data | {"message": data["message"]}
    assert (data["code"], data["reason"], data["subject_id"]) == ("rate_limited", "requests_per_day", "u1")
    assert (data["user_type"], data["lane"], data["show_in_timeline"]) == ("registered", "tier", False)
    assert data["rate_limit"]["violations"] == ["requests_per_day"]
    assert data["rate_limit"]["remaining"] == {"requests_per_day": 0}
    assert 0 < data["rate_limit"]["retry_after_sec"] <= 86_400
    event, envelope = next(each for each in relay.sent if each[1]["type"] == "rate_limit.denied")
    assert event == "chat_service"
    assert (envelope["event"]["step"], envelope["event"]["agent"]) == ("rate_limit", "bundle.rate_limiter")


async def test_the_same_turn_counts_once(redis_client: Redis, relay: Relay) -> None:
    for _ in range(4):
        await run(redis_client, "turn1")
    await run(redis_client, "turn2")


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "succeeds"])
async def test_a_turn_is_charged_what_it_used_however_it_ends(redis_client: Redis, relay: Relay, fails: bool) -> None:
    async def inside() -> None:
        if fails:
            raise RuntimeError

    policies = {"registered": QuotaPolicy(tokens_per_day=60)}
    attributes = {"app_quota_policies": policies, "inside": staticmethod(inside)}
    for turn in ("turn1", "turn2"):
        try:
            await run(redis_client, turn, **attributes)
        except RuntimeError:
            assert fails
    with pytest.raises(EconomicsLimitException) as caught:
        await run(redis_client, "turn3", **attributes)
    assert caught.value.code == "tier_exhausted_no_personal"
    assert caught.value.data["snapshot"] == {"tokens_per_day": 100}


async def test_a_call_is_charged_when_it_was_made_not_when_its_turn_ends(redis_client: Redis, relay: Relay) -> None:
    running, end = asyncio.Event(), asyncio.Event()

    async def inside() -> None:
        running.set()
        await end.wait()

    policies = {"registered": QuotaPolicy(tokens_per_day=50)}
    first = asyncio.create_task(run(redis_client, "turn1", app_quota_policies=policies, inside=staticmethod(inside)))
    await running.wait()
    with pytest.raises(EconomicsLimitException) as caught:
        await run(redis_client, "turn2", app_quota_policies=policies)
    assert caught.value.data["snapshot"] == {"tokens_per_day": 50}
    end.set()
    await first


async def test_a_call_of_a_thread_is_charged_as_well(redis_client: Redis, relay: Relay) -> None:
    @track_llm(usage_extractor=lambda result, *a, **k: {"input_tokens": 7})
    def plain() -> str:
        return "x"

    async def inside() -> None:
        plain()
        await asyncio.to_thread(plain)

    policies = {"registered": QuotaPolicy(tokens_per_day=60)}
    await run(redis_client, "turn1", app_quota_policies=policies, inside=staticmethod(inside))
    with pytest.raises(EconomicsLimitException) as caught:
        await run(redis_client, "turn2", app_quota_policies=policies)
    assert caught.value.data["snapshot"] == {"tokens_per_day": 50 + 7 + 7}


async def test_what_could_not_be_charged_at_once_is_charged_at_the_end(
    redis_client: Redis, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    book, away = Ledger.book, [True]

    async def shaky(self: Ledger, *args: Any, **kw: Any) -> Any:
        if away:
            away.pop()
            raise LedgerUnavailable("Redis is away")
        return await book(self, *args, **kw)

    monkeypatch.setattr(Ledger, "book", shaky)
    policies = {"registered": QuotaPolicy(tokens_per_day=50)}
    await run(redis_client, "turn1", app_quota_policies=policies)
    with pytest.raises(EconomicsLimitException) as caught:
        await run(redis_client, "turn2", app_quota_policies=policies)
    assert caught.value.data["snapshot"] == {"tokens_per_day": 50}


async def test_turns_at_once_are_limited_as_long_as_they_run(
    redis_client: Redis, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A lease far shorter than the turn.
    short = lambda redis, bot, turn: DirectTreasury(redis, bot, turn, lease_ms=400)  # noqa: E731
    monkeypatch.setattr("kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint_with_economic.DirectTreasury", short)
    running, end = asyncio.Event(), asyncio.Event()

    async def inside() -> None:
        running.set()
        await end.wait()

    policies = {"registered": QuotaPolicy(max_concurrent=1)}
    first = asyncio.create_task(run(redis_client, "turn1", app_quota_policies=policies, inside=staticmethod(inside)))
    await running.wait()
    await asyncio.sleep(1.2)
    with pytest.raises(EconomicsLimitException) as caught:
        await run(redis_client, "turn2", app_quota_policies=policies)
    assert (caught.value.code, caught.value.data["reason"]) == ("rate_limited", "concurrency")
    end.set()
    await first
    await run(redis_client, "turn3", app_quota_policies=policies)


async def test_tokens_that_were_paid_for_are_another_lane(redis_client: Redis, relay: Relay) -> None:
    policies = {"registered": QuotaPolicy(requests_per_day=1), "paid": QuotaPolicy(max_concurrent=5)}
    await run(redis_client, "turn1", app_quota_policies=policies)
    charge = quotas.credit_of("u1")
    await Ledger(redis_client, BOT).grant("g1", charge, 60, record="{}")
    flow = await run(redis_client, "turn2", app_quota_policies=policies)
    assert (flow.seen["lane"], flow.seen["reservations"]["personal_tokens"]) == ("paid", 60)
    (switch,) = relay.of("rate_limit.lane_switch")
    assert (switch["from"], switch["to"]) == ("tier", "paid")
    await run(redis_client, "turn3", app_quota_policies=policies)
    with pytest.raises(EconomicsLimitException) as caught:
        await run(redis_client, "turn4", app_quota_policies=policies)
    assert caught.value.code == "rate_limited"


async def test_paying_users_without_tokens_are_told_so(redis_client: Redis, relay: Relay) -> None:
    policies = {"paid": QuotaPolicy(tokens_per_month=10)}
    await run(redis_client, "turn1", user_type="paid", app_quota_policies=policies)
    with pytest.raises(EconomicsLimitException) as caught:
        await run(redis_client, "turn2", user_type="paid", app_quota_policies=policies)
    assert caught.value.code == "paid_lane_requires_personal_budget"


async def test_a_quota_that_runs_low_is_told(redis_client: Redis, relay: Relay) -> None:
    policies = {"registered": QuotaPolicy(requests_per_day=5)}
    for number in range(5):
        await run(redis_client, f"turn{number}", app_quota_policies=policies)
    (warning,) = relay.of("rate_limit.warning")
    assert warning["running_low"] == ["requests_per_day"]
    assert warning["rate_limit"]["messages_remaining"] == 1


async def test_without_redis_nobody_is_limited(relay: Relay) -> None:
    for number in range(5):
        await run(None, f"turn{number}")


async def test_when_nobody_can_say_the_turn_is_denied(
    redis_client: Redis, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: Any, asked: Asked) -> Any:
        raise TimeoutError

    monkeypatch.setattr(direct.DirectTreasury, "admit", away)
    with pytest.raises(EconomicsLimitException) as caught:
        await run(redis_client, "turn1")
    assert caught.value.code == "quota_lock_timeout"


async def test_side_by_side_no_more_are_admitted_than_may_be(redis_client: Redis) -> None:
    limits = NativePolicy(requests_per_hour=10, requests_per_month=7).limits()

    async def admitted(number: int) -> bool:
        treasury = DirectTreasury(redis_client, BOT, f"turn{number}")
        verdict = await treasury.admit(Asked("u1", limits))
        await treasury.finish()
        return verdict.admitted

    found = await asyncio.gather(*(admitted(number) for number in range(40)))
    assert sum(found) == 7


async def test_what_is_recorded_behind_a_turn_is_charged_too(redis_client: Redis) -> None:
    limits = NativePolicy(tokens_per_day=100).limits()
    first = DirectTreasury(redis_client, BOT, "turn1")
    await first.admit(Asked("u1", limits))
    await first.finish()
    await first.record_usage(b'{"event_id": "e1", "usage": {"total_tokens": 100}}')
    second = DirectTreasury(redis_client, BOT, "turn2")
    assert not (await second.admit(Asked("u1", limits))).admitted


async def test_what_was_paid_for_is_not_forgotten(redis_client: Redis) -> None:
    await Ledger(redis_client, BOT).grant("g1", quotas.credit_of("u1"), 5, record="{}")
    key = f"by:{{{BOT}}}:budget:a:{accounts.credit('u1')}"
    assert await redis_client.ttl(key) > 365 * 86_400
