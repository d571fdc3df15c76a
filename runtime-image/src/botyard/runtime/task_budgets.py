"""What a task of the board may cost, where it says so itself: in force before its thread asks for anything."""

import asyncio
import json
import logging
import random
from typing import Protocol

from botyard.budget.calls import Spender
from botyard.budget.errors import LedgerUnavailable
from botyard.core.inbox import Entry
from botyard.runtime.persistence import RETRY_CAP

log = logging.getLogger("botyard.turns")


class Bounds(Protocol):
    """Bounds what tasks cost (`botyard.budget.meter.LedgerMeter`)."""

    async def bound_task(self, persona: str, task: str, coins: int) -> None:
        """Let a task cost no more than this; raises LedgerUnavailable."""


async def bound_task(bounds: Bounds, entry: Entry, spender: Spender) -> None:
    """Bound the task whose thread an event begins, if it brings a budget, however long the ledger stays away.

    Args:
        bounds: Where it is noted.
        entry: Any event.
        spender: Who pays for it.
    """
    coins = _budget(entry) if spender.task and entry.kind == "action" else 0
    wait = 0.05
    while coins > 0:
        try:
            await bounds.bound_task(spender.persona, spender.task, coins)
        except LedgerUnavailable as error:
            log.warning("a task's budget cannot be noted, trying again: %s", error)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait = min(wait * 2, RETRY_CAP)
        else:
            return


def _budget(entry: Entry) -> int:
    payload = json.loads(entry.payload)
    budget = payload.get("budget") if payload.get("action") == "thread.start" else None
    return budget if isinstance(budget, int) and not isinstance(budget, bool) else 0
