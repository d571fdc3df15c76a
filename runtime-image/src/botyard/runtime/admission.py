"""Quotas of users: a turn that a user asked for counts once, and takes one of the user's slots while it runs."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from botyard.budget.calls import Hold
from botyard.budget.errors import LedgerUnavailable
from botyard.core.inbox import Entry
from botyard.runtime.persistence import RETRY_CAP
from botyard.runtime.tool_costs import Charges

log = logging.getLogger("botyard.turns")


class Quotas(Charges, Protocol):
    """Counts turns of users, and what tools cost (`botyard.budget.meter.LedgerMeter`)."""

    async def admit(self, turn: str, user: str) -> Hold | None:
        """Count a turn; raises QuotaExceeded or LedgerUnavailable."""

    async def leave(self, hold: Hold) -> None:
        """Say that an admitted turn is over."""


@asynccontextmanager
async def admitted(quotas: Quotas | None, entry: Entry) -> AsyncIterator[None]:
    """Have a turn counted in its user's quotas for the length of the context.

    A run that is repeated, or goes on after it was parked, is the same turn: it is not counted again.

    Raises:
        QuotaExceeded: The user has had all turns of the day, or too many of them run and none ended in time.
    """
    hold = await _admit(quotas, entry) if quotas is not None and _asked_by_user(entry) else None
    try:
        yield
    finally:
        if quotas is not None and hold is not None:
            await quotas.leave(hold)


async def _admit(quotas: Quotas, entry: Entry) -> Hold | None:
    """Admit a turn, however long the ledger stays away: without Redis the turn could not be committed either."""
    wait = 0.05
    while True:
        try:
            return await quotas.admit(entry.turn, entry.user)
        except LedgerUnavailable as error:
            log.warning("a turn cannot be counted, trying again: %s", error)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait = min(wait * 2, RETRY_CAP)


def _asked_by_user(entry: Entry) -> bool:
    """Tell what a user asked for from what a bot, a timer or a third party caused in the user's name."""
    if not entry.user:
        return False
    if entry.kind == "action":
        payload = json.loads(entry.payload)
        return bool(payload.get("action") == "thread.start" and payload.get("user") == entry.user)
    return entry.kind == "message"
