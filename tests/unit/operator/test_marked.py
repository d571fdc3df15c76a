"""Bots that replicas marked are read, also where Redis fails meanwhile."""

import asyncio
from contextlib import suppress
from typing import cast

from redis.asyncio import Redis

from botyard_operator.caches import Caches
from botyard_operator.marked import LOOK_SECONDS, Marked, Place
from botyard_operator.reconcile.base import Clock, Enqueue, ReadCaches
from tests.unit.operator.clocks import StillClock, run


class Failing(Marked[int]):
    """Figures that cannot be read the first time."""

    what = "figures"

    def __init__(self, redis: Redis, clock: Clock) -> None:
        super().__init__(redis, clock)
        self.reads: list[list[Place]] = []

    async def look(self, caches: ReadCaches, enqueue: Enqueue) -> None:
        self.reads.append(self.changed([("shop", "clerk", 7)]))
        if len(self.reads) == 1:
            raise OSError("gone")


def test_what_was_marked_is_read_again_after_a_look_that_failed() -> None:
    async def main() -> list[list[Place]]:
        figures, synced = Failing(cast(Redis, object()), StillClock()), asyncio.Event()
        synced.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS * 2.5):
                await figures.run(Caches(), lambda key, delay=0.0: None, synced)
        return figures.reads

    assert run(main()) == [[("shop", "clerk")], [("shop", "clerk")], []]
