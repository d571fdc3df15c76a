"""Admission of a turn's user, as its bundle asks for it, and what the turn uses of the user's quotas."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from botyard.budget import quotas
from botyard.budget.accounts import Charge
from botyard.budget.calls import Hold
from botyard.budget.errors import LedgerUnavailable
from botyard.core.inbox import Entry
from botyard.runtime.turn_models import TurnModels
from botyard.workflow.economics.policy import LIMITS
from botyard.workflow.economics.treasury import Asked, Verdict

log = logging.getLogger("botyard.turns")

MAX_LIMITS = len(LIMITS)
MAX_BUDGETS = 30


class TurnQuotas(Protocol):
    """Counts (`botyard.budget.meter.LedgerMeter`)."""

    async def admit_under(self, asked: Asked, turn: str) -> tuple[Verdict, Hold | None]:
        """Take a turn's slot and count its request; raises LedgerUnavailable."""

    async def book_tokens(self, charge_id: str, charges: tuple[Charge, ...], tokens: int) -> None:
        """Charge tokens after the fact, once for each id."""

    async def leave(self, hold: Hold) -> None:
        """Say that an admitted turn is over."""


class TurnEconomics:
    """One run of one turn. Whose quotas count does not come from the worker."""

    def __init__(self, counting: TurnQuotas | None, entry: Entry, models: TurnModels | None) -> None:
        self._quotas = counting
        self._entry = entry
        self._models = models
        self._hold: Hold | None = None
        self._charges: tuple[Charge, ...] = ()

    async def admit(self, args: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a worker's call of the method `user.admit`.

        Raises:
            ValueError: The limits are none.
            LedgerUnavailable: Nobody can say.
        """
        asked = Asked.from_json({**args, "user": self._entry.user})
        if len(asked.budgets) > MAX_BUDGETS or any(
            each.period not in ("hour", "day", "month") or each.coins < 0 for each in asked.budgets
        ):
            raise ValueError("these are no budgets of providers")
        if len(asked.limits) > MAX_LIMITS or any(
            LIMITS.get(each.name) != (each.what, each.period) for each in asked.limits
        ):
            raise ValueError("these are no limits of a quota policy")
        if self._quotas is None:
            return Verdict(True, ()).to_json()
        verdict, hold = await self._quotas.admit_under(asked, self._entry.turn)
        if verdict.admitted:
            await self.close()
            self._hold, self._charges = hold, quotas.of_calls(asked)
            if self._models is not None:
                self._models.count_in(self._charges, quotas.of_providers(asked))
        return verdict.to_json()

    async def used(self, event: Mapping[str, Any]) -> None:
        """Count what the turn says that it used of a service of its own; the platform counts its own calls itself."""
        usage = event.get("usage")
        tokens = usage.get("total_tokens") if isinstance(usage, Mapping) else 0
        if self._quotas is None or not self._charges:
            return
        if self._models is not None and self._models.has_told(event.get("provider_request_id")):
            return
        if not isinstance(tokens, int) or isinstance(tokens, bool) or not 0 < tokens < 2**40:
            return
        wait = 0.1
        for _ in range(5):
            try:
                await self._quotas.book_tokens(f"own/{event.get('event_id')}", self._charges, tokens)
                break
            except LedgerUnavailable as error:
                log.warning("tokens cannot be counted, trying again: %s", error)
                await asyncio.sleep(wait)
                wait *= 2

    async def close(self) -> None:
        """Give the turn's slot back: it is over, however it ended."""
        hold, self._hold = self._hold, None
        if hold is not None and self._quotas is not None:
            await self._quotas.leave(hold)
