"""Turns under random kills, pauses beyond the lease, drains and restarts of Redis: none lost, doubled or reordered.

BOTYARD_CHAOS_TURNS sets how many turns (default 2000), BOTYARD_CHAOS_SEED repeats a run's choices.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from botyard.contract.bot import Limits
from botyard.core.connection import connect
from tests.integration.redis.server import RedisServer, running_redis
from tests.integration.runtime.chaos import LEASE_MS, SEED, TURNS, Chaos
from tests.integration.runtime.history import judge
from tests.integration.runtime.replica import Bot, echo

CONVERSATIONS = 50
REPLICAS = 3
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
