"""Routes changes to the Personas that subscribed, and stores them: in order, many at once, until Redis has them."""

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from botyard.connector.problems import Notice
from botyard.connector.transactions import Placed
from botyard.contract.routes import Route
from botyard.core.address import BotAddress, Partition
from botyard.core.change_inbox import ChangeInbox, PartitionBatch, Taken, by_partition
from botyard.core.connection import Unavailable
from botyard.core.errors import Overloaded
from botyard.core.inbox import MAX_PENDING
from botyard.erp.routing import RoutingPlan
from botyard.loop import keys

log = logging.getLogger("botyard.connector")

CHANGES_PER_EVENT = 32
"""Changes of one Persona that share a turn, at most: they are handled one after the other within its time."""
MAX_CHANGE = 8 * 1_048_576
"""Characters of one change's JSON; the same as a request's over HTTP."""
_LEFT_OUT = (1_048_576, 65_536, 1024)
"""Of a change that is larger, values above these are left out, until it fits."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
MAX_PLACES = 1000
"""Sets of receiving Personas whose places are remembered."""


@dataclass(slots=True)
class Written:
    """Sums of what was written."""

    changes: int = 0
    events: int = 0
    deliveries: int = 0
    known: int = 0
    omitted: int = 0

    def clear(self) -> None:
        """Begin again."""
        self.changes = self.events = self.deliveries = self.known = self.omitted = 0


class _Places:
    """Where Personas are: a thousand of them get the next change, too."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int, tuple[str, ...]], Mapping[Partition, Sequence[str]]] = {}

    def of(self, route: Route, personas: tuple[str, ...]) -> Mapping[Partition, Sequence[str]]:
        """Return the keys of Personas by partition."""
        wanted = (route.namespace, route.name, route.partitions, personas)
        found = self._known.get(wanted)
        if found is None:
            bot = BotAddress(route.namespace, route.name, route.partitions)
            placed: dict[Partition, list[str]] = {}
            for persona in personas:
                key = keys.persona_key(persona)
                placed.setdefault(bot.partition(key), []).append(key)
            if len(self._known) >= MAX_PLACES:
                self._known.clear()
            found = self._known[wanted] = placed
        return found


class Writer:
    """Stores the changes of one source.

    Args:
        redis: Where.
        source: Its name, unique in the installation.
        plan: Tells who wants what, now.
        woken: Hears of each Bot that got something: it may sleep.
        told: Hears what keeps changes from being stored; None: nothing does.
        per_event: Changes that share an event, at most.
        max_pending: Events that may wait in one partition.
    """

    def __init__(
        self,
        redis: Redis,
        source: str,
        *,
        plan: Callable[[], RoutingPlan],
        woken: Callable[[Route], Awaitable[None]],
        told: Callable[[Notice | None], None],
        per_event: int = CHANGES_PER_EVENT,
        max_pending: int = MAX_PENDING,
    ) -> None:
        self._inbox = ChangeInbox(redis)
        self._source = source
        self._plan = plan
        self._woken = woken
        self._told = told
        self._per_event = per_event
        self._max_pending = max_pending
        self._places = _Places()
        self.sums = Written()

    async def write(self, changes: Sequence[Placed]) -> None:
        """Store changes; when this returns, the inbox of everybody who wants one has it.

        Redis that is away and inboxes that are full are waited for, as long as it takes: nothing is dropped, and
        nothing more is read meanwhile.

        Args:
            changes: In the order of the log.
        """
        if not changes:
            return
        routed, routes = self._route(changes)
        self.sums.changes += len(changes)
        todo = by_partition(routed, most=self._per_event)
        reached, pause = changes[-1].place, FIRST_PAUSE
        while todo:
            answers = await asyncio.gather(
                *(self._accept(partition, batch, reached) for partition, batch in todo.items()), return_exceptions=True
            )
            todo = self._left(list(zip(todo.items(), answers, strict=True)))
            if todo:
                await asyncio.sleep(pause * random.uniform(0.7, 1.0))  # noqa: S311 - jitter
                pause = min(pause * 2, LONGEST_PAUSE)
        self._told(None)
        for route in routes:
            await self._woken(route)

    async def _accept(self, partition: Partition, batch: PartitionBatch, reached: str) -> Taken:
        return await self._inbox.accept(
            partition, source=self._source, reached=reached, batch=batch, max_pending=self._max_pending
        )

    def _left(self, answers: Sequence[tuple[tuple[Partition, PartitionBatch], Any]]) -> dict[Partition, PartitionBatch]:
        """Count what was stored; return what has to be tried again, after telling why."""
        left: dict[Partition, PartitionBatch] = {}
        for (partition, batch), answer in answers:
            if isinstance(answer, Taken):
                self.sums.events += answer.events
                self.sums.deliveries += answer.stored
                self.sums.known += answer.known
                continue
            left[partition] = batch
            if isinstance(answer, Overloaded):
                self._told(
                    Notice(
                        "InboxFull",
                        f"{partition.bot}: {answer.pending} events wait in one partition, so nothing "
                        "more is read: look at why its handlers take so long, or raise spec.replicas",
                    )
                )
            elif isinstance(answer, Unavailable):
                self._told(Notice("RedisUnavailable", f"Redis does not take changes: {type(answer).__name__}"))
                log.warning("Redis does not take changes, trying again: %s", answer)
            else:
                raise answer
        return left

    def _route(
        self, changes: Sequence[Placed]
    ) -> tuple[list[tuple[str, str, Mapping[Partition, Sequence[str]]]], list[Route]]:
        plan = self._plan()
        routed: list[tuple[str, str, Mapping[Partition, Sequence[str]]]] = []
        routes: dict[int, Route] = {}
        for placed in changes:
            receivers: dict[Partition, Sequence[str]] = {}
            for route, personas in plan.receivers(placed.table, placed.change):
                routes[id(route)] = route
                receivers |= self._places.of(route, personas)
            if receivers:
                routed.append((placed.place, self._text(placed), receivers))
        return routed, list(routes.values())

    def _text(self, placed: Placed) -> str:
        """Return a change as it travels; values that no turn could take are left out, and named."""
        change = placed.change
        content: dict[str, Any] = {
            "table": placed.table,
            "change": change.action,
            "new": change.new,
            "old": change.old,
        }
        if placed.unchanged:
            content["unchanged"] = placed.unchanged
        text = _json(content)
        for limit in _LEFT_OUT:
            if len(text) <= MAX_CHANGE:
                break
            left_out = _shortened(content, limit)
            content["left_out"] = sorted({*content.get("left_out", ()), *left_out})
            text = _json(content)
        if "left_out" in content:
            self.sums.omitted += 1
            log.warning(
                "a change of %s is larger than %d characters: left out %s",
                placed.table,
                MAX_CHANGE,
                content["left_out"],
            )
        return text


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _shortened(content: dict[str, Any], limit: int) -> set[str]:
    found: set[str] = set()
    for name in ("new", "old"):
        if content[name] is None:
            continue
        large = {column for column, value in content[name].items() if _size(value) > limit}
        content[name] = {column: value for column, value in content[name].items() if column not in large}
        found |= large
    return found


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str) else len(_json(value)) if isinstance(value, dict | list) else 0
