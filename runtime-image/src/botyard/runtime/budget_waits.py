"""Turns that wait for money: when they are put aside, and when they may go on."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from redis.asyncio import Redis

from botyard.budget import policies
from botyard.budget.accounts import Calendar
from botyard.budget.calls import Spender
from botyard.budget.errors import BudgetError, BudgetExceeded
from botyard.budget.reports import Account, Reports, today
from botyard.contract.bot import BotConfig
from botyard.contract.persona import PersonaConfig
from botyard.core.connection import Unavailable
from botyard.core.inbox import Entry
from botyard.core.parking import Parked, Parking
from botyard.runtime.parking import ParkTurn

WAITING = ("Pause", "Ask")
"""`onExceeded` of Personas whose turns wait for money; others fail."""
_DATA = "budget"


class Terms(Protocol):
    """What is declared now."""

    bot: BotConfig
    personas: Mapping[str, PersonaConfig]


def waits_for(refusal: BudgetError, spender: Spender) -> ParkTurn | None:
    """Return how a turn is put aside whose call was refused; None: it is not.

    It goes on when the account begins anew; before that where somebody allows more.

    Args:
        refusal: Why the call was refused.
        spender: Who wanted to pay.
    """
    if not isinstance(refusal, BudgetExceeded) or refusal.policy not in WAITING:
        return None
    about = {"account": refusal.account, "needed": refusal.needed, "spender": asdict(spender)}
    return ParkTurn(str(refusal), until_ms=refusal.retry_at_ms, data={_DATA: about})


def affordable(
    about: Mapping[str, Any], account: Account, bot: BotConfig, personas: Mapping[str, PersonaConfig], now_ms: int
) -> bool:
    """Tell whether a call that was refused would fit now, or would not be waited for any more.

    Args:
        about: What was noted of the refusal.
        account: The account that had too little, as it is.
        bot: The Bot as it is declared now.
        personas: The Personas as they are declared now.
        now_ms: The time by Redis' clock.
    """
    spender = Spender(**about["spender"])
    if policies.budget_of(personas, spender.persona).on_exceeded not in WAITING:
        return True
    name = str(about["account"])
    charges = policies.charges_of(bot, personas, spender)
    charge = next((each for each in charges if name == each.account or name.startswith(f"{each.account}:")), None)
    if (
        charge is not None
        and charge.calendar is not None
        and not _same_day(charge.account, charge.calendar, name, now_ms)
    ):
        return True
    left = account.remaining(charge.limit) if charge is not None else None
    return left is None or left >= int(about["needed"])


def _same_day(account: str, calendar: Calendar, name: str, now_ms: int) -> bool:
    """Whether an account by its full name still is that of today, which an edit of the time zone changes, too."""
    try:
        return f"{account}:{today(calendar.zone, now_ms).name}" == name
    except ValueError:
        return True


class BudgetWaits:
    """Lets turns go on that wait for money."""

    def __init__(self, redis: Redis, terms: Terms) -> None:
        """Prepare.

        Args:
            redis: Where turns are parked and the ledger is.
            terms: Budgets in force.
        """
        self._parking = Parking(redis)
        self._reports = Reports(redis)
        self._terms = terms

    async def over(self, entry: Entry) -> bool:
        """Tell whether a parked turn waited for money that is there now; it is not parked any more then."""
        bot = entry.partition.bot
        try:
            parked = await self._parking.of(bot, entry.key)
            if parked is None or parked.event != entry.event or not await self._returned(parked, entry):
                return False
            return await self._parking.resume(bot, entry.key, turn=parked.turn)
        except Unavailable:
            return False  # It is looked at again.

    async def _returned(self, parked: Parked, entry: Entry) -> bool:
        about = parked.data.get(_DATA)
        if about is None:
            return False
        (account,) = await self._reports.read(entry.partition.bot, [(str(about["account"]), "")])
        now = await self._reports.now_ms()
        return affordable(about, account, self._terms.bot, self._terms.personas, now)
