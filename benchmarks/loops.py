"""Many Personas of one loop bot on one replica: memory, idle processor time, events, ticks, takeover.

    python -m benchmarks.loops [--personas 1000] [--ticks 10000] [--json FILE]

One real replica (supervisor, worker host, worker) runs a bot whose loops wait for tasks. Memory is the proportional set
size of its processes with the worker's spare. An event's time is from its acceptance to the moment in its handler, one
at a time. Ticks are timers of one moment, spread over the Personas: until all are in the inboxes, and until all are
committed.

Takeover is from killing a replica (SIGKILL) to the last of its loops that has begun in another one: in all, and beyond
the time that the leases of the dead one live on. First as many Personas again are hired and a second replica is
started, so that the killed one has about as many loops as the first figures are of, and the other one as many of its
own. Then that one, which has all of them, is killed too, and a fresh one is started at that moment.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from botyard.contract.bot import Limits
from botyard.contract.persona import PersonaConfig, ScheduleConfig
from botyard.core import ids, keys
from botyard.core.connection import connect
from botyard.runtime.courier import FALLBACK
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot, Replica

CODE = """
import asyncio, os, socket, time
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown

OUT = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)


def tell(text):
    try:
        OUT.sendto(text.encode(), "SOCKET")
    except OSError:
        pass


async def main_loop(fclient, rcx):
    @rcx.on_updated_task
    async def on_task(task):
        tell(f"task {task.ktask_title} {time.time()}")

    tell(f"begin {rcx.persona.persona_id} {time.time()}")
    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("bench_100000000"), marketable_name="bench", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=[]))
"""
IDLE_SECONDS = 30
EVENTS = 300
LEASE_MS = 2000
NEVER = ScheduleConfig(name="tick", type="SCHED_TODO", when="EVERY:9999h")


class Heard(asyncio.DatagramProtocol):
    """What the bot's loops say of themselves."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}
        self.tasks: dict[str, float] = {}

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Take one line."""
        kind, name, at = data.decode().split()
        (self.begun if kind == "begin" else self.tasks)[name] = float(at)


async def measure(personas: int, ticks: int) -> dict[str, Any]:
    """Return the figures of one run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        heard = Heard()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: heard, local_addr=str(folder / "out"), family=1)
        with running_redis() as server:
            redis = connect(server.url)
            bot = Bot(
                redis, server.url, folder / "bot", code=CODE.replace("SOCKET", str(folder / "out")),
                programming_model="loop", limits=Limits(concurrency=64), lease_ms=LEASE_MS,
                personas=tuple(PersonaConfig(name=f"p{number}", schedules=(NEVER,)) for number in range(personas)),
            )  # fmt: skip
            try:
                return await _run(bot, redis, heard, personas, ticks)
            finally:
                bot.stop()
                transport.close()
                await redis.aclose()


async def _run(bot: Bot, redis: Redis, heard: Heard, personas: int, ticks: int) -> dict[str, Any]:
    began = time.monotonic()
    [first] = await bot.start()
    await _until(lambda: len(heard.begun) == personas, "all loops begin")
    figures: dict[str, Any] = {"personas": personas, "start_s": round(time.monotonic() - began, 2)}
    await _quiet(bot, redis)
    figures["memory_mb"] = {name: round(size, 1) for name, size in memory(first).items()}
    before = processor(first)
    await asyncio.sleep(IDLE_SECONDS)
    figures["idle_cpu_percent"] = round((processor(first) - before) / IDLE_SECONDS * 100, 2)
    figures["event_ms"] = await _events(bot, heard, personas)
    figures["ticks"] = await _ticks(bot, redis, personas, ticks)
    bot.personas += tuple(PersonaConfig(name=f"q{number}", schedules=(NEVER,)) for number in range(personas))
    bot.write()
    await _until(lambda: len(heard.begun) == 2 * personas, "the further loops begin")
    heard.begun.clear()
    [second] = await bot.start()
    moved = await _settled(bot, heard)
    figures["takeover"] = {"standby": await _takeover(bot, first, heard, 2 * personas - moved, fresh=False)}
    figures["takeover"]["fresh"] = await _takeover(bot, second, heard, 2 * personas, fresh=True)
    return figures


async def _events(bot: Bot, heard: Heard, personas: int) -> dict[str, float]:
    taken = []
    for number in range(EVENTS):
        name = f"e{number}"
        payload = {"action": "task.create", "id": name, "ktask_title": name}
        at = time.time()
        await bot.inbox.accept(bot.address, key=f":p{number * 7 % personas}", kind="action", payload=payload)
        await _until(lambda name=name: name in heard.tasks, name, pause=0.001)
        taken.append((heard.tasks[name] - at) * 1000)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}


async def _ticks(bot: Bot, redis: Redis, personas: int, ticks: int) -> dict[str, float]:
    """Have timers of one moment fire."""
    # Put there by hand, not by a commit: later than the longest pause between two looks at a partition.
    due = int((time.time() + FALLBACK + 5) * 1000)
    for number in range(ticks):
        key = f":p{number % personas}"
        payload = json.dumps({"action": "schedule.due", "name": "other", "at": due, "n": number})
        timer = {
            "event": f"tick{number}",
            "key": key,
            "kind": "timer",
            "payload": payload,
            "turn": ids.new_turn(),
            "user": "",
        }
        await redis.zadd(keys.timers(bot.address.partition(key)), {json.dumps(timer): due})
    partitions = bot.address.all_partitions()
    fired = committed = 0.0
    while not committed:
        waiting = sum([await redis.zcount(keys.timers(part), "-inf", due) for part in partitions])
        pending = sum([await redis.xlen(keys.inbox(part)) for part in partitions])
        now = time.time() * 1000
        if now > due and not waiting and not fired:
            fired = (now - due) / 1000
        if fired and not pending:
            committed = (now - due) / 1000
        await asyncio.sleep(0.02)
    return {"count": ticks, "in_inboxes_s": round(fired, 2), "committed_s": round(committed, 2)}


async def _settled(bot: Bot, heard: Heard) -> int:
    """Return how many loops have moved to another replica, once no more do."""
    count = -1
    while count != len(heard.begun):
        count = len(heard.begun)
        await _quiet(bot, bot.redis)
    return count


async def _takeover(bot: Bot, dying: Replica, heard: Heard, owned: int, *, fresh: bool) -> dict[str, float]:
    """Kill a replica that has `owned` loops, and return how long it takes until all of them run in another one."""
    heard.begun.clear()
    at = time.time()
    dying.kill()
    if fresh:
        await bot.start()
    await _until(lambda: len(heard.begun) >= owned, f"{owned} loops begin in the other replica", timeout=300)
    in_all = max(heard.begun.values()) - at
    await _quiet(bot, bot.redis)
    return {"loops": owned, "in_all_s": round(in_all, 2), "beyond_lease_s": round(in_all - LEASE_MS / 1000, 2)}


async def _quiet(bot: Bot, redis: Redis) -> None:
    """Return when nothing waits in any inbox."""
    async with asyncio.timeout(300):
        while sum([await redis.xlen(keys.inbox(part)) for part in bot.address.all_partitions()]):
            await asyncio.sleep(0.1)
    await asyncio.sleep(2.0)


async def _until(holds: Any, what: str, *, pause: float = 0.02, timeout: float = 300) -> None:
    try:
        async with asyncio.timeout(timeout):
            while not holds():
                await asyncio.sleep(pause)
    except TimeoutError:
        raise SystemExit(f"this did not happen: {what}") from None


def _processes(replica: Replica) -> dict[str, list[int]]:
    return {"supervisor": [replica.supervisor.pid], "host": [replica.host.pid], "workers": replica.workers()}


def memory(replica: Replica) -> dict[str, float]:
    """Return the proportional set size of each part of a replica, in MiB."""
    sizes = {part: sum(_pss(pid) for pid in pids) / 1024 for part, pids in _processes(replica).items()}
    return sizes | {"total": sum(sizes.values())}


def _pss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def processor(replica: Replica) -> float:
    """Return the processor seconds that a replica has used."""
    ticks = 0
    for pids in _processes(replica).values():
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--personas", type=int, default=1000)
    parser.add_argument("--ticks", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.personas, options.ticks))
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
