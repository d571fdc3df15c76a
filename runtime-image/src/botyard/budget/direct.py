"""Quotas of workflows that a host runs itself: counted on the Redis that the host gives, without a supervisor."""

import asyncio
import contextlib
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
from botyard.workflow.economics.treasury import Asked, Verdict


class DirectTreasury:
    """Counts one turn; see `botyard.workflow.economics.treasury.Treasury`."""

    def __init__(self, redis: Redis, bot: BotAddress, turn: str = "", *, lease_ms: int = LEASE_MS) -> None:
        self._ledger = Ledger(redis, bot, lease_ms=lease_ms)
        self._quotas = Quotas(Reports(redis), self._ledger, bot)
        self._turn = f"quota/{turn or uuid.uuid4().hex}"
        self._lease_ms = lease_ms
        self._held: Held | None = None
        self._charges: Sequence[Charge] = ()
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

    async def finish(self, tokens: int) -> None:
        """Charge what the turn used, and give its slot back."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        if tokens and self._charges:
            await self._ledger.book(f"{self._turn}/used", self._charges, 0, tokens=tokens)
        if self._held is not None:
            await self._ledger.settle(self._turn, self._held.charges, coins=0)
        self._charges, self._held, self._keeping = (), None, None

    async def _keep(self) -> None:
        """Renew the turn's hold, however long it runs."""
        while True:
            await asyncio.sleep(self._lease_ms / 4000)
            with contextlib.suppress(LedgerUnavailable):
                await self._ledger.keep([self._turn])
