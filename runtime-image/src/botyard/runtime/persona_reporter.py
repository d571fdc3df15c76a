"""Tells how the Personas of this replica fare: gathered for a moment, then written at once."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from botyard.core.address import BotAddress
from botyard.core.persona_reports import MAX_COLUMNS, MAX_TOOLS, PersonaReport, PersonaReports
from botyard.runtime.persistence import persist

log = logging.getLogger("botyard.residents")

GATHER = 1.0
"""Seconds for which changes are gathered."""


class PersonaReporter:
    """Writes reports until cancelled."""

    def __init__(self, redis: Redis, bot: BotAddress, replica: str, personas: Callable[[], Collection[str]]) -> None:
        """Prepare; `run` begins.

        Args:
            redis: Where reports go.
            bot: Whose Personas.
            replica: The pod's name.
            personas: Those that the bot has now.
        """
        self._reports = PersonaReports(redis)
        self._bot = bot
        self._replica = replica
        self._personas = personas
        self._known: dict[str, PersonaReport] = {}
        self._changed: set[str] = set()
        self._wake = asyncio.Event()

    def fares(self, persona: str, health: Mapping[str, Any]) -> None:
        """Take how a Persona's loop fares: {state, failures, message, unhandled}."""
        state, message = str(health.get("state") or ""), str(health.get("message") or "")
        if state == "ended":
            # It begins elsewhere, and who has it then tells of it.
            return self.left(persona)
        failures = health.get("failures")
        count = failures if isinstance(failures, int) else 0
        unhandled = tuple(str(name) for name in list(health.get("unhandled") or ())[:MAX_TOOLS])
        report = replace(self._of(persona), state=state, failures=count, message=message)
        # While it pauses nothing is known of its handlers.
        return self._take(persona, report if state == "failing" else replace(report, unhandled=unhandled))

    def has(self, persona: str, tasks: Mapping[str, int]) -> None:
        """Take how many tasks are where on a Persona's board."""
        counts = {str(column): int(count) for column, count in list(tasks.items())[:MAX_COLUMNS]}
        self._take(persona, replace(self._of(persona), tasks=counts))

    def left(self, persona: str) -> None:
        """A Persona lives elsewhere from now on: nothing is told of it from here."""
        self._known.pop(persona, None)
        self._changed.discard(persona)

    async def run(self) -> None:
        """Write what changed, a moment later."""
        await persist(lambda: self._reports.keep_only(self._bot, self._personas()))
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER)
            self._wake.clear()
            there = self._personas()
            telling = {name: self._known[name] for name in self._changed if name in self._known and name in there}
            self._changed.clear()
            await persist(lambda telling=telling: self._reports.write(self._bot, telling))  # type: ignore[misc]

    def _of(self, persona: str) -> PersonaReport:
        return self._known.get(persona) or PersonaReport(replica=self._replica)

    def _take(self, persona: str, report: PersonaReport) -> None:
        if self._known.get(persona) != report:
            self._known[persona] = report
            self._changed.add(persona)
            self._wake.set()
