"""Whether a worker answers: what its bundle calls may keep all of its code from running, such as an endless regex."""

import asyncio
from collections.abc import Awaitable, Callable

BEAT = 0.05
"""Seconds between questions while turns run."""
LATE = 0.05
"""Seconds without an answer after which a worker is late."""
SHUNNED = 2.0
"""Seconds for which a worker counts as late after it answered late: it may well do so again."""


class Pulse:
    """Asks one worker again and again, as long as it has something to do."""

    def __init__(self, *, busy: Callable[[], bool], ask: Callable[[], Awaitable[None]]) -> None:
        """Prepare; `watch` begins.

        Args:
            busy: Whether turns run there.
            ask: Sends the question; `answered` is called with the answer.
        """
        self._busy = busy
        self._ask = ask
        self._loop = asyncio.get_running_loop()
        self._asking: asyncio.Task[None] | None = None
        self._asked: float | None = None
        self._shunned_until = 0.0

    def watch(self) -> None:
        """Ask from now on, until nothing is to do any more."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._beat(), name="pulse")

    async def _beat(self) -> None:
        while True:
            due = self._loop.time() + BEAT
            await asyncio.sleep(BEAT)
            if not self._busy():
                return
            if self._asked is not None:
                # What this process itself stood still is not the worker's.
                self._asked += max(0.0, self._loop.time() - due)
            if self._asked is None:
                self._asked = self._loop.time()
                await self._ask()

    def answered(self) -> None:
        """Take note of an answer."""
        if self.late:
            self._shunned_until = self._loop.time() + SHUNNED
        self._asked = None

    @property
    def late(self) -> bool:
        """Whether the worker does not answer, or did not a moment ago."""
        now = self._loop.time()
        return now < self._shunned_until or (self._asked is not None and now - self._asked > LATE)
