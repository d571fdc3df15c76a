"""Writing to Redis however long it stays away."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from botyard.core.connection import Unavailable

log = logging.getLogger("botyard.persistence")

RETRY_CAP = 2.0
"""Seconds between tries while Redis is away, at most."""

T = TypeVar("T")


async def persist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what `attempt` returns, however long Redis stays away.

    Safe because every script refuses what another owner or an earlier try has done: a commit whose answer was lost
    is found to be a duplicate. The loop ends when Redis is back, at the latest with StaleOwner.
    """
    wait = 0.05
    while True:
        try:
            return await attempt()
        except Unavailable as error:
            log.warning("Redis does not answer, trying again: %s", error)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
            wait = min(wait * 2, RETRY_CAP)
