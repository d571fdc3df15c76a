"""What a turn's code may ask of the supervisor while it runs, and the answers."""

import json
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from botyard.budget.calls import Spender
from botyard.core.inbox import Entry
from botyard.core.knowledge import KnowledgeStore
from botyard.core.leases import Lease
from botyard.core.records import Records, Selection
from botyard.core.references import Reference, References
from botyard.core.retention import Retention
from botyard.core.turns import Turns
from botyard.runtime.database_calls import PREFIX, DatabaseCalls
from botyard.runtime.knowledge_calls import KNOWLEDGE_CALLS
from botyard.runtime.persistence import persist
from botyard.runtime.step_journal import JournalBounds
from botyard.runtime.tool_costs import Charges, charge_tool
from botyard.usage.book import UsageBook
from botyard.workflow.accounting.recorder import MAX_EVENT


class TurnCalls:
    """Answers the calls of all turns of this replica."""

    def __init__(
        self,
        redis: Redis,
        turns: Turns,
        retention: Retention,
        charges: Charges | None = None,
        usage: UsageBook | None = None,
        databases: DatabaseCalls | None = None,
    ) -> None:
        self._databases = databases
        self._charges = charges
        self._usage = usage
        self._turns = turns
        self._references = References(redis, retention=retention)
        self._records = Records(redis)
        self._knowledge = KnowledgeStore(redis)
        self._retention = retention

    async def answer(
        self,
        lease: Lease,
        entry: Entry,
        bounds: JournalBounds,
        method: str,
        args: Mapping[str, Any],
        payer: Spender | None = None,
    ) -> Any:
        """Answer one call; the worker is trusted with nothing but its own turn.

        Args:
            lease: Of the turn's partition.
            entry: The event that the turn runs.
            bounds: What the turn may still journal.
            method: What is asked.
            args: The details, as the worker sent them.
            payer: Who pays for the costs that its tools tell; None: they are not looked at.

        Raises:
            ValueError: There is no such method, or the details are wrong.
            JournalFull: A step's record is too much.
            StaleOwner: Another replica owns the partition.
        """
        if method == "reference.register":
            reference = Reference(bot=lease.partition.bot, conversation=entry.key, user=entry.user)
            name = str(args["reference"])[:200]
            return await persist(lambda: self._references.register(name, reference))
        if method == "step.put":
            ordinal, record, keep = str(args["ordinal"]), bytes(args["record"]), self._retention.of(entry.key)
            bounds.check(ordinal, record)
            if self._charges is not None and payer is not None:
                await charge_tool(self._charges, f"{entry.event}/{ordinal}", payer, record)
            return await persist(lambda: self._turns.journal(lease, entry, ordinal, record, keep=keep))
        if method == "records.read":
            key = str(args["key"] or entry.key)
            if entry.partition.bot.affinity(key) != entry.partition.bot.affinity(entry.key):
                raise ValueError(f"records of {key!r} cannot be read from a turn of {entry.key!r}")
            selection = Selection.of(args)
            return await persist(lambda: self._records.read(entry.partition.bot, key, selection))
        if method == "usage.record" and self._usage is not None:
            usage, event = self._usage, usage_of(args)
            return await persist(lambda: usage.record(entry, event))
        if method.startswith(PREFIX) and self._databases is not None:
            return await self._databases.in_turn(entry, method, args)
        if method in KNOWLEDGE_CALLS:
            bot = entry.partition.bot
            return await persist(lambda: KNOWLEDGE_CALLS[method](self._knowledge, bot, args))
        raise ValueError(f"the supervisor has no method {method!r}")


def usage_of(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of accounting that a worker tells.

    Raises:
        ValueError: It is none, or too long.
    """
    body = bytes(args["event"])
    if len(body) > MAX_EVENT:
        raise ValueError(f"an event of accounting has {MAX_EVENT} bytes at most, not {len(body)}")
    event = json.loads(body)
    if not isinstance(event, dict):
        raise ValueError("an event of accounting is an object")
    return event
