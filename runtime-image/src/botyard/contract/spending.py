"""What may be spent: budgets and quotas as the runtime learns them from ConfigMaps, reloaded live.

Amounts are coins: integers, 1 coin is 1 microdollar.
"""

from typing import Annotated, Literal

from pydantic import Field

from botyard.contract.base import Document

MAX_COINS = 10**15
"""A billion dollars: below 2**53, so that Redis scripts, which count in doubles, stay exact."""
COINS_PER_DOLLAR = 1_000_000
DEFAULT_PER_TASK = 10_000_000
"""Coins for one task where nothing is declared: ten dollars stop a runaway loop."""
DEFAULT_PER_THREAD = 10_000_000
"""Coins for one thread or conversation where nothing is declared."""

Coins = Annotated[int, Field(ge=0, le=MAX_COINS)]
OnExceeded = Literal["Reject", "Pause", "Ask", "Warn"]


class PersonaBudget(Document):
    """What one Persona may spend."""

    daily: Coins | None = None
    """Coins for each day of `time_zone`; None: without a limit."""
    per_task: Coins = DEFAULT_PER_TASK
    per_thread: Coins = DEFAULT_PER_THREAD
    time_zone: str = "UTC"
    on_exceeded: OnExceeded = "Reject"


class BotBudget(Document):
    """What a Bot may spend with all its users and Personas together."""

    daily: Coins | None = None
    """Coins for each day in UTC; None: without a limit."""


class UserQuotas(Document):
    """Limits for each user of a Bot; None: without a limit."""

    requests_per_day: Annotated[int, Field(ge=1)] | None = None
    """Turns for each day in UTC."""
    tokens_per_hour: Annotated[int, Field(ge=1)] | None = None
    """Tokens of model calls for each hour in UTC."""
    concurrent: Annotated[int, Field(ge=1)] | None = None
    """Turns that run at once."""
