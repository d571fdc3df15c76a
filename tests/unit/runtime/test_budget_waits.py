"""When a turn that waits for money may go on."""

from dataclasses import asdict
from typing import Any

import pytest

from botyard.budget.calls import Spender
from botyard.budget.reports import Account
from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import PersonaBudget
from botyard.runtime.budget_waits import affordable

BOT = BotConfig(namespace="shop", name="clerk")
NOON = 1_795_262_400_000
"""2026-11-21T12:00Z."""
DAY = {
    "account": "persona:nora:2026-11-21",
    "needed": 50,
    "spender": asdict(Spender(persona="nora", thread="t1")),
}
SPENT = Account("persona:nora", "2026-11-21", spent=80)


def personas(**budget: Any) -> dict[str, PersonaConfig]:
    declared = PersonaBudget(**{"daily": 100, "on_exceeded": "Pause", **budget})
    return {"nora": PersonaConfig(name="nora", budget=declared)}


@pytest.mark.parametrize(
    ("budget", "now_ms", "goes_on"),
    [
        ({}, NOON, False),
        ({"daily": 130}, NOON, True),
        ({"daily": None}, NOON, True),
        ({"on_exceeded": "Reject"}, NOON, True),
        ({}, NOON + 12 * 3_600_000, True),
        ({"time_zone": "Pacific/Kiritimati"}, NOON, True),
        ({"time_zone": "Europe/Berlin"}, NOON, False),
    ],
    ids=["nothing changed", "raised", "lifted", "refuses now", "midnight", "another day there", "the same day there"],
)
def test_a_turn_goes_on_when_its_call_fits_or_another_day_has_begun(
    budget: dict[str, Any], now_ms: int, goes_on: bool
) -> None:
    assert affordable(DAY, SPENT, BOT, personas(**budget), now_ms) is goes_on


def test_a_grant_and_a_cap_of_a_thread() -> None:
    granted = Account("persona:nora", "2026-11-21", spent=80, granted=30)
    assert affordable(DAY, granted, BOT, personas(), NOON)
    thread = {**DAY, "account": "thread:nora/t1"}
    assert not affordable(thread, Account("thread:nora/t1", "", spent=60), BOT, personas(per_thread=100), NOON)
    assert affordable(thread, Account("thread:nora/t1", "", spent=60), BOT, personas(per_thread=110), NOON)


def test_a_tasks_own_bound_is_waited_for_too() -> None:
    task = {**DAY, "account": "task:nora/t1", "spender": asdict(Spender(persona="nora", task="t1"))}
    assert not affordable(task, Account("task:nora/t1", "", spent=10, own=40), BOT, personas(), NOON)
    assert affordable(task, Account("task:nora/t1", "", spent=10, own=60), BOT, personas(), NOON)
