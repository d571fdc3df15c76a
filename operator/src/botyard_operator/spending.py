"""What Bots and Personas spent, read from their ledgers and told to the reconcilers a little later.

Supervisors mark their Bot in one sorted set when its spending changed (`marked`). A status is told at once when a
budget is used up or healed, and once after midnight.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from botyard.budget import accounts, reports
from botyard.budget.accounts import Window
from botyard.budget.ledger import Ledger
from botyard.budget.reports import Account, Reports
from botyard.core.address import BotAddress
from botyard_operator.marked import Marked, Place
from botyard_operator.reconcile.base import Enqueue, JsonObject, Key, ReadCaches

logger = logging.getLogger(__name__)

_OVERLAP_MS = 10_000
"""Marks of the last look that are looked at again: replicas' writes may arrive late."""
_DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Spent:
    """What one Bot or Persona spent on its day."""

    bot: Key
    account: Account
    day: str
    ends_ms: int

    @property
    def coins(self) -> int:
        """Coins spent."""
        return self.account.spent


class Spending(Marked[Spent]):
    """The newest spending."""

    what = "spending"

    async def look(self, caches: ReadCaches, enqueue: Enqueue) -> None:
        """Read the ledgers that changed, and mark the keys whose status should tell it."""
        if self._redis is None:
            return
        read = Reports(self._redis)
        now_ms = await read.now_ms()
        # A day older than two is over in every time zone.
        since = max(self._since, now_ms - 2 * _DAY_MS)
        for namespace, name in self.changed(await read.changed(since - _OVERLAP_MS), self._over(now_ms)):
            await self._read(Key("Bot", namespace, name), read, now_ms, caches, enqueue)

    def _over(self, now_ms: int) -> set[Place]:
        """Return the Bots of keys whose day is over while their status still tells of it."""
        return {
            (spent.bot.namespace, spent.bot.name)
            for spent in self._told.values()
            if now_ms >= spent.ends_ms and (spent.coins or spent.account.need or spent.account.granted)
        }

    async def _read(self, bot: Key, read: Reports, now_ms: int, caches: ReadCaches, enqueue: Enqueue) -> None:
        """Read one Bot's account and those of its Personas, of their days."""
        zones = {bot: "UTC"}
        for key in caches.dependents(bot):
            obj = caches.get(key.kind, key.namespace, key.name)
            if key.kind == "Persona" and obj is not None:
                zones[key] = str(((obj.get("spec") or {}).get("budget") or {}).get("timeZone") or "UTC")
        days = {}
        for key, zone in zones.items():
            try:
                days[key] = reports.today(zone, now_ms)
            except ValueError:
                continue  # The Persona's own status says so.
        names = [(_account(key), day.name) for key, day in days.items()]
        address = BotAddress(bot.namespace, bot.name)
        await self._floor(address, bot, days, read, caches)
        found = await read.read(address, names)
        for (key, day), account in zip(days.items(), found, strict=True):
            self._report(key, Spent(bot, account, day.name, day.end_ms), caches, enqueue)

    async def _floor(
        self, address: BotAddress, bot: Key, days: Mapping[Key, Window], read: Reports, caches: ReadCaches
    ) -> None:
        """Put back what statuses tell of and the ledger has lost with an older state of Redis."""
        names = [(_account(key), day.name) for key, day in days.items()]
        held = await read.read(address, names)
        for (key, day), account in zip(days.items(), held, strict=True):
            told = _in_status(caches.get(key.kind, key.namespace, key.name), day.name)
            if told > account.spent and self._redis is not None:
                missing = await Ledger(self._redis, address).floor(f"{account.name}:{day.name}", day.start_ms, told)
                where = {"kind": key.kind, "namespace": key.namespace, "object": key.name}
                logger.error("Redis has an older state: %s spent coins are put back", missing, extra=where)

    def _report(self, key: Key, spent: Spent, caches: ReadCaches, enqueue: Enqueue) -> None:
        before = self.of(key)
        if before is not None and (before.day, before.account) == (spent.day, spent.account):
            return
        unspent = not spent.coins and not spent.account.need
        if before is None and unspent and _in_status(caches.get(key.kind, key.namespace, key.name), "") == 0:
            return  # As good as never looked at.
        urgent = before is None or before.day != spent.day or _urgent(before.account) != _urgent(spent.account)
        self.tell(key, spent, (spent.bot.namespace, spent.bot.name), enqueue, urgent=urgent)


def _account(key: Key) -> str:
    return accounts.BOT if key.kind == "Bot" else accounts.persona(key.name)


def _urgent(account: Account) -> object:
    """What makes a status worth writing at once: a refusal, a grant, a limit that was reached."""
    full = account.cap is not None and account.spent >= account.cap
    return bool(account.need), account.granted, full


def _in_status(obj: JsonObject | None, day: str) -> int:
    """Return the coins that a status tells of a day; of any day when it is empty."""
    status = (obj or {}).get("status") or {}
    spend = status.get("spend") or {"coins": status.get("spentToday")}
    return int(spend.get("coins") or 0) if not day or spend.get("day") == day else 0
