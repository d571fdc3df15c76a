"""Quotas that bundles declare for users, on the ledger of all other budgets.

A turn counts as a request, and takes a slot while it runs. Its calls are counted in the accounts of tokens as they are
made, so that what a turn has used is charged whatever becomes of it.
"""

from collections.abc import Sequence

from botyard.budget import accounts
from botyard.budget.accounts import Calendar, Charge, Unit
from botyard.budget.ledger import Held, Ledger, Refused
from botyard.budget.reports import Account, Reports
from botyard.core.address import BotAddress
from botyard.workflow.economics.policy import Limit, Period, Row
from botyard.workflow.economics.treasury import Asked, Verdict

_CALENDARS: dict[Period, Calendar | None] = {
    "hour": Calendar(hours=True),
    "day": Calendar(),
    "month": Calendar(months=True),
    "total": None,
}
_UNITS = {"requests": Unit.REQUESTS, "turns": Unit.SLOTS, "tokens": Unit.TOKENS}


def charge_of(user: str, limit: Limit) -> Charge:
    """Return the account that a limit of a user is about."""
    lasting = limit.period == "total" and limit.what != "turns"
    account = accounts.quota(user, limit.what)
    return Charge(account, _UNITS[limit.what], limit.most, calendar=_CALENDARS[limit.period], lasting=lasting)


def credit_of(user: str) -> Charge:
    """Return the account of the tokens that a user has paid for: it has no limit but what was granted."""
    return Charge(accounts.credit(user), Unit.TOKENS, 0, lasting=True)


def of_turn(asked: Asked) -> list[Charge]:
    """Return the accounts that the turn itself is counted in."""
    return [charge_of(asked.user, limit) for limit in asked.limits if limit.what != "tokens"]


def of_calls(asked: Asked) -> tuple[Charge, ...]:
    """Return the accounts that the turn's calls are counted in."""
    if asked.lane == "paid":
        return (credit_of(asked.user),)
    return tuple(charge_of(asked.user, limit) for limit in asked.limits if limit.what == "tokens")


def of_providers(asked: Asked) -> tuple[tuple[str, Charge], ...]:
    """Return the accounts that calls of single providers are counted in."""
    return tuple(
        (
            each.provider,
            Charge(accounts.provider(each.provider), Unit.COINS, each.coins, calendar=_CALENDARS[each.period]),
        )
        for each in asked.budgets
    )


class Quotas:
    """Looks at users' accounts."""

    def __init__(self, reports: Reports, ledger: Ledger, bot: BotAddress) -> None:
        self._reports = reports
        self._ledger = ledger
        self._bot = bot

    async def look(self, asked: Asked, *, daily: int | None) -> tuple[tuple[Row, ...], int, int | None]:
        """Return the limits with what is used, the user's credit in tokens, and the coins that the bot has left today.

        Args:
            asked: Whose, and which.
            daily: Coins that the bot may spend on a day; None: without a limit.
        """
        now = await self._reports.now_ms()
        names = [_place(charge_of(asked.user, limit), now) for limit in asked.limits]
        names += [(accounts.credit(asked.user), ""), _place(Charge(accounts.BOT, Unit.COINS, calendar=Calendar()), now)]
        *found, credit, bot = await self._reports.read(self._bot, names)
        rows = tuple(_row(limit, account, now) for limit, account in zip(asked.limits, found, strict=True))
        return rows, max(0, credit.granted - credit.spent - credit.reserved), bot.remaining(daily)

    async def spent_budgets(self, asked: Asked) -> tuple[str, ...]:
        """Return the providers whose budgets are used up."""
        charges = of_providers(asked)
        if not charges:
            return ()
        now = await self._reports.now_ms()
        found = await self._reports.read(self._bot, [_place(charge, now) for _, charge in charges])
        pairs = zip(charges, found, strict=True)
        return tuple(name for (name, charge), account in pairs if account.exceeded(charge.limit) or charge.limit == 0)

    async def admit(self, asked: Asked, turn: str, *, daily: int | None) -> tuple[Verdict, Held | None]:
        """Return whether a turn may run, and what was set aside for it.

        Args:
            asked: Whose, and under which limits.
            turn: Its id: a run that is repeated is the same turn.
            daily: As for `look`.

        Raises:
            LedgerUnavailable: The ledger cannot be asked.
        """
        rows, credit, left = await self.look(asked, daily=daily)
        if spent := await self.spent_budgets(asked):
            return Verdict(False, rows, credit, left, spent), None
        used_up = any(row.left < 1 for row in rows) or (asked.lane == "paid" and credit < 1)
        if used_up and not await self._ledger.knows(turn):
            return Verdict(False, rows, credit, left), None
        charges = of_turn(asked)
        if not charges:
            return Verdict(True, rows, credit, left), None
        held = await self._reserve(turn, charges)
        if held is None:
            # Somebody was quicker.
            rows, credit, left = await self.look(asked, daily=daily)
        return Verdict(held is not None, rows, credit, left), held

    async def _reserve(self, turn: str, charges: Sequence[Charge]) -> Held | None:
        answer = await self._ledger.reserve(turn, charges, coins=(0, 0), final=True)
        if isinstance(answer, Refused):
            return None
        # Otherwise an earlier run of the turn, whose replica was lost: it was counted then.
        return answer if isinstance(answer, Held) else Held(0, 0, (), ())


def _place(charge: Charge, now_ms: int) -> tuple[str, str]:
    return charge.account, _period(charge, now_ms)[0]


def _period(charge: Charge, now_ms: int) -> tuple[str, int]:
    if charge.calendar is None:
        return "", 0
    for window in charge.calendar.around(now_ms):
        if window.start_ms <= now_ms < window.end_ms:
            return window.name, window.end_ms
    return "", 0


def _row(limit: Limit, account: Account, now_ms: int) -> Row:
    end = _period(charge_of("", limit), now_ms)[1]
    return Row(limit.name, limit.most + account.granted, account.spent + account.reserved, end - now_ms if end else 0)
