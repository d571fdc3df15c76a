"""A new revision that takes over step by step: which conversations begin on it, and how its turns end.

Which ones is decided by a hash of the conversation's name and the ramp, so that every replica answers the same, a
conversation that begins anew under the same share begins where it was, and another ramp tries others first.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b

from redis.asyncio import Redis

from botyard.contract.bot import Ramp
from botyard.core.address import BotAddress
from botyard.core.ramp_counts import RampCounts, Side, Tally
from botyard.program import TurnOutcome
from botyard.runtime.persistence import persist

GATHER = 1.0
"""Seconds for which turns are gathered."""
MAX_CONVERSATIONS = 10_000
"""Names held in memory between two writes; further ones are not counted."""
_BLAMELESS = frozenset(
    {
        "BudgetExceeded",
        "FileGone",
        "LedgerUnavailable",
        "QuotaExceeded",
        "TurnCancelled",
        "UnknownPersona",
        "UnknownPrice",
    }
)
"""Errors of turns for which no code is to blame."""


def in_share(ramp: Ramp, key: str) -> bool:
    """Tell whether a conversation or Persona that begins now begins on the new revision."""
    digest = blake2b(f"{ramp.id}\x00{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % 100 < ramp.share


class RampCounter:
    """Counts turns of both revisions, a moment later in Redis, until cancelled."""

    def __init__(self, redis: Redis, bot: BotAddress, ramp: Callable[[], Ramp | None]) -> None:
        """Prepare; `run` writes.

        Args:
            redis: Where counts go.
            bot: Whose turns.
            ramp: The ramp that this replica is part of now.
        """
        self._counts = RampCounts(redis)
        self._bot = bot
        self._ramp = ramp
        self._tallies: dict[tuple[str, Side], Tally] = {}
        self._conversations: dict[tuple[str, Side], set[str]] = {}
        self._wake = asyncio.Event()

    def count(self, key: str, outcome: TurnOutcome, side: Side) -> None:
        """Take a committed turn of a conversation."""
        ramp = self._ramp()
        if ramp is None:
            return
        place = (ramp.id, side)
        tally = self._tallies.get(place, Tally())
        dead = outcome.error is not None and outcome.error.kind == "DeadLetter"
        failed = outcome.error is not None and outcome.error.kind not in _BLAMELESS
        self._tallies[place] = replace(
            tally, turns=tally.turns + 1, failed=tally.failed + failed, dead=tally.dead + dead
        )
        seen = self._conversations.setdefault(place, set())
        if len(seen) < MAX_CONVERSATIONS:
            seen.add(key)
        self._wake.set()

    async def run(self) -> None:
        """Write what was counted, a moment later."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(GATHER)
            self._wake.clear()
            tallies, self._tallies = self._tallies, {}
            conversations, self._conversations = self._conversations, {}
            for ramp in {ramp for ramp, _ in tallies}:
                mine = {side: tally for (of, side), tally in tallies.items() if of == ramp}
                seen = {side: names for (of, side), names in conversations.items() if of == ramp}
                await persist(lambda ramp=ramp, mine=mine, seen=seen: self._counts.add(self._bot, ramp, mine, seen))  # type: ignore[misc]
