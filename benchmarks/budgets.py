"""The ledger under many replicas, and what one call costs beside a bare round trip, in one run.

    python -m benchmarks.budgets [--replicas 8] [--calls 1000] [--json FILE]

First replicas as processes spend from one budget, each with up to 125 calls under way, while this process looks at the
account. Then one process alone reserves and settles one call after the other, beside as many PINGs; as in a supervisor,
uvloop runs it.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from redis.asyncio import Redis

from botyard.budget.calls import Usage
from botyard.budget.reports import Reports, today
from botyard.core.connection import connect
from tests.integration.budget.terms import ADDRESS, Terms, call, meter
from tests.integration.redis.server import RedisServer, running_redis

AT_ONCE = 1000
"""Calls of all replicas together that are under way."""
COINS_A_CALL = 40
"""Of the budget for each call: less than the calls cost on average, so that it is used up."""


async def contention(redis: Redis, server: RedisServer, replicas: int, calls: int) -> dict[str, Any]:
    """Return how well a budget is used by many replicas, and by how much it was ever exceeded."""
    daily = replicas * calls * COINS_A_CALL
    at_once = max(1, AT_ONCE // replicas)
    options = f"--calls={calls}", f"--at-once={at_once}", f"--daily={daily}", "--wait=300"
    command = sys.executable, "-m", "tests.integration.budget.spender", server.url, *options
    started = time.perf_counter()
    processes = [
        await asyncio.create_subprocess_exec(*command, f"--name=replica-{number}", stdout=asyncio.subprocess.PIPE)
        for number in range(replicas)
    ]
    reports, most, looks = Reports(redis), 0, 0
    day = today("UTC", await reports.now_ms()).name

    async def look() -> None:
        nonlocal most, looks
        while True:
            [found] = await reports.read(ADDRESS, [("persona:nora", day)])
            most, looks = max(most, found.spent + found.reserved), looks + 1
            await asyncio.sleep(0.005)

    looking = asyncio.ensure_future(look())
    said = [json.loads((await process.communicate())[0]) for process in processes]
    seconds = time.perf_counter() - started
    looking.cancel()
    [end] = await reports.read(ADDRESS, [("persona:nora", day)])
    return {
        "replicas": replicas,
        "calls": replicas * calls,
        "made": sum(each["calls"] for each in said),
        "refused": sum(each["refused"] for each in said),
        "budget": daily,
        "spent": end.spent,
        "charged_by_replicas": sum(each["coins"] for each in said),
        "reserved_at_the_end": end.reserved,
        "most_spent_and_reserved": most,
        "looks": looks,
        "coins_over": max(0, most - daily, end.spent - daily),
        "utilisation": end.spent / daily,
        "seconds": seconds,
    }


async def cost(redis: Redis, calls: int) -> dict[str, float]:
    """Return milliseconds of a call's reserve and settle, and of as many bare round trips, each taken in turns."""
    terms = Terms()
    terms.persona("bench", daily=10**12)
    sut = meter(redis, terms)
    taken: dict[str, list[float]] = {"reserve": [], "settle": [], "ping": []}

    async def timed(what: str, work: Any) -> Any:
        started = time.perf_counter()
        done = await work
        taken[what].append((time.perf_counter() - started) * 1000)
        return done

    for number in range(calls):
        hold = await timed("reserve", sut.reserve(call(f"bench-{number}")))
        await timed("ping", redis.ping())
        await timed("settle", sut.settle(hold, Usage(input_tokens=10, output_tokens=20)))
    figures = {f"{what}_p50_ms": statistics.median(each) for what, each in taken.items()}
    both = figures["reserve_p50_ms"] + figures["settle_p50_ms"]
    return {**figures, "both_over_one_round_trip_ms": both - figures["ping_p50_ms"]}


async def measure(replicas: int, calls: int) -> dict[str, Any]:
    """Return all figures of one run."""
    with running_redis(appendfsync="everysec") as server:
        redis = connect(server.url)
        figures = {"contention": await contention(redis, server, replicas, calls), "call": await cost(redis, 2000)}
        await redis.aclose()
        return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=8)
    parser.add_argument("--calls", type=int, default=1000, help="of each replica")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    text = json.dumps(uvloop.run(measure(options.replicas, options.calls)), indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
