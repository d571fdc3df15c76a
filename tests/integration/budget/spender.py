"""A replica that spends as fast as it can, as a process: `python -m tests.integration.budget.spender --help`."""

import argparse
import asyncio
import json
import random
import time
from dataclasses import asdict, dataclass
from typing import Any

from botyard.budget.calls import Usage
from botyard.budget.errors import BudgetExceeded
from botyard.core.connection import connect
from tests.integration.budget.terms import Terms, call, meter


@dataclass
class Spent:
    """What one replica did."""

    coins: int = 0
    calls: int = 0
    refused: int = 0
    released: int = 0
    waited: float = 0.0
    """Seconds that all its calls together took in `reserve` and `settle`."""


async def spend(url: str, *, name: str, calls: int, at_once: int, daily: int, wait: float) -> Spent:
    """Make calls of up to 100 coins each that turn out to cost anything below that.

    Args:
        url: The Redis of the ledger.
        name: Of the replica.
        calls: How many.
        at_once: How many of them are under way together.
        daily: The budget, in coins, that all replicas share.
        wait: Seconds that a call waits for open holds.
    """
    chance = random.Random(name)
    redis, terms, done = connect(url), Terms(), Spent()
    terms.persona(daily=daily)
    sut, slots = meter(redis, terms, wait_seconds=wait), asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with slots:
            started = time.perf_counter()
            try:
                hold = await sut.reserve(call(f"{name}-{number}", 10, 90))
            except BudgetExceeded:
                done.refused += 1
                return
            done.waited += time.perf_counter() - started
            await asyncio.sleep(chance.uniform(0.0, 0.01))
            started = time.perf_counter()
            if chance.random() < 0.1:
                await sut.release(hold)
                done.released += 1
            else:
                used = Usage(input_tokens=10, output_tokens=chance.randint(0, hold.max_output_tokens))
                settled = await sut.settle(hold, used)
                done.coins += settled.coins
                done.calls += 1
            done.waited += time.perf_counter() - started

    await asyncio.gather(*(one(number) for number in range(calls)))
    await sut.keep()
    await redis.aclose()
    return done


def main() -> None:
    """Spend, and print what was done as JSON."""
    parser = argparse.ArgumentParser(description="Spends from one budget together with other processes.")
    parser.add_argument("url")
    parser.add_argument("--name", required=True)
    for option in ("--calls", "--at-once", "--daily"):
        parser.add_argument(option, type=int, required=True)
    parser.add_argument("--wait", type=float, required=True)
    given: dict[str, Any] = vars(parser.parse_args())
    print(json.dumps(asdict(asyncio.run(spend(given.pop("url"), **given)))))


if __name__ == "__main__":
    main()
