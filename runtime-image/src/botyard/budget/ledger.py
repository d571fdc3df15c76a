"""The ledger: accounts and holds of one bot in Redis, changed by scripts only.

A call sets its worst case aside in all its accounts at once, or in none. What is spent in an account never shrinks, and
spent and reserved together never grow beyond the limit of an enforced account.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import msgpack
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from botyard.budget import keys
from botyard.budget.accounts import Calendar, Charge, Unit
from botyard.budget.errors import LedgerUnavailable
from botyard.core.address import BotAddress
from botyard.core.connection import Unavailable

LEASE_MS = 60_000
"""Life of a hold without a sign of its owner."""
KEEP_CALL_MS = 24 * 3_600_000
"""How long a settled call's id is remembered."""
DAY_MS = 24 * 3_600_000
KEEP_DAYS = 400
"""Days of history."""
KEEP_HOURS = 48
"""Hours for which an account of an hour is kept."""
KEEP_FOREVER_DAYS = 90
"""Days after its last use that the account of a task or thread is kept."""
KEEP_LASTING_DAYS = 3650
"""The same of what was paid for ahead."""
WITNESSED = 4096
"""Accounts whose spending a process remembers, to notice that Redis came back with an older state."""
PATIENCE = 15.0
"""Seconds for one answer of the ledger, over all tries."""


@dataclass(frozen=True, slots=True)
class Balance:
    """One account after an answer."""

    account: str
    """With its period."""
    spent: int
    reserved: int
    limit: int | None
    crossed: bool = False
    """Whether 80 % of the limit were reached just now."""


@dataclass(frozen=True, slots=True)
class Held:
    """A reservation that was made."""

    coins: int
    tokens: int
    charges: tuple[tuple[str, Unit, int], ...]
    balances: tuple[Balance, ...]
    restored: int = 0
    """What an older state of Redis had lost and this process knew."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A reservation that does not fit."""

    final: bool
    """Whether no settlement of an open hold could make it fit."""
    unit: Unit
    account: str
    limit: int
    spent: int
    reserved: int
    needed: int
    renewed_at_ms: int
    """When the account begins anew; 0: never."""


@dataclass(frozen=True, slots=True)
class Done:
    """The call's id was used before."""

    state: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a settlement did."""

    state: str
    """`settled`, `released`, `lapsed` (it came too late), `booked`, or `unknown`: Redis had lost the hold."""
    coins: int
    balances: tuple[Balance, ...] = ()


class Ledger:
    """The accounts of one bot."""

    def __init__(self, redis: Redis, bot: BotAddress, *, lease_ms: int = LEASE_MS, patience: float = PATIENCE) -> None:
        """Prepare.

        Args:
            redis: Where the ledger lives; nobody else closes it.
            bot: Whose accounts.
            lease_ms: Milliseconds that a hold lives without `keep`.
            patience: Seconds for one answer.
        """
        self._redis = redis
        self._bot = bot
        self._lease_ms = lease_ms
        self._patience = patience
        self._scripts: dict[str, AsyncScript] = {}
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._now_ms = int(time.time() * 1000)
        self._now_at = time.monotonic()

    def now_ms(self) -> int:
        """Return Redis' time as far as this process knows it; scripts use the exact one."""
        return self._now_ms + int((time.monotonic() - self._now_at) * 1000)

    async def reserve(
        self,
        call: str,
        charges: Sequence[Charge],
        *,
        coins: tuple[int, int],
        tokens: tuple[int, int] = (0, 0),
        final: bool = False,
    ) -> Held | Refused | Done:
        """Set aside what a call can cost.

        Args:
            call: Its id; asking again while it is open returns the same reservation.
            charges: Accounts that it is counted in.
            coins: The least that makes sense, and what is wanted.
            tokens: The same in tokens.
            final: Take less than wanted although settlements could still make room.

        Raises:
            LedgerUnavailable: Redis does not answer.
            ValueError: A time zone does not exist.
        """
        plan = {
            "id": call,
            "lease": self._lease_ms,
            "keep": KEEP_CALL_MS,
            "final": final,
            "least": {"c": coins[0], "t": tokens[0]},
            "want": {"c": coins[1], "t": tokens[1]},
        }
        answer = await self._in_time("reserve", plan, charges, [keys.periods(self._bot)], seen=True)
        kind = answer[0]
        if kind == b"done":
            return Done(answer[1].decode())
        if kind != b"held":
            _, unit, account, limit, spent, reserved, needed, renewed = answer
            return Refused(
                final=kind == b"refused",
                unit=Unit(unit.decode()),
                account=account.decode(),
                limit=limit,
                spent=spent,
                reserved=reserved,
                needed=needed,
                renewed_at_ms=renewed,
            )
        held = [(row[0].decode(), Unit(row[1].decode()), row[2]) for row in answer[4:]]
        balances = tuple(self._balance(row[0], *row[3:]) for row in answer[4:])
        return Held(answer[1], answer[2], tuple(held), balances, restored=answer[3])

    async def settle(
        self,
        call: str,
        charges: Sequence[tuple[str, Unit, int]],
        *,
        coins: int,
        tokens: int = 0,
        counts: Mapping[str, int] | None = None,
        counted: Sequence[str] = (),
    ) -> Outcome:
        """Charge what a call used, at most what was set aside; a second time changes nothing.

        Args:
            call: Its id.
            charges: As `reserve` returned them, for the case that Redis lost the hold.
            coins: What it cost.
            tokens: What it used.
            counts: Further numbers for the history.
            counted: Accounts, with their periods, that keep these numbers.

        Raises:
            LedgerUnavailable: Redis does not answer; the hold stays until it lapses.
        """
        return await self._end(call, "settled", charges, coins, tokens, counts or {}, counted)

    async def release(self, call: str, charges: Sequence[tuple[str, Unit, int]]) -> Outcome:
        """Give back what was set aside for a call that was not made.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        return await self._end(call, "released", charges, 0, 0, {}, ())

    async def _end(
        self,
        call: str,
        state: str,
        charges: Sequence[tuple[str, Unit, int]],
        coins: int,
        tokens: int,
        counts: Mapping[str, int],
        counted: Sequence[str],
    ) -> Outcome:
        plan = {
            "id": call,
            "state": state,
            "coins": coins,
            "tokens": tokens,
            "keep": KEEP_CALL_MS,
            "forget": KEEP_FOREVER_DAYS * DAY_MS,
            "charges": [[account, unit.value, amount] for account, unit, amount in charges],
            "counts": dict(counts),
            "counted": dict.fromkeys(counted, True),
        }
        answer = await self._run("settle", plan, [])
        balances = tuple(self._balance(*row) for row in answer[2:])
        return Outcome(answer[0].decode(), answer[1], balances)

    async def book(self, call: str, charges: Sequence[Charge], coins: int, *, tokens: int = 0) -> Outcome:
        """Charge a cost that is known only afterwards; it may go beyond a limit. A second time changes nothing.

        Args:
            call: Its id.
            charges: Accounts; those of coins and of tokens are charged.
            coins: What it cost.
            tokens: What it used.

        Raises:
            LedgerUnavailable: Redis does not answer.
            ValueError: A time zone does not exist.
        """
        plan = {"id": call, "coins": coins, "tokens": tokens, "keep": KEEP_CALL_MS}
        answer = await self._in_time("book", plan, charges, [keys.periods(self._bot)])
        balances = tuple(self._balance(*row) for row in answer[1:])
        return Outcome(answer[0].decode(), coins, balances)

    async def keep(self, calls: Sequence[str], *, limit: int = 1000) -> list[str]:
        """Prolong the holds of calls that are under way; return the calls whose holds lapsed, whosever they were.

        Days that are older than the history are taken out of it.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        plan = {"lease": self._lease_ms, "calls": list(calls), "limit": limit, "history": KEEP_DAYS * DAY_MS}
        answer = await self._run("keep", plan, [keys.periods(self._bot)])
        return [call.decode() for call in answer[1]]

    async def knows(self, call: str) -> bool:
        """Tell whether a call's id was used, be it open or over.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        try:
            return bool(await self._redis.exists(keys.hold(self._bot, call)))
        except (*Unavailable, OSError) as error:
            raise LedgerUnavailable(f"the budget's ledger cannot be asked: {error}") from error

    async def grant(self, grant: str, charge: Charge, coins: int, *, record: str) -> tuple[str, bool]:
        """Allow an account a further amount; return its name with its period, and whether this grant was new.

        Args:
            grant: Its id; the same grant counts once.
            charge: The account.
            coins: How much more may be spent there until it begins anew.
            record: JSON of who granted it.

        Raises:
            LedgerUnavailable: Redis does not answer.
            ValueError: The time zone does not exist.
        """
        plan = {"id": grant, "account": charge.account, "coins": coins, "keep": _keep_ms(charge), "record": record}
        more = [keys.periods(self._bot), keys.asks(self._bot), keys.grants(self._bot)]
        answer = await self._in_time("grant", plan, [charge], more)
        return answer[1].decode(), answer[0] == b"granted"

    async def bound(self, account: str, coins: int) -> None:
        """Give an account without a period a bound of its own: what is declared holds as far as it is lower.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        key = keys.account(self._bot, account)
        try:
            async with asyncio.timeout(self._patience), self._redis.pipeline(transaction=True) as pipe:
                pipe.hset(key, "own", coins)
                pipe.pexpire(key, KEEP_FOREVER_DAYS * DAY_MS)
                await pipe.execute()
        except (*Unavailable, TimeoutError, OSError) as error:
            raise LedgerUnavailable(f"the budget's ledger cannot be asked: {error or type(error).__name__}") from error

    async def floor(self, account: str, start_ms: int, coins: int) -> int:
        """Say that at least `coins` were spent in an account with its period; return what was missing.

        Raises:
            LedgerUnavailable: Redis does not answer.
        """
        plan = {"account": account, "start": start_ms, "coins": coins, "keep": KEEP_DAYS * DAY_MS}
        return int(await self._run("floor", plan, [keys.periods(self._bot)]))

    def _balance(self, account: bytes, spent: int, reserved: int, limit: int, crossed: int = 0) -> Balance:
        name = account.decode()
        self._seen[name] = max(spent, self._seen.pop(name, 0))
        if len(self._seen) > WITNESSED:
            self._seen.popitem(last=False)
        return Balance(name, spent, reserved, None if limit < 0 else limit, bool(crossed))

    async def _in_time(
        self, name: str, plan: dict[str, Any], charges: Sequence[Charge], more: list[str], *, seen: bool = False
    ) -> Any:
        """Run a script whose accounts have periods; Redis' clock says which, whatever this machine's clock says."""
        for _ in range(3):
            calendars: dict[Calendar, int] = {}
            for charge in charges:
                if charge.calendar is not None:
                    calendars.setdefault(charge.calendar, len(calendars) + 1)
            windows = [calendar.around(self.now_ms()) for calendar in calendars]
            plan["calendars"] = [[[w.name, w.start_ms, w.end_ms] for w in three] for three in windows]
            plan["charges"] = [
                [
                    charge.account,
                    charge.unit.value,
                    -1 if charge.limit is None else charge.limit,
                    charge.enforced,
                    0 if charge.calendar is None else calendars[charge.calendar],
                    _keep_ms(charge),
                ]
                for charge in charges
            ]
            plan["seen"] = self._witnessed(charges, calendars, windows) if seen else {}
            answer = await self._run(name, plan, more)
            if answer[0] != b"clock":
                return answer
            self._now_ms, self._now_at = int(answer[1]), time.monotonic()
        raise LedgerUnavailable("Redis' clock jumps: nobody can say which day it is")

    def _witnessed(
        self, charges: Sequence[Charge], calendars: Mapping[Calendar, int], windows: Sequence[Sequence[Any]]
    ) -> dict[str, int]:
        found = {}
        for charge in charges:
            names = [charge.account]
            if charge.calendar is not None:
                names = [f"{charge.account}:{window.name}" for window in windows[calendars[charge.calendar] - 1]]
            for name in names:
                if spent := self._seen.get(name):
                    found[name] = spent
        return found

    async def _run(self, name: str, plan: Mapping[str, Any], more: list[str]) -> Any:
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self._redis.register_script(source(name))
        args = [keys.prefix(self._bot), msgpack.packb(plan)]
        try:
            async with asyncio.timeout(self._patience):
                return await script(keys=[keys.holds(self._bot), *more], args=args)
        except (*Unavailable, TimeoutError, OSError) as error:
            raise LedgerUnavailable(f"the budget's ledger cannot be asked: {error or type(error).__name__}") from error


def _keep_ms(charge: Charge) -> int:
    if charge.lasting:
        return KEEP_LASTING_DAYS * DAY_MS
    if charge.calendar is None:
        return KEEP_FOREVER_DAYS * DAY_MS
    return KEEP_HOURS * 3_600_000 if charge.calendar.hours else KEEP_DAYS * DAY_MS


@cache
def source(name: str) -> str:
    """Return the text of a script, behind what all of them share."""
    folder = files("botyard.budget") / "scripts"
    return "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("common", name))
