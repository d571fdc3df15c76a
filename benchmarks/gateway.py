"""The gateway's event streams beside a bare relay, turns over HTTP, memory of idle streams, `botyard dev`: in one run.

    python -m benchmarks.gateway [--clients 1000] [--seconds 8] [--json FILE]

Both sides stand in front of the same Redis, get the same commands from the same publisher and serve the same clients;
they take turns, so that what else the machine does falls on both. Everything is on loopback.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvloop
from redis.asyncio import Redis

from benchmarks.sse_clients import Heard, Poster, Stream, close, open_streams
from botyard.contract.bot import Limits
from botyard.contract.routes import Route, Routes
from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.envelope import TurnIdentity, envelope
from botyard.core.inbox import Inbox
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot, echo

REPAIRS = Path(__file__).parents[1] / "bundles" / "repairs"
SILENT = BotAddress("bench", "silent", 16)
"""A bot whose events come from the publisher."""
EVENTS_PER_SECOND = 500
_STAMP = re.compile(rb'"sent":(\d+)')
WINDOW = 500
"""Events on their way at once when the most that can be relayed is measured."""


@dataclass(frozen=True)
class Side:
    """A server under measurement."""

    name: str
    port: int
    pid: int

    def path(self, conversation: str, after: int) -> str:
        """Where the events of a conversation are followed, without those that were before."""
        if self.name == "bare":
            return "/" + keys.live(SILENT.partition(conversation), conversation).replace("{", "%7B").replace("}", "%7D")
        return f"/v1/namespaces/bench/bots/silent/conversations/{conversation}/events?after={after}"

    def rss(self) -> int:
        """Bytes of memory in use."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self) -> float:
        """Seconds of processor time used until now."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(name: str, command: list[str]) -> Iterator[Side]:
    """Run a server for the length of the context."""
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen([sys.executable, "-m", *command], stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 30
            while not (found := re.search(r"running on http://127\.0\.0\.1:(\d+)", Path(log.name).read_text())):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{name} does not start:\n{Path(log.name).read_text()}")
                time.sleep(0.05)
            yield Side(name, int(found[1]), process.pid)
        finally:
            process.kill()
            process.wait()


class Publisher:
    """Emits events as a committed turn does: numbered, kept, published."""

    def __init__(self, redis: Redis, conversations: list[str]) -> None:
        self._redis = redis
        self._conversations = itertools.cycle(conversations)
        self._last = dict.fromkeys(conversations, 0)

    async def listened_to(self, side: Side, conversations: list[str], heard: Heard, *, beside: int = 0) -> list[Stream]:
        """Open streams and return when the server has subscribed to all of them, beside those that are open."""
        if not beside and side.name == "gateway":
            # The relay never unsubscribes: its subscriptions end with its process.
            await _flowing(self._redis, 0)
        paths = [side.path(each, self._last[each]) for each in conversations]
        streams = await open_streams(side.port, paths, lambda _: heard)
        await _flowing(self._redis, beside + len(conversations))
        return streams

    async def emit(self, count: int) -> None:
        """Emit events, one for each of the next conversations."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for conversation in itertools.islice(self._conversations, count):
                self._last[conversation] += 1
                number, partition = self._last[conversation], SILENT.partition(conversation)
                text = envelope(
                    TurnIdentity(SILENT, conversation, "turn_1", "evt_1", "local", 1),
                    now=time.time(),
                    type="bot.message",
                    step="bench",
                    status="running",
                    data={"text": "x" * 100, "sent": time.monotonic_ns()},
                )
                pipe.hset(keys.conversation(partition, conversation), "outputs", number)
                pipe.xadd(keys.outputs(partition, conversation), {"e": text}, id=f"{number}-0", maxlen=2000)
                pipe.publish(keys.live(partition, conversation), f"{number} {text}")
            await pipe.execute()


async def latency(side: Side, publisher: Publisher, conversations: list[str], seconds: float) -> dict[str, float]:
    """Return how long events take from publication to the client at a steady rate, and what that costs the server."""
    taken: list[float] = []

    def heard(events: bytes, now: int) -> None:
        taken.extend((now - int(stamp)) / 1e6 for stamp in _STAMP.findall(events))

    streams = await publisher.listened_to(side, conversations, heard)
    begun, cpu = time.monotonic(), side.cpu()
    expected = 0
    while (passed := time.monotonic() - begun) < seconds:
        due = int(passed * EVENTS_PER_SECOND) - expected
        if due > 0:
            await publisher.emit(due)
            expected += due
        await asyncio.sleep(0.002)
    await _until(lambda: len(taken) >= expected)
    spent = side.cpu() - cpu
    close(streams)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "cpu_us_per_event": spent / expected * 1e6}


async def throughput(side: Side, publisher: Publisher, conversations: list[str], seconds: float) -> float:
    """Return events a second that reach their clients when there are always more to relay."""
    arrived = 0

    def count(events: bytes, now: int) -> None:
        nonlocal arrived
        arrived += len(_STAMP.findall(events))

    streams = await publisher.listened_to(side, conversations, count)
    begun, sent = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        if sent - arrived < WINDOW:
            await publisher.emit(100)
            sent += 100
        else:
            await asyncio.sleep(0.001)
    await _until(lambda: arrived >= sent)
    passed = time.monotonic() - begun
    close(streams)
    return arrived / passed


async def idle_bytes(side: Side, publisher: Publisher, conversations: list[str]) -> float:
    """Return bytes of memory for each open stream that says nothing."""
    half = len(conversations) // 2
    first = await publisher.listened_to(side, conversations[:half], lambda *_: None)
    before = side.rss()
    second = await publisher.listened_to(side, conversations[half:], lambda *_: None, beside=half)
    after = side.rss()
    close(first + second)
    return (after - before) / len(second)


async def turns(side: Side, bot: Bot, conversations: int, seconds: float) -> dict[str, float]:
    """Return the time from the beginning of a POST to the first byte of its event, at 50 turns a second."""
    base = "/v1/namespaces/shop/bots/echo"
    taken: list[float] = []
    names = [f"p{number}" for number in range(conversations)]
    answered: dict[str, asyncio.Future[int]] = {}
    posters = [Poster(side.port) for _ in range(16)]
    free: asyncio.Queue[Poster] = asyncio.Queue()
    for poster in posters:
        free.put_nowait(poster)

    async def post(name: str, text: str) -> int:
        poster = await free.get()
        begun = time.monotonic_ns()
        status = await poster.post(f"{base}/messages", json.dumps({"text": text, "conversation": name}))
        assert status == 202, status
        free.put_nowait(poster)
        return begun

    def heard(path: str) -> Heard:
        name = path.split("/")[-2]

        def take(events: bytes, now: int) -> None:
            waiting = answered.get(name)
            if waiting is not None and not waiting.done():
                waiting.set_result(now)

        return take

    for name in names:
        await post(name, "reset")
    while await bot.inbox.pending(bot.address):
        await asyncio.sleep(0.02)
    streams = await open_streams(side.port, [f"{base}/conversations/{name}/events" for name in names], heard)
    await _flowing(bot.redis, conversations)

    async def talk(name: str) -> None:
        answered[name] = asyncio.get_running_loop().create_future()
        begun = await post(name, "x")
        async with asyncio.timeout(30):
            taken.append((await answered[name] - begun) / 1e6)

    talks = []
    for name in itertools.islice(itertools.cycle(names), int(seconds * 50)):
        talks.append(asyncio.create_task(talk(name)))
        await asyncio.sleep(0.02)
    await asyncio.gather(*talks)
    close(streams)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "turns": len(taken)}


def dev(runs: int) -> dict[str, float]:
    """Return seconds from the start of `botyard dev` to its first answer, and what the machine needs for a Python."""
    seconds, bare = [], []
    for _ in range(runs):
        begun = time.monotonic()
        subprocess.run([sys.executable, "-c", "import starlette.applications, redis.asyncio, uvicorn"], check=True)
        bare.append(time.monotonic() - begun)
        command = [sys.executable, "-m", "botyard.cli.main", "dev", str(REPAIRS), "--port", "0"]
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"answers at (http://\S+)/ ", line):
                    break
            else:
                raise RuntimeError("botyard dev ended")
            base = f"{found[1]}/v1/namespaces/dev/bots/repairs"
            sent = httpx.post(f"{base}/messages", json={"text": "hi"}, trust_env=False).json()
            with httpx.stream(
                "GET", f"{base}/conversations/{sent['conversation']}/events", trust_env=False, timeout=30
            ) as response:
                next(line for line in response.iter_lines() if line == "event: bot.message")
            seconds.append(time.monotonic() - begun)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    return {
        "first_answer_s": statistics.median(seconds),
        "fastest_s": min(seconds),
        "times_python": statistics.median(seconds) / statistics.median(bare),
    }


async def _flowing(redis: Redis, count: int) -> None:
    """Wait until so many conversations are subscribed to."""
    async with asyncio.timeout(60):
        while len(await redis.pubsub_channels("by:*:live:*")) != count:
            await asyncio.sleep(0.05)
    # What follows a subscription (the first reading) is done then, too.
    await asyncio.sleep(0.5)


async def _until(done: Any, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.002)


async def measure(clients: int, seconds: float) -> dict[str, Any]:
    """Return all figures of one run."""
    figures: dict[str, Any] = {"clients": clients, "load_before": os.getloadavg()[0]}
    with running_redis() as server, tempfile.TemporaryDirectory() as folder:
        redis = connect(server.url)
        bot = Bot(redis, server.url, Path(folder), code=echo(), limits=Limits(concurrency=64), lease_ms=6000)
        routes = Routes(
            routes=tuple(
                Route(namespace=each.namespace, name=each.name, ready=True, partitions=each.partitions)
                for each in (SILENT, bot.address)
            )
        )
        (Path(folder) / "routes.json").write_text(routes.to_json())
        gateway = ["botyard.cli.main", "gateway", "--host", "127.0.0.1", "--port", "0", "--auth", "none"]
        gateway += ["--routes", f"{folder}/routes.json", "--redis", server.url, "--rate", "0", "--max-streams", "5000"]
        commands = {"gateway": gateway, "bare": ["benchmarks.relay", server.url]}
        names = [f"c{number}" for number in range(clients)]
        for name in names:
            await Inbox(redis).accept(SILENT, key=name, kind="message", payload={}, user="local")
        publisher = Publisher(redis, names)
        relayed: dict[str, list[float]] = {name: [] for name in commands}
        for name, command in commands.items():
            with serving(name, command) as side:
                figures[name] = {"idle_bytes_per_client": await idle_bytes(side, publisher, names)}
            with serving(name, command) as side:
                figures[name] |= await latency(side, publisher, names, seconds)
        for name, command in [*commands.items()] * 2:
            with serving(name, command) as side:
                relayed[name].append(await throughput(side, publisher, names, seconds / 2))
        for name in commands:
            figures[name]["events_per_second"] = max(relayed[name])
        figures["of_bare"] = figures["gateway"]["events_per_second"] / figures["bare"]["events_per_second"]
        try:
            await bot.start()
            with serving("gateway", gateway) as side:
                figures["turns_256"] = await turns(side, bot, 256, seconds)
        finally:
            bot.stop()
            await redis.aclose()
    figures["dev"] = dev(3)
    figures["load_after"] = os.getloadavg()[0]
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = uvloop.run(measure(options.clients, options.seconds))
    text = json.dumps(figures, indent=2)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
