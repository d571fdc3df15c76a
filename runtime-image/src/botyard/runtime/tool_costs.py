"""What tools of loop bots say that they cost, charged before their results are kept.

In this order a crash in between repeats the call and charges it under the same id, once; the other way round its cost
would be lost.
"""

import asyncio
import json
import logging
import random
from decimal import Decimal
from typing import Any, Protocol

from botyard.budget.calls import Spender
from botyard.budget.errors import LedgerUnavailable
from botyard.contract.spending import COINS_PER_DOLLAR
from botyard.runtime.persistence import RETRY_CAP

log = logging.getLogger("botyard.turns")


class Charges(Protocol):
    """Books costs (`botyard.budget.meter.LedgerMeter`)."""

    async def charge(self, charge_id: str, spender: Spender, dollars: object) -> int:
        """Charge a cost once; raises InvalidCost or LedgerUnavailable."""


async def charge_tool(charges: Charges, charge_id: str, spender: Spender, record: bytes) -> None:
    """Charge what the record of a step says that a tool cost; nothing where it is no tool's or tells no cost.

    Args:
        charges: Where it is booked, however long the ledger stays away: the record could not be kept either.
        charge_id: Of the step; the same step is charged once.
        spender: Who pays.
        record: As the worker sends it to be kept.

    Raises:
        InvalidCost: It is no amount of money; the step fails.
    """
    coins = _cost(record)
    wait = 0.05
    while coins:
        try:
            await charges.charge(charge_id, spender, Decimal(coins) / COINS_PER_DOLLAR)
        except LedgerUnavailable as error:
            log.warning("a tool's cost cannot be charged, trying again: %s", error)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait = min(wait * 2, RETRY_CAP)
        else:
            return


def _cost(record: bytes) -> int:
    try:
        told: Any = json.loads(record)
    except ValueError:
        return 0
    if not isinstance(told, dict) or not str(told.get("name", "")).startswith("tool:"):
        return 0
    result = told.get("result")
    coins = result.get("coins") if isinstance(result, dict) else None
    return coins if isinstance(coins, int) and not isinstance(coins, bool) else 0
