"""Committed no-op turns beside a bare loop of the same Redis commands and beside one interpreter a turn, in one run.

    python -m benchmarks.turns [--turns 3000] [--rounds 3] [--json FILE]

All sides share one Redis. "Botyard" is one real replica (supervisor, worker host, worker) that runs a state machine;
"bare" is redis-py as it comes, which runs the begin and commit scripts one after the other in one process, without
workers, ordering or leases to keep; "interpreter" starts Python for each turn, as the existing platform does. The first
two empty inboxes that were filled before. All take turns, and the best of several rounds counts. Figures are ratios
first: the machine's own speed cancels out.

Then the same replica alone: what passes between acceptance and output, its memory before and after, how long it takes
until another one has taken over what it owned, killed, and how long nobody answers when it is drained.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from benchmarks.pods import compile_code, memory
from botyard.contract.bot import Limits
from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.inbox import Inbox, parse_entry
from botyard.core.leases import Leases
from botyard.core.outputs import Outputs
from botyard.core.turns import Commit, Turns
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot, echo

SESSIONS = (1, 32, 256)
CONVERSATIONS = 32
"""Over which takeover and handover are looked at."""
HOLD = """
import time, os
while said == 'hold' and not os.path.exists({gate!r}):
    time.sleep(0.01)
"""
"""Has a session wait, until the inbox is filled."""


async def bare(redis: Redis, turns: int, *, chained: bool = False) -> float:
    """Return turns a second of the scripts alone.

    Args:
        redis: A client of redis-py as it comes.
        turns: How many.
        chained: All of one session, each begun with the commit of the one before: one round trip a turn.
    """
    bot = BotAddress("bench", f"bare{chained}", 1)
    inbox, ends = Inbox(redis), Turns(redis)
    lease = await Leases(redis, owner="bare").acquire(bot.partition("c"))
    assert lease is not None
    for number in range(turns):
        await inbox.accept(
            bot, key=f"c{0 if chained else number % 32}", kind="message", payload={"text": "x"}, user="u"
        )
    partition = bot.partition("c")
    started = time.perf_counter()
    position, begun = "0-0", None
    while answer := await redis.xread({keys.inbox(partition): position}, count=128):  # type: ignore[arg-type]
        entries = [parse_entry(partition, *each) for each in answer[0][1]]
        position = entries[-1].id
        for entry, following in zip(entries, [*entries[1:], None], strict=True):
            begun = begun or await ends.begin(lease, entry)
            commit = Commit(record="{}", outputs=["{}", "{}"], change="set", state={"n": 1}, ends=begun.ends)
            done = await ends.commit(lease, entry, commit, following=following if chained else None)
            begun = done.following
    return turns / (time.perf_counter() - started)


async def throughput(bot: Bot, gate: Path, sessions: int, turns: int) -> float:
    """Return committed turns a second when so many sessions have turns waiting."""
    names = [f"t{sessions}-{number}" for number in range(sessions)]
    await asyncio.gather(*(bot.say("reset", name) for name in names))
    gate.unlink(missing_ok=True)
    each = max(1, turns // sessions)
    for text in ("hold", *("x" for _ in range(each))):
        await asyncio.gather(*(bot.say(text, name) for name in names))
    started = time.perf_counter()
    gate.touch()
    while await bot.inbox.pending(bot.address):
        await asyncio.sleep(0.01)
    return each * sessions / (time.perf_counter() - started)


async def latency(bot: Bot, sessions: int, turns: int) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds from acceptance to the committed output, one open turn a session."""
    outputs = Outputs(bot.redis)
    taken: list[float] = []

    async def talk(name: str) -> None:
        await bot.say("reset", name)
        sent = 0.0
        count = 0
        async for stored in outputs.follow(bot.address, name):
            if stored is None or json.loads(stored.envelope)["type"] != "chat.complete":
                continue
            if sent:
                taken.append((time.perf_counter() - sent) * 1000)
            if count == max(2, turns // sessions):
                return
            count += 1
            # A light, steady load: what is measured is the way, not the queue.
            await asyncio.sleep(sessions / 200)
            sent = time.perf_counter()
            await bot.say("x", name)

    await asyncio.gather(*(talk(f"l{sessions}-{number}") for number in range(sessions)))
    await outputs.close()
    cuts = statistics.quantiles(taken, n=100)
    return cuts[49], cuts[98]


def interpreter(turns: int) -> float:
    """Return turns a second when each turn starts Python and imports the state machine's library."""
    code = "import json, sys; import botyard.fsm; json.dump({'new_state': {}}, sys.stdout)"
    started = time.perf_counter()
    for _ in range(turns):
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return turns / (time.perf_counter() - started)


async def answered(bot: Bot, text: str) -> float:
    """Say something in all conversations; return the seconds until the last of them is answered."""
    names = [f"o{number}" for number in range(CONVERSATIONS)]
    had = {name: len(await bot.heard(name)) for name in names}
    started = time.perf_counter()
    await asyncio.gather(*(bot.say(text, name) for name in names))
    for name in names:
        while not any(said["type"] == "chat.complete" for said in (await bot.heard(name))[had[name] :]):
            await asyncio.sleep(0.005)
    return time.perf_counter() - started


async def owners(bot: Bot) -> dict[str, float]:
    """Return the seconds for which nobody answers when the owner of half of everything is drained, or killed."""
    drained, killed = await bot.start(2)
    await answered(bot, "reset")
    usual = await answered(bot, "x")
    leaving = asyncio.create_task(drained.drain())
    slowest = 0.0
    while not leaving.done():
        slowest = max(slowest, await answered(bot, "x"))
    killed.kill()
    return {
        "usual_s": usual,
        "slowest_during_handover_s": slowest,
        "takeover_s": await answered(bot, "x"),
    }


async def measure(turns: int, rounds: int) -> dict[str, Any]:
    """Return all figures of one run."""
    compile_code()
    with running_redis(appendfsync="everysec") as server, tempfile.TemporaryDirectory() as folder:
        redis, plain = connect(server.url), Redis.from_url(server.url)
        gate = Path(folder) / "gate"
        code = echo(HOLD.format(gate=str(gate)))
        bot = Bot(redis, server.url, Path(folder), code=code, limits=Limits(concurrency=64), lease_ms=6000)
        # Its files are in memory then, as those of the other sides are.
        interpreter(2)
        figures: dict[str, Any] = {"load": os.getloadavg()[0]}
        try:
            (replica,) = await bot.start()
            await replica.until(lambda: "botyard_workers 2.0" in replica.get("/metrics")[1])
            figures["idle_pod_mb"] = memory(replica)
            rates: dict[str, list[float]] = defaultdict(list)
            for _ in range(rounds):
                rates["bare"].append(await bare(plain, turns))
                rates["bare chained"].append(await bare(plain, turns, chained=True))
                rates["interpreter"].append(interpreter(10))
                for sessions in SESSIONS:
                    rates[str(sessions)].append(await throughput(bot, gate, sessions, turns))
            best = {name: max(found) for name, found in rates.items()}
            figures |= {"turns_per_second": dict(rates), "best": best}
            for sessions in SESSIONS:
                p50, p99 = await latency(bot, sessions, 1000)
                figures[f"sessions_{sessions}"] = {
                    "turns_per_second": best[str(sessions)],
                    "of_bare": best[str(sessions)] / best["bare"],
                    "times_interpreter": best[str(sessions)] / best["interpreter"],
                    "p50_ms": p50,
                    "p99_ms": p99,
                }
            figures["pod_afterwards_mb"] = memory(replica)
            figures["owners"] = await owners(bot)
        finally:
            bot.stop()
            await redis.aclose()
            await plain.aclose()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.turns, options.rounds))
    text = json.dumps(figures, indent=2)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
