"""Ends tasks for good."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

log = logging.getLogger("botyard.endings")

PAUSE = 0.5
"""Seconds after which a task that goes on is cancelled again."""
TRIES = 20


async def ended(tasks: Iterable[asyncio.Task[Any]], *, pause: float = PAUSE) -> None:
    """Cancel tasks and return when they have ended; what they raised is not raised here.

    Once is not enough: redis-py sends inside of `asyncio.wait_for`, which in Python 3.11 swallows a cancellation that
    comes just as the sending ends, and a loop that lost one goes on for ever. A task that ends at none of `TRIES` is
    left behind.
    """
    pending = set(tasks)
    for _ in range(TRIES):
        if not pending:
            return
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=pause)
        for task in done:
            if not task.cancelled():
                task.exception()
    if pending:
        log.warning("these do not end and are left behind: %s", ", ".join(sorted(t.get_name() for t in pending)))
