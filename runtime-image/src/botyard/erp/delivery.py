"""Brings changes to the inboxes of who subscribed: in their order, each Persona once, whoever sends them how often."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from botyard.contract.routes import Route
from botyard.core import ids
from botyard.core.address import BotAddress
from botyard.core.inbox import MAX_PENDING, Inbox
from botyard.erp.changes import Change
from botyard.erp.routing import RoutingPlan, payload
from botyard.loop import keys

AT_ONCE = 64
"""Deliveries of one change that are under way together."""


@dataclass(slots=True)
class Delivered:
    """What became of changes.

    Attributes:
        accepted: Changes that were new to somebody, or that nobody wants.
        duplicate: Changes that every receiver had already.
        deliveries: Events that were stored, one for each Persona that gets a change.
    """

    accepted: int = 0
    duplicate: int = 0
    deliveries: int = 0


class Delivery:
    """Stores changes as events of Personas.

    Args:
        inbox: Where events are kept.
        woken: Hears of each Bot that got something: it may sleep.
        max_pending: Events that may wait in one partition.
    """

    def __init__(
        self, inbox: Inbox, woken: Callable[[Route], Awaitable[None]], *, max_pending: int = MAX_PENDING
    ) -> None:
        self._inbox = inbox
        self._woken = woken
        self._max_pending = max_pending

    async def deliver(self, plan: RoutingPlan, table: str, changes: Iterable[Change], done: Delivered) -> None:
        """Store changes, one after the other; when this returns, every receiver's inbox has them.

        Args:
            plan: Who wants what.
            table: Whose rows they are.
            changes: In the order in which they happened. Those without an id are new ones.
            done: Is counted up; after an exception it says how many changes every receiver has.

        Raises:
            Overloaded: A receiver has too many events waiting. Sent again with the same ids, the change reaches only
                those who lack it.
        """
        gate = asyncio.Semaphore(AT_ONCE)
        for change in changes:
            event = f"erp:{table}:{change.id}" if change.id else ids.new_event()
            new = [
                await self._to_bot(route, personas, table, change, event, gate)
                for route, personas in plan.receivers(table, change)
            ]
            done.deliveries += sum(new)
            if new and not any(new):
                done.duplicate += 1
            else:
                done.accepted += 1

    async def _to_bot(
        self,
        route: Route,
        personas: tuple[str, ...],
        table: str,
        change: Change,
        event: str,
        gate: asyncio.Semaphore,
    ) -> int:
        """Return how many of the Personas had not got it yet."""
        bot = BotAddress(route.namespace, route.name, route.partitions)
        content = payload(table, change)

        async def accept(persona: str) -> bool:
            key = keys.persona_key(persona)
            async with gate:
                receipt = await self._inbox.accept(
                    bot,
                    key=key,
                    kind="action",
                    payload=content,
                    may_act_for_others=True,
                    # What an event has done is remembered by its id alone, also where Personas share a partition.
                    event_id=f"{event}:{key}",
                    max_pending=self._max_pending,
                )
            return not receipt.duplicate

        answers = await asyncio.gather(*map(accept, personas), return_exceptions=True)
        # Those that were stored stay stored, so who has something waits to be woken also where another failed.
        await self._woken(route)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return sum(map(bool, answers))
