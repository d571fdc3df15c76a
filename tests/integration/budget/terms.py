"""What the tests of metering share."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from prometheus_client import CollectorRegistry
from redis.asyncio import Redis

from botyard.budget.calls import Call, Spender
from botyard.budget.meter import LedgerMeter
from botyard.budget.metrics import BudgetMetrics
from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.prices import ModelPrice, Price, PriceTable
from botyard.contract.spending import BotBudget, PersonaBudget, UserQuotas
from botyard.core.address import BotAddress

ADDRESS = BotAddress("shop", "clerk")
COIN_A_TOKEN = ModelPrice(model="*", prices=(Price(input=Decimal(1), output=Decimal(1)),))


@dataclass
class Terms:
    """What is declared; tests change it as an edit would."""

    bot: BotConfig = field(default_factory=lambda: BotConfig(namespace="shop", name="clerk"))
    personas: dict[str, PersonaConfig] = field(default_factory=dict)
    prices: PriceTable = field(default_factory=lambda: PriceTable(models=(COIN_A_TOKEN,)))

    def daily(self, coins: int | None) -> None:
        self.bot = self.bot.model_copy(update={"budget": BotBudget(daily=coins)})

    def quotas(self, **quotas: int) -> None:
        self.bot = self.bot.model_copy(update={"quotas": UserQuotas(**quotas)})

    def persona(self, name: str = "nora", **budget: Any) -> None:
        self.personas[name] = PersonaConfig(name=name, budget=PersonaBudget(**budget))


def meter(redis: Redis, terms: Terms, *, wait_seconds: float = 60.0, lease_ms: int = 60_000) -> LedgerMeter:
    metrics = BudgetMetrics(CollectorRegistry())
    return LedgerMeter(redis, ADDRESS, terms, metrics, wait_seconds=wait_seconds, lease_ms=lease_ms)


def call(number: object, tokens: int = 10, output: int = 90, **more: Any) -> Call:
    spender = more.pop("spender", Spender(persona="nora"))
    return Call(id=f"c{number}", model="m", input_tokens=tokens, max_output_tokens=output, spender=spender, **more)
