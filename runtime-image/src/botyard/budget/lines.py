"""Lines of calls that wait for open holds to settle: first come, first served, one line for each account."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable

from botyard.budget.ledger import Done, Held, Refused

Answer = Held | Refused | Done
Attempt = Callable[[bool], Awaitable[Answer]]
"""Asks the ledger; the argument tells whether this is the last time."""

WAITING = 1000
"""Calls of one process that may wait; a further one is refused at once."""
FIRST_PAUSE = 0.01
LAST_PAUSE = 0.25
"""Seconds between looks of the first in a line. A settlement in this process ends the pause, one elsewhere does not."""


class _Line:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.length = 0


class Lines:
    """Who waits for what in this process. Only the first of a line asks the ledger, so that waiting costs little."""

    def __init__(self, *, wait_seconds: float, waiting: int = WAITING) -> None:
        """Prepare.

        Args:
            wait_seconds: How long a call waits at most.
            waiting: How many may wait.
        """
        self._wait_seconds = wait_seconds
        self._most = waiting
        self._waiting = 0
        self._lines: dict[str, _Line] = {}
        self._freed = asyncio.Event()

    def freed(self) -> None:
        """Say that a hold was settled."""
        self._freed.set()

    async def take(self, accounts: Iterable[str], attempt: Attempt) -> Answer:
        """Ask the ledger until it holds, refuses for good, or there is no more time.

        Args:
            accounts: Those that the call is counted in, without periods.
            attempt: Asks.
        """
        names = list(accounts)
        ahead = next((name for name in names if name in self._lines), None)
        if ahead is None:
            answer = await attempt(False)
            if not isinstance(answer, Refused) or answer.final:
                return answer
            ahead = next(name for name in names if f"{answer.account}:".startswith(f"{name}:"))
        if self._waiting >= self._most:
            return await attempt(True)
        return await self._wait(ahead, attempt)

    async def _wait(self, account: str, attempt: Attempt) -> Answer:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._wait_seconds
        line = self._lines.setdefault(account, _Line())
        line.length += 1
        self._waiting += 1
        try:
            try:
                async with asyncio.timeout_at(deadline):
                    await line.lock.acquire()
            except TimeoutError:
                return await attempt(True)
            try:
                return await self._at_the_head(deadline, attempt)
            finally:
                line.lock.release()
        finally:
            self._waiting -= 1
            line.length -= 1
            if line.length == 0:
                del self._lines[account]

    async def _at_the_head(self, deadline: float, attempt: Attempt) -> Answer:
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            self._freed.clear()
            left = deadline - loop.time()
            answer = await attempt(left <= 0)
            if not isinstance(answer, Refused) or answer.final or left <= 0:
                return answer
            try:
                async with asyncio.timeout(min(left, pause * random.uniform(0.5, 1.0))):  # noqa: S311
                    await self._freed.wait()
            except TimeoutError:
                pause = min(pause * 1.5, LAST_PAUSE)
