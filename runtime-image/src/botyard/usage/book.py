"""Takes events of a bot's turns: each is counted once and kept until the storage has it."""

import json
import time
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from botyard.core.address import BotAddress
from botyard.core.inbox import Entry
from botyard.usage import keys, rollups
from botyard.usage.metrics import UsageMetrics
from botyard.workflow.accounting.events import AccountingEvent, moment
from botyard.workflow.accounting.recorder import encode

MAX_SPOOLED = 100_000
"""Events that wait for a storage that is away; further ones are refused and stay in the bot's log."""
MAX_FIELDS = 5000
"""Numbers of one roll-up."""
DAY = 24 * 3600
KEEP_SEEN = 7 * DAY
KEEP_DAYS = 400 * DAY
KEEP_TURNS = 30 * DAY
LOOK_EVERY = 30.0
"""Seconds between looks whether somebody writes events to a storage."""


class UsageRefused(Exception):
    """An event was not taken; the message says why."""


class UsageBook:
    """The usage of one bot."""

    def __init__(self, redis: Redis, bot: BotAddress, metrics: UsageMetrics | None = None) -> None:
        self._redis = redis
        self._bot = bot
        self._metrics = metrics
        self._script: AsyncScript | None = None
        self._wanted = False
        self._looked_at = float("-inf")
        self._tokens: dict[str, int] = {}
        """Of turns that run here."""

    async def record(self, entry: Entry, told: Mapping[str, Any]) -> None:
        """Take an event of a turn. Recording the same event again does nothing.

        Whose usage it is does not come from the worker: it runs foreign code.

        Raises:
            UsageRefused: It is no event, or too many wait for the storage.
        """
        event = _event(entry, told)
        day = moment(event["timestamp"]).date().isoformat()
        sums = rollups.sums_of(event)
        body = encode(event).decode() if await self._is_wanted() else ""
        if self._script is None:
            self._script = self._redis.register_script(_source())
        answer = await self._script(
            keys=[
                keys.seen(self._bot, event["event_id"]),
                keys.spool(self._bot),
                keys.day(self._bot, day),
                keys.turn(self._bot, entry.turn),
            ],
            args=[
                body,
                MAX_SPOOLED,
                KEEP_SEEN,
                KEEP_DAYS,
                KEEP_TURNS,
                MAX_FIELDS,
                rollups.row_of(event),
                rollups.other_row(event),
                *(part for pair in sums.items() for part in pair),
            ],
        )
        if answer == b"full":
            if self._metrics is not None:
                self._metrics.refused.inc()
            raise UsageRefused(f"{MAX_SPOOLED} events wait for the accounting storage already: is it away?")
        if answer == b"recorded" and self._metrics is not None:
            self._metrics.count(event, sums)
            self._tokens[entry.turn] = self._tokens.get(entry.turn, 0) + sums.get("tokens", 0)

    def turn_over(self, turn: str) -> None:
        """Say that a run of a turn is over, for the metrics."""
        if (tokens := self._tokens.pop(turn, None)) is not None and self._metrics is not None:
            self._metrics.per_turn.observe(tokens)

    async def _is_wanted(self) -> bool:
        now = time.monotonic()
        if now - self._looked_at >= LOOK_EVERY:
            self._wanted = bool(await self._redis.exists(keys.WANTED))
            self._looked_at = now
        return self._wanted


def _event(entry: Entry, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event with what the platform knows in the place of what the worker says."""
    try:
        event = AccountingEvent.from_dict(told).to_dict()
        event_id = str(event["event_id"])
        if not 0 < len(event_id) <= 100 or not event_id.isascii() or not event_id.isprintable():
            raise ValueError("its id is not usable")
        event["timestamp"] = moment(str(event["timestamp"])).isoformat()
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageRefused(f"this is no event of accounting: {error}") from None
    bot = entry.partition.bot
    context = event["context"] if isinstance(event["context"], dict) else {}
    event |= {
        "tenant_id": bot.namespace,
        "project_id": bot.name,
        "user_id": entry.user,
        "request_id": event["request_id"] or entry.event,
        "context": {"conversation_id": entry.key, **_said(context), **_turn(entry)},
    }
    json.dumps(event, default=str)
    return event


def _turn(entry: Entry) -> dict[str, str]:
    """Return the turn as its client calls it, as in all its events; and as the platform does, where that differs."""
    chat = json.loads(entry.payload).get("chat") if '"chat"' in entry.payload else None
    shown = chat.get("turn_id") if isinstance(chat, dict) else None
    return {"turn_id": str(shown), "platform_turn_id": entry.turn} if shown else {"turn_id": entry.turn}


def _said(context: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in context.items() if value is not None}


@cache
def _source() -> str:
    return (files("botyard.usage") / "scripts" / "record.lua").read_text(encoding="utf-8")
