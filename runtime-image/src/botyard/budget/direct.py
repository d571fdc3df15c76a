"""Quotas of workflows that a host runs itself: counted on the Redis that the host gives, without a supervisor.

What a call used is charged when it is recorded, so that other turns see it at once and a host that dies owes one call
at most. Nothing is set aside for calls: the bundle makes them itself, and nobody could cut them to what is left.
"""

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Sequence

from redis.asyncio import Redis

from botyard.budget import quotas
from botyard.budget.accounts import Charge
from botyard.budget.errors import LedgerUnavailable
from botyard.budget.ledger import LEASE_MS, Held, Ledger
from botyard.budget.quotas import Quotas
from botyard.budget.reports import Reports
from botyard.core.address import BotAddress
from botyard.workflow.accounting.turns import TurnRecorder
from botyard.workflow.economics.treasury import Asked, Verdict

log = logging.getLogger(__name__)


class DirectTreasury:
    """Counts one turn; see `botyard.workflow.economics.treasury.Treasury`."""

    def __init__(self, redis: Redis, bot: BotAddress, turn: str = "", *, lease_ms: int = LEASE_MS) -> None:
        self._ledger = Ledger(redis, bot, lease_ms=lease_ms)
        self._quotas = Quotas(Reports(redis), self._ledger, bot)
        self._turn = f"quota/{turn or uuid.uuid4().hex}"
        self._lease_ms = lease_ms
        self._held: Held | None = None
        self._charges: Sequence[Charge] = ()
        self._owed: dict[str, int] = {}
        """Tokens of events that are not charged yet, by the events' ids."""
        self._keeping: asyncio.Task[None] | None = None

    async def admit(self, asked: Asked) -> Verdict:
        """Take the turn's slot and count its request, or say why not."""
        try:
            verdict, self._held = await self._quotas.admit(asked, self._turn, daily=None)
        except LedgerUnavailable as error:
            raise TimeoutError(str(error)) from error
        if verdict.admitted:
            self._charges = quotas.of_calls(asked)
            self._keeping = asyncio.create_task(self._keep())
        return verdict

    def charger(self) -> TurnRecorder | None:
        """Return who charges the events of this turn."""
        return TurnRecorder(self, asyncio.get_running_loop()) if self._charges else None

    async def record_usage(self, event: bytes) -> None:
        """Charge what an event says; the same event counts once.

        Raises:
            LedgerUnavailable: Redis does not answer; `finish` tries again.
        """
        content = json.loads(event)
        if tokens := int((content.get("usage") or {}).get("total_tokens") or 0):
            self._owed[str(content["event_id"])] = tokens
            await self._pay()

    async def finish(self) -> None:
        """Charge what is still owed, and give the turn's slot back."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        try:
            await self._pay()
            if self._held is not None:
                await self._ledger.settle(self._turn, self._held.charges, coins=0)
        except LedgerUnavailable as error:
            # The slot lapses with its lease.
            log.error("the turn %s cannot be settled, it owes %s tokens: %s", self._turn, self._owed, error)
        # Who is charged stays known: some usage is recorded behind the turn.
        self._held, self._keeping = None, None

    async def _pay(self) -> None:
        for event, tokens in list(self._owed.items()):
            await self._ledger.book(f"{self._turn}/{event}", self._charges, 0, tokens=tokens)
            self._owed.pop(event, None)

    async def _keep(self) -> None:
        """Renew the turn's hold, however long it runs."""
        while True:
            await asyncio.sleep(self._lease_ms / 4000)
            with contextlib.suppress(LedgerUnavailable):
                await self._ledger.keep([self._turn])
