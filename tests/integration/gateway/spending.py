"""A replica of the bot `shop/echo` that spends."""

from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry

from botyard.budget.calls import Usage
from botyard.budget.meter import LedgerMeter
from botyard.budget.metrics import BudgetMetrics
from tests.integration.budget.terms import Terms, call
from tests.integration.gateway.system import ECHO, System


@dataclass(frozen=True)
class Spending:
    """What meters the calls of Persona nora."""

    meter: LedgerMeter

    async def spend(self, number: int, coins: int) -> None:
        """Make a call that costs this much."""
        hold = await self.meter.reserve(call(number, coins, 20))
        await self.meter.settle(hold, Usage(input_tokens=coins, output_tokens=0))


async def spending_of(system: System, **budget: Any) -> Spending:
    """Declare a budget of nora, who asks when it is used up, as a replica does that has it in force."""
    terms = Terms()
    terms.persona(**{"on_exceeded": "Ask", **budget})
    meter = LedgerMeter(system.redis, ECHO, terms, BudgetMetrics(CollectorRegistry()))
    await meter.publish()
    return Spending(meter)
