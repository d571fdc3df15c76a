"""Quotas of users: a turn that a user asked for counts once, and takes one of the user's slots while it runs."""

import asyncio
import contextlib
import itertools
import json
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from botyard.budget.calls import Hold
from botyard.budget.errors import LedgerUnavailable, QuotaExceeded, TurnsAtOnce
from botyard.core.connection import Unavailable
from botyard.core.control import Cancellations
from botyard.core.inbox import Entry
from botyard.runtime.dispatcher import LOOK_AGAIN
from botyard.runtime.parking import Aside
from botyard.runtime.persistence import RETRY_CAP
from botyard.runtime.task_budgets import Bounds
from botyard.runtime.tool_costs import Charges
from botyard.runtime.turn_economics import TurnQuotas

log = logging.getLogger("botyard.turns")

LOOK = 1.0
"""Seconds after which the first of a user's turns that wait looks for a slot that another replica freed; each one
behind it waits as much longer, up to LOOK_AGAIN."""
WOKEN = 8
"""Turns that look when a slot becomes free here: the first ones may belong to another replica by now."""
MAX_WAITING = 10_000
"""Turns that wait here and are told when a slot becomes free here; the others find out when they look."""


class Quotas(Charges, Bounds, TurnQuotas, Protocol):
    """Counts turns of users, what tools cost, and what tasks may (`botyard.budget.meter.LedgerMeter`)."""

    async def admit(self, turn: str, user: str) -> Hold | None:
        """Count a turn; raises QuotaExceeded, TurnsAtOnce or LedgerUnavailable."""

    async def leave(self, hold: Hold) -> None:
        """Say that an admitted turn is over."""


class UserBusy(Exception):
    """The turn waits for another one of its user to end.

    Attributes:
        aside: How long its key is left alone.
    """

    def __init__(self, aside: Aside) -> None:
        super().__init__("as many turns of the user run as may run at once")
        self.aside = aside


class Admissions:
    """Lets users' turns run, as far as their quotas go.

    A turn that has to wait for another one of its user holds nothing meanwhile: its event stays in the inbox, where it
    is read again.
    """

    def __init__(self, quotas: Quotas | None, cancellations: Cancellations, again: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            quotas: Counts turns; None: nobody does.
            cancellations: Tells which turns need not wait any more.
            again: Called with the key of a turn that may look again.
        """
        self._quotas = quotas
        self._cancellations = cancellations
        self._again = again
        self._lines: dict[str, dict[str, None]] = {}
        """Keys of the turns that wait, by their users, in the order of their coming."""
        self._waiting = 0

    @asynccontextmanager
    async def admitted(self, entry: Entry) -> AsyncIterator[QuotaExceeded | None]:
        """Have a turn counted for the length of the context, which is given the reason not to run it, if there is one.

        A run that is repeated, or goes on after it was parked, is the same turn: it is not counted again.

        Raises:
            UserBusy: It has to wait.
        """
        hold: Hold | None = None
        refusal: QuotaExceeded | None = None
        if self._quotas is not None and _asked_by_user(entry):
            try:
                hold = await self._admit(self._quotas, entry)
            except TurnsAtOnce:
                if not await self._cancelled(entry):
                    raise UserBusy(self._aside(entry)) from None
            except QuotaExceeded as error:
                refusal = error
            self._forget(entry)
        try:
            yield refusal
        finally:
            if self._quotas is not None and hold is not None:
                await self._quotas.leave(hold)
                for key in list(itertools.islice(self._lines.get(entry.user, {}), WOKEN)):
                    self._again(key)

    async def _admit(self, quotas: Quotas, entry: Entry) -> Hold | None:
        """Admit a turn, however long the ledger stays away: without Redis the turn could not be committed either."""
        wait = 0.05
        while True:
            try:
                return await quotas.admit(entry.turn, entry.user)
            except LedgerUnavailable as error:
                log.warning("a turn cannot be counted, trying again: %s", error)
                await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
                wait = min(wait * 2, RETRY_CAP)

    async def _cancelled(self, entry: Entry) -> bool:
        with contextlib.suppress(*Unavailable):
            return await self._cancellations.asked(entry.partition.bot, entry.key, entry.turn)
        return False

    def _aside(self, entry: Entry) -> Aside:
        line = self._lines.setdefault(entry.user, {})
        if entry.key not in line and self._waiting < MAX_WAITING:
            line[entry.key] = None
            self._waiting += 1
        most = int(LOOK_AGAIN / LOOK)
        ahead = next((n for n, key in enumerate(itertools.islice(line, most)) if key == entry.key), most)
        return Aside(min(LOOK_AGAIN, LOOK * (1 + ahead)) * random.uniform(0.5, 1.0))  # noqa: S311

    def _forget(self, entry: Entry) -> None:
        line = self._lines.get(entry.user, {})
        if entry.key in line:
            del line[entry.key]
            self._waiting -= 1
        if not line:
            self._lines.pop(entry.user, None)


def _asked_by_user(entry: Entry) -> bool:
    """Tell what a user asked for from what a bot, a timer or a third party caused in the user's name."""
    if not entry.user:
        return False
    if entry.kind == "action":
        payload = json.loads(entry.payload)
        return bool(payload.get("action") == "thread.start" and payload.get("user") == entry.user)
    return entry.kind == "message"
