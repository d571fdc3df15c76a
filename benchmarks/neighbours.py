"""What other sessions of a bot feel while one of them runs bad code, beside the same without it, in one run.

    python -m benchmarks.neighbours [--turns 400] [--json FILE]

One real replica with one worker. A few sessions talk, one turn at a time each; then the same again while a session
beside them loops for ever, forks, floods the log, allocates until it is stopped, sleeps, or lets no other code of its
process run. What is compared is the time from acceptance to the committed output.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from botyard.contract.bot import Limits
from botyard.core.connection import connect
from botyard.core.outputs import Outputs
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot, echo

SESSIONS = 4
PAUSE = 0.02
"""Seconds between an answer and what is said next: what is measured is the way, not a queue."""
ACT = """
import os, resource, subprocess, time
if said == "loop":
    while True:
        pass
if said == "sleep":
    time.sleep(600)
if said == "flood":
    while True:
        print("x" * 10_000)
if said == "fork":
    for _ in range(50):
        subprocess.Popen(["sleep", "600"])
    time.sleep(600)
if said == "allocate":
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    hoard = []
    while True:
        hoard.append(bytearray(50_000_000))
if said == "hold":
    import ctypes
    ctypes.PyDLL(None).sleep(600)
"""
BAD = ("sleep", "fork", "flood", "allocate", "loop", "hold")


async def latencies(bot: Bot, label: str, turns: int) -> list[float]:
    """Return the milliseconds of each of so many turns of sessions that do no harm."""
    outputs = Outputs(bot.redis)
    taken: list[float] = []

    async def talk(name: str) -> None:
        await bot.say("reset", name)
        sent, count = 0.0, 0
        async for stored in outputs.follow(bot.address, name):
            if stored is None or json.loads(stored.envelope)["type"] != "chat.complete":
                continue
            if sent:
                taken.append((time.perf_counter() - sent) * 1000)
            if count == turns // SESSIONS:
                return
            count += 1
            await asyncio.sleep(PAUSE)
            sent = time.perf_counter()
            await bot.say("x", name)

    await asyncio.gather(*(talk(f"{label}-{number}") for number in range(SESSIONS)))
    await outputs.close()
    return taken


def summed_up(taken: list[float]) -> dict[str, float]:
    """Return what is told of latencies."""
    cuts = statistics.quantiles(taken, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "max_ms": max(taken)}


async def measure(turns: int) -> dict[str, Any]:
    """Return the figures of each kind of bad code beside those of the quiet just before it."""
    with running_redis(appendfsync="everysec") as server, tempfile.TemporaryDirectory() as folder:
        redis = connect(server.url)
        limits = Limits(turn_timeout_seconds=8, max_attempts=1)
        bot = Bot(redis, server.url, Path(folder), code=echo(ACT), limits=limits, lease_ms=6000)
        figures: dict[str, Any] = {"load": os.getloadavg()[0]}
        try:
            (replica,) = await bot.start()
            await latencies(bot, "warm", turns // 4)
            for bad in BAD:
                quiet = summed_up(await latencies(bot, f"quiet-{bad}", turns))
                await bot.say("reset", bad)
                await bot.say(bad, bad)
                await replica.until(lambda: "botyard_turns_running 1.0" in replica.get("/metrics")[1])
                beside = summed_up(await latencies(bot, f"beside-{bad}", turns))
                await bot.finished(2, bad)
                figures[bad] = {"quiet": quiet, "beside": beside, "p99_times": beside["p99_ms"] / quiet["p99_ms"]}
        finally:
            bot.stop()
            await redis.aclose()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=400)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    text = json.dumps(asyncio.run(measure(options.turns)), indent=2)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
