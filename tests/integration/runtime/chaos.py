"""Harm to a bot's replicas and its Redis, at random and without end."""

import asyncio
import os
import random
import signal
from collections import Counter

from tests.integration.redis.server import RedisServer
from tests.integration.runtime.replica import Bot, Replica

TURNS = int(os.environ.get("BOTYARD_CHAOS_TURNS", "2000"))
CALM = float(os.environ.get("BOTYARD_CHAOS_CALM", "1"))
"""By how much the pauses between two harms are longer: a long run need not spend its time on starting replicas."""
SEED = int(os.environ.get("BOTYARD_CHAOS_SEED", str(random.SystemRandom().randrange(2**32))))
LEASE_MS = 1500


class Chaos:
    """Does harm until it is told to stop, and always leaves at least one replica that can work."""

    def __init__(self, bot: Bot, server: RedisServer | None, rng: random.Random) -> None:
        self.bot = bot
        self.server = server
        self.rng = rng
        self.done: Counter[str] = Counter()
        self.resumes: list[asyncio.Task[None]] = []

    async def run(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            await asyncio.sleep(self.rng.uniform(0.1, 0.8) * CALM)
            harm = self.rng.choices(
                [self.kill_worker, self.kill_replica, self.pause_replica, self.drain_replica, self.kill_redis],
                weights=[5, 3, 3, 2, 1],
            )[0]
            await harm(self.rng.choice(self.bot.replicas))
            self.done[harm.__name__] += 1
        await asyncio.gather(*self.resumes)

    async def kill_worker(self, replica: Replica) -> None:
        if workers := replica.workers():
            os.kill(self.rng.choice(workers), signal.SIGKILL)

    async def kill_replica(self, replica: Replica) -> None:
        replica.kill()
        await self.replace(replica)

    async def drain_replica(self, replica: Replica) -> None:
        await replica.drain()
        replica.kill()
        await self.replace(replica)

    async def pause_replica(self, replica: Replica) -> None:
        replica.pause()
        # Others are harmed meanwhile.
        self.resumes.append(asyncio.create_task(self.resume_later(replica)))

    async def resume_later(self, replica: Replica) -> None:
        await asyncio.sleep(self.rng.uniform(0.2, 2.5) * LEASE_MS / 1000)
        replica.resume()

    async def kill_redis(self, _: Replica) -> None:
        assert self.server is not None
        self.server.kill()
        await asyncio.sleep(self.rng.uniform(0.0, 1.0))
        self.server.start()

    async def replace(self, replica: Replica) -> None:
        self.bot.replicas.remove(replica)
        fresh = Replica(self.bot, f"pod-{next(self.bot.ids)}")
        self.bot.replicas.append(fresh)
        fresh.start()
