"""Turns under random kills, pauses beyond the lease, drains and restarts of Redis: none lost, doubled or reordered.

BOTYARD_CHAOS_TURNS sets how many turns (default 2000; `make chaos` runs 10,000), BOTYARD_CHAOS_SEED repeats a run's
choices.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from botyard.contract.bot import Limits
from botyard.core.connection import connect
from tests.integration.redis.server import RedisServer, running_redis
from tests.integration.runtime.history import judge
from tests.integration.runtime.replica import Bot, Replica, echo

TURNS = int(os.environ.get("BOTYARD_CHAOS_TURNS", "2000"))
SEED = int(os.environ.get("BOTYARD_CHAOS_SEED", str(random.SystemRandom().randrange(2**32))))
CONVERSATIONS = 50
REPLICAS = 3
LEASE_MS = 1500
DURATION = max(25.0, TURNS / 80)
"""Seconds over which messages are sent."""
TIMEOUT = 120 + 2 * DURATION


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[tuple[Bot, RedisServer]]:
    with running_redis(appendfsync="always") as server:
        code = echo("import random, time; time.sleep(random.random() * 0.02)")
        bot = Bot(connect(server.url), server.url, tmp_path, code=code, lease_ms=LEASE_MS, limits=Limits(concurrency=8))
        yield bot, server
        bot.stop()
        await bot.redis.aclose()


class Chaos:
    """Does harm until it is told to stop, and always leaves at least one replica that can work."""

    def __init__(self, bot: Bot, server: RedisServer, rng: random.Random) -> None:
        self.bot = bot
        self.server = server
        self.rng = rng
        self.done: Counter[str] = Counter()
        self.resumes: list[asyncio.Task[None]] = []

    async def run(self, enough: asyncio.Event) -> None:
        while not enough.is_set():
            await asyncio.sleep(self.rng.uniform(0.1, 0.8))
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
        self.server.kill()
        await asyncio.sleep(self.rng.uniform(0.0, 1.0))
        self.server.start()

    async def replace(self, replica: Replica) -> None:
        self.bot.replicas.remove(replica)
        fresh = Replica(self.bot, f"pod-{next(self.bot.ids)}")
        self.bot.replicas.append(fresh)
        fresh.start()


@pytest.mark.timeout(TIMEOUT + 120)
async def test_nothing_is_lost_doubled_or_reordered(bot: tuple[Bot, RedisServer]) -> None:
    the_bot, server = bot
    rng = random.Random(SEED)
    print(f"BOTYARD_CHAOS_SEED={SEED} BOTYARD_CHAOS_TURNS={TURNS}")
    await the_bot.start(REPLICAS)
    names = [f"c{number}" for number in range(CONVERSATIONS)]
    for name in names:
        await the_bot.say("reset", name)
        await the_bot.finished(1, name)
    chaos, enough = Chaos(the_bot, server, rng), asyncio.Event()
    harming = asyncio.create_task(chaos.run(enough))
    sent: dict[str, list[str]] = defaultdict(list)
    unknown: dict[str, set[str]] = defaultdict(set)
    started = time.monotonic()

    async def send(conversation: str, count: int) -> None:
        for number in range(count):
            text = f"m{number}"
            while True:
                try:
                    await the_bot.say(text, conversation)
                    sent[conversation].append(text)
                    break
                except RedisError:
                    # It may have arrived or not; another one is sent in its place.
                    unknown[conversation].add(text)
                    text += "'"
                    await asyncio.sleep(0.1)
            await asyncio.sleep(rng.random() * 2 * DURATION / count)

    await asyncio.gather(*(send(name, TURNS // CONVERSATIONS) for name in names))
    enough.set()
    await harming
    async with asyncio.timeout(TIMEOUT):
        while await the_bot.inbox.pending(the_bot.address):
            await asyncio.sleep(0.1)
    answered = {}
    for name in names:
        answered[name] = [text.split(": ", 1)[1] for text in await the_bot.texts(name)]
    verdict = judge(sent, unknown, answered)
    total = sum(map(len, answered.values()))
    print(
        f"{total} turns in {time.monotonic() - started:.0f} s, {sum(map(len, unknown.values()))} unknown; {chaos.done}"
    )
    assert verdict.good, f"seed {SEED}: {verdict}"
