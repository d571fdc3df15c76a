"""Committed no-op turns beside a bare loop of the same Redis commands and beside one interpreter a turn, in one run.

    python -m benchmarks.turns [--turns 3000] [--json FILE]

All sides share one Redis. "Botyard" is one real replica (supervisor, worker host, worker) that runs a state machine;
"bare" runs the begin and commit scripts one after the other in one process, without workers, ordering or leases to
keep; "interpreter" starts Python for each turn, as the existing platform does. Figures are ratios first: the
machine's own speed cancels out.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

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


async def bare(redis: Redis, turns: int) -> float:
    """Return turns a second of the scripts alone."""
    bot = BotAddress("bench", "bare", 1)
    inbox, ends = Inbox(redis), Turns(redis)
    lease = await Leases(redis, owner="bare", lease_ms=600_000).acquire(bot.partition("c"))
    assert lease is not None
    for number in range(turns):
        await inbox.accept(bot, key=f"c{number % 32}", kind="message", payload={"text": "x"}, user="u")
    partition = bot.partition("c")
    started = time.perf_counter()
    position = "0-0"
    while answer := await redis.xread({keys.inbox(partition): position}, count=128):  # type: ignore[arg-type]
        for entry_id, fields in answer[0][1]:
            entry = parse_entry(partition, entry_id, fields)
            position = entry.id
            begun = await ends.begin(lease, entry)
            await ends.commit(
                lease,
                entry,
                Commit(record="{}", outputs=["{}", "{}"], change="set", state={"n": 1}, ends=begun.ends),
            )
    return turns / (time.perf_counter() - started)


async def throughput(bot: Bot, sessions: int, turns: int) -> float:
    """Return committed turns a second when so many sessions have turns waiting."""
    names = [f"t{sessions}-{number}" for number in range(sessions)]
    for name in names:
        await bot.say("reset", name)
    while await bot.inbox.pending(bot.address):
        await asyncio.sleep(0.01)
    started = time.perf_counter()
    each = max(1, turns // sessions)
    for _ in range(each):
        await asyncio.gather(*(bot.say("x", name) for name in names))
    while await bot.inbox.pending(bot.address):
        await asyncio.sleep(0.005)
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


async def measure(turns: int) -> dict[str, Any]:
    """Return all figures of one run."""
    with running_redis(appendfsync="everysec") as server, tempfile.TemporaryDirectory() as folder:
        redis = connect(server.url)
        bot = Bot(redis, server.url, Path(folder), code=echo(), limits=Limits(concurrency=64), lease_ms=6000)
        figures: dict[str, Any] = {"bare_turns_per_second": await bare(redis, turns)}
        figures["interpreter_turns_per_second"] = interpreter(15)
        try:
            (replica,) = await bot.start()
            for sessions in SESSIONS:
                rate = await throughput(bot, sessions, turns if sessions > 1 else turns // 3)
                p50, p99 = await latency(bot, sessions, 1000)
                figures[f"sessions_{sessions}"] = {
                    "turns_per_second": rate,
                    "of_bare": rate / figures["bare_turns_per_second"],
                    "times_interpreter": rate / figures["interpreter_turns_per_second"],
                    "p50_ms": p50,
                    "p99_ms": p99,
                }
            pids = [replica.supervisor.pid, replica.host.pid, *replica.workers()]
            figures["rss_mb"] = {
                str(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[-60:]): _rss(pid) for pid in pids
            }
        finally:
            bot.stop()
            await redis.aclose()
    return figures


def _rss(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=3000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.turns))
    text = json.dumps(figures, indent=2)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
