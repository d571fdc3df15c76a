"""What was spent: read from the ledger for the operator, the gateway and the command line. Nothing here writes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.budget import accounts, keys
from botyard.budget.accounts import Calendar, Window
from botyard.contract.spending import BotBudget, PersonaBudget, UserQuotas
from botyard.core.address import BotAddress

COUNTS = ("calls", "input", "cached", "output", "reasoning", "tools", "refused", "lost", "problems", "restored")
"""Numbers that accounts of days keep beside their coins."""
MAX_ROWS = 10_000
"""Rows of one history."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account as it is."""

    name: str
    """Without its period."""
    period: str
    spent: int = 0
    reserved: int = 0
    granted: int = 0
    need: int = 0
    """What the call needed that was refused last, until one is let through again; 0: none was refused."""
    own: int | None = None
    """A bound of its own, as of a task that brings one; None: none."""
    cap: int | None = None
    """The limit at the last call, with what was granted."""
    counts: Mapping[str, int] | None = None

    def limit(self, declared: int | None) -> int | None:
        """Return what holds of a declared limit and the account's own bound; None: neither."""
        return declared if self.own is None else self.own if declared is None else min(declared, self.own)

    def remaining(self, declared: int | None) -> int | None:
        """Return what may still be reserved under a limit, never less than 0; None: without a limit."""
        limit = self.limit(declared)
        if limit is None:
            return None
        return max(0, limit + self.granted - self.spent - self.reserved)

    def exceeded(self, declared: int | None) -> bool:
        """Whether a limit is used up: nothing is left, or what was refused last does not fit yet."""
        limit = self.limit(declared)
        if limit is None:
            return False
        left = limit + self.granted - self.spent
        return self.need > left or (left <= 0 and self.spent > 0)


@dataclass(frozen=True, slots=True)
class Declared:
    """Budgets as the replicas of a bot have them in force."""

    bot: BotBudget
    personas: Mapping[str, PersonaBudget]
    told: bool = True
    """Whether any replica has ever told; else everything is as if nothing were declared."""


class Reports:
    """Reads the ledgers of any bots."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def now_ms(self) -> int:
        """Return the time by Redis' clock, which decides the day."""
        seconds, micros = await self._redis.time()
        return int(seconds) * 1000 + int(micros) // 1000

    async def changed(self, since_ms: int) -> list[tuple[str, str, int]]:
        """Return namespace, name and time of the bots whose spending changed since a time."""
        rows: Any = await self._redis.zrangebyscore(keys.CHANGES, since_ms, "+inf", withscores=True)
        found = []
        for member, score in rows:
            namespace, _, name = member.decode().partition("/")
            found.append((namespace, name, int(score)))
        return found

    async def read(self, bot: BotAddress, names: Sequence[tuple[str, str]]) -> list[Account]:
        """Return accounts by name and period; one that was never used is empty."""
        pipe = self._redis.pipeline(transaction=False)
        for name, period in names:
            pipe.hgetall(keys.account(bot, f"{name}:{period}" if period else name))
        rows = await pipe.execute() if names else []
        return [account_of(name, period, row) for (name, period), row in zip(names, rows, strict=True)]

    async def history(self, bot: BotAddress, *, since_ms: int, until_ms: int | None = None) -> list[Account]:
        """Return the accounts of days, of the Bot and its Personas, oldest first."""
        most = "+inf" if until_ms is None else f"({until_ms}"
        members: Any = await self._redis.zrangebyscore(keys.periods(bot), since_ms, most, start=0, num=MAX_ROWS)
        names = []
        for member in members:
            name, _, period = member.decode().rpartition(":")
            if name == accounts.BOT or name.startswith("persona:"):
                names.append((name, period))
        return await self.read(bot, names)

    async def declared(self, bot: BotAddress) -> Declared:
        """Return the budgets in force; without limits where no replica has ever told."""
        rows: Any = await self._redis.hgetall(keys.terms(bot))
        personas = {
            name.decode().partition(":")[2]: PersonaBudget.model_validate_json(text)
            for name, text in rows.items()
            if name.startswith(b"persona:")
        }
        return Declared(BotBudget.model_validate_json(rows.get(b"bot", b"{}")), personas, told=bool(rows))

    async def quotas(self, bot: BotAddress) -> UserQuotas:
        """Return the quotas of users in force; none where no replica has ever told."""
        told = await self._redis.hget(keys.terms(bot), keys.QUOTAS)
        return UserQuotas.model_validate_json(told or b"{}")

    async def requests_today(self, bot: BotAddress, user: str) -> tuple[int, int]:
        """Return how many requests of a user count today, and the milliseconds until they begin anew."""
        now = await self.now_ms()
        day = today("UTC", now)
        (account,) = await self.read(bot, [(accounts.user(user, "requests"), day.name)])
        return account.spent + account.reserved, day.end_ms - now

    async def asks(self, bot: BotAddress, now_ms: int) -> list[dict[str, Any]]:
        """Return what somebody is asked to grant, oldest first; what has begun anew since is not asked any more."""
        rows: Any = await self._redis.hgetall(keys.asks(bot))
        found = [json.loads(text) for text in rows.values()]
        open_ = [ask for ask in found if not ask["until_ms"] or ask["until_ms"] > now_ms]
        return sorted(open_, key=lambda ask: (ask["at_ms"], ask["account"]))


def today(zone: str, now_ms: int) -> Window:
    """Return the day of a time zone.

    Raises:
        ValueError: There is no such time zone.
    """
    windows = Calendar(zone).around(now_ms)
    return next(window for window in windows if window.start_ms <= now_ms < window.end_ms)


def account_of(name: str, period: str, row: Mapping[bytes, bytes]) -> Account:
    """Return an account from its hash."""
    fields = {field.decode(): int(value) for field, value in row.items()}
    cap = fields.get("cap", -1)
    return Account(
        name=name,
        period=period,
        spent=fields.get("spent", 0),
        reserved=fields.get("reserved", 0),
        granted=fields.get("granted", 0),
        need=fields.get("need", 0),
        own=fields.get("own"),
        cap=None if cap < 0 else cap,
        counts={count: fields[count] for count in COUNTS if count in fields},
    )


def csv(rows: Iterable[Account]) -> str:
    """Return a history as CSV, one line for each day and account; coins are whole numbers."""
    lines = [",".join(("day", "account", "coins", "granted", "limit", *COUNTS))]
    for row in rows:
        counts = row.counts or {}
        cells = (row.period, row.name, row.spent, row.granted, "" if row.cap is None else row.cap)
        lines.append(",".join(str(cell) for cell in (*cells, *(counts.get(count, 0) for count in COUNTS))))
    return "\r\n".join(lines) + "\r\n"
