"""How Personas fare: what their replicas tell, told to the reconcilers a little later.

A status is told of a loop that begins to fail, or heals, at once; of everything else less often (`marked`).
"""

from __future__ import annotations

from botyard.core.address import BotAddress
from botyard.core.persona_reports import PersonaReport, PersonaReports
from botyard_operator.marked import Marked, Place
from botyard_operator.reconcile.base import Enqueue, Key, ReadCaches

_OVERLAP_US = 10_000_000


class Faring(Marked[PersonaReport]):
    """The newest reports of Personas."""

    what = "how Personas fare"

    async def look(self, caches: ReadCaches, enqueue: Enqueue) -> None:
        """Read the reports of Bots where something changed, and mark the Personas whose status should tell it."""
        if self._redis is None:
            return
        reports = PersonaReports(self._redis)
        for namespace, name in self.changed(await reports.changed(self._since - _OVERLAP_US)):
            found = await reports.read(BotAddress(namespace, name))
            for key in caches.dependents(Key("Bot", namespace, name)):
                if key.kind == "Persona" and key.name in found:
                    self._report(key, found[key.name], (namespace, name), enqueue)

    def _report(self, key: Key, report: PersonaReport, bot: Place, enqueue: Enqueue) -> None:
        before = self.of(key)
        if before == report:
            return
        urgent = before is None or (before.failures > 0, before.unhandled) != (report.failures > 0, report.unhandled)
        self.tell(key, report, bot, enqueue, urgent=urgent)
