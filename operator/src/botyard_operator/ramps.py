"""How the turns of a revision that is ramped end: counted by its replicas, told to the reconcilers.

Failures and dead letters are told at once, as they may end the ramp; everything else less often (`marked`).
"""

from __future__ import annotations

from dataclasses import dataclass

from botyard.core.address import BotAddress
from botyard.core.ramp_counts import RampCounts, Tally
from botyard_operator.marked import Marked
from botyard_operator.reconcile.base import Enqueue, Key, ReadCaches

_OVERLAP_US = 10_000_000


@dataclass(frozen=True, slots=True)
class RampFigures:
    """The figures of one ramp."""

    ramp: str
    """Its id."""
    new: Tally
    old: Tally


class Ramps(Marked[RampFigures]):
    """The newest figures of ramps, by their Bot."""

    what = "turns of ramps"

    async def look(self, caches: ReadCaches, enqueue: Enqueue) -> None:
        """Read the figures of Bots whose replicas have counted, and mark those that should know."""
        if self._redis is None:
            return
        counts = RampCounts(self._redis)
        for namespace, name in self.changed(await counts.changed(self._since - _OVERLAP_US)):
            key = Key("Bot", namespace, name)
            status = (caches.get(key.kind, namespace, name) or {}).get("status") or {}
            ramp = str((status.get("ramp") or {}).get("id") or "")
            if not ramp:
                continue
            found = await counts.read(BotAddress(namespace, name), ramp)
            figures, before = RampFigures(ramp, found["new"], found["old"]), self.of(key)
            if figures != before:
                urgent = before is None or before.ramp != ramp or _bad(before) != _bad(figures)
                self.tell(key, figures, (namespace, name), enqueue, urgent=urgent)


def _bad(figures: RampFigures) -> object:
    return figures.new.failed, figures.new.dead
