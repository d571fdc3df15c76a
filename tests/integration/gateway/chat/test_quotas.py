"""Quotas of a workflow bot that runs: denials as clients see them, and charges for turns that fail."""

from typing import Any

from redis.asyncio import Redis

from botyard.budget.ledger import Ledger
from botyard.budget.quotas import credit_of
from botyard.contract.bot import Limits
from botyard.contract.model import ModelConfig
from botyard.contract.routes import Route, Routes
from botyard.contract.spending import BotBudget
from botyard.core.address import BotAddress
from tests.integration.gateway.chat.client import opened, say
from tests.integration.gateway.chat.test_turns import of_turn
from tests.integration.gateway.system import Stream, System
from tests.integration.runtime.conftest import MakeBot

FLOW = BotAddress("shop", "demo.quota", 8)
CODE = """
import asyncio
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint_with_economic import BaseEntrypointWithEconomics
from kdcube_ai_app.apps.chat.sdk.infra.economics.policy import ProviderBudgetPolicy, QuotaPolicy
from kdcube_ai_app.infra.accounting import ServiceUsage, track_llm


@track_llm(usage_extractor=lambda *a, **k: ServiceUsage(input_tokens=40, output_tokens=60))
async def own_service():
    return "x"


@agentic_workflow(name="demo.quota", version="1.0.0")
class Flow(BaseEntrypointWithEconomics):
    app_quota_policies = {"registered": QuotaPolicy(LIMITS)}
    app_budget_policies = BUDGETS

    async def execute_core(self, *, state, thread_id, params):
        text = params["text"]
        if "own" in text:
            await own_service()
        if "model" in text:
            await self.models_service.ask("hi")
        if "hang" in text:
            await asyncio.Event().wait()
        if "fail" in text:
            raise RuntimeError("no")
        return {"final_answer": "fine"}
"""
SCRIPT = "rules:\n- reply: {text: ok, usage: {input_tokens: 40, output_tokens: 60}}\n"


async def started(
    system: System, make_bot: MakeBot, limits: str, *, daily: int | None = None, budgets: str = "{}", **more: Any
) -> None:
    """Run the bot with these quotas."""
    bot = make_bot(
        code=CODE.replace("LIMITS", limits).replace("BUDGETS", budgets),
        address=FLOW,
        programming_model="workflow",
        model=ModelConfig(provider="scripted", name="scripted", script="script.yaml"),
        files={"config/script.yaml": SCRIPT},
        limits=Limits(**more),
        budget=BotBudget(daily=daily),
    )
    await bot.start()
    route = Route(namespace="shop", name=FLOW.name, model="workflow", ready=True, partitions=8, default=True)
    system.gateway.table.replace(Routes(routes=(route,)))


async def ask(system: System, stream: Stream, text: str) -> list[tuple[str, dict[str, Any]]]:
    """Say something and return what the turn says."""
    answer = await say(system, text, bundle_id=None, conversation_id="c1")
    assert answer.status_code == 200, answer.text
    return await of_turn(stream)


def denial(events: list[tuple[str, dict[str, Any]]]) -> dict[str, Any] | None:
    """Return the data of the denial, if there is one."""
    return next((data["data"] for name, data in events if data.get("type") == "rate_limit.denied"), None)


async def test_a_denied_turn_tells_why_and_completes_empty(system: System, make_bot: MakeBot) -> None:
    await started(system, make_bot, "requests_per_day=1")
    async with opened(system) as stream:
        assert denial(await ask(system, stream, "hi")) is None
        events = await ask(system, stream, "hi")
    found = denial(events)
    assert found is not None
    assert (found["code"], found["subject_id"], found["bundle_id"]) == ("rate_limited", "ann", "demo.quota")
    assert found["rate_limit"]["messages_remaining"] == 0
    assert "chat_error" not in [name for name, _ in events]
    assert "final_answer" not in events[-1][1]["data"]


async def test_turns_that_fail_or_time_out_are_charged_what_they_used(system: System, make_bot: MakeBot) -> None:
    await started(system, make_bot, "tokens_per_day=350", turn_timeout_seconds=3.0)
    async with opened(system) as stream:
        for text in ("model fail", "own hang", "own fail"):
            events = await ask(system, stream, text)
            assert denial(events) is None
            assert "chat_error" in [name for name, _ in events]
        # 300 of 350 are used: what the next call may use is cut to what is left.
        await ask(system, stream, "own")
        found = denial(await ask(system, stream, "hi"))
    assert found is not None
    assert found["code"] == "tier_exhausted_no_personal"
    assert found["snapshot"] == {"tokens_per_day": 400}


async def test_the_slot_of_a_turn_that_times_out_is_free_again(system: System, make_bot: MakeBot) -> None:
    await started(system, make_bot, "max_concurrent=1", turn_timeout_seconds=2.0)
    async with opened(system) as stream:
        await ask(system, stream, "hang")
        assert denial(await ask(system, stream, "hi")) is None


async def test_tokens_that_were_paid_for_pay_for_calls(system: System, make_bot: MakeBot, redis_client: Redis) -> None:
    await started(system, make_bot, "tokens_per_day=50")
    await Ledger(redis_client, FLOW).grant("g1", credit_of("ann"), 150, record="{}")
    async with opened(system) as stream:
        await ask(system, stream, "own")
        events = await ask(system, stream, "own")
        assert "rate_limit.lane_switch" in [data.get("type") for _, data in events]
        await ask(system, stream, "own")
        assert denial(await ask(system, stream, "hi")) is not None


async def test_a_bot_without_money_left_says_so(system: System, make_bot: MakeBot) -> None:
    await started(system, make_bot, "requests_per_day=5", daily=0)
    async with opened(system) as stream:
        events = await ask(system, stream, "hi")
    (told,) = [data["data"] for _, data in events if data.get("type") == "rate_limit.project_exhausted"]
    assert told["code"] == "project_budget_exhausted"
    assert events[-1][0] == "chat_complete"


async def test_a_providers_budget_is_enforced_call_by_call(system: System, make_bot: MakeBot) -> None:
    budgets = '{"scripted": ProviderBudgetPolicy(usd_per_day=0.0001), "acme": {"usd_per_hour": 5}}'
    await started(system, make_bot, "requests_per_day=9", budgets=budgets)
    async with opened(system) as stream:
        first = await ask(system, stream, "model")
        assert "chat_error" not in [name for name, _ in first]
        events = await ask(system, stream, "hi")
    (told,) = [data["data"] for _, data in events if data.get("type") == "rate_limit.project_exhausted"]
    assert (told["code"], told["reason"]) == ("app_budget_reservation_failed_no_personal", "scripted")
