"""The channels of workflow clients: deltas relayed beside a bare relay, and the first delta of turns side by side.

    python -m benchmarks.chat [--clients 500] [--seconds 8] [--turns 100] [--json FILE]

As in `benchmarks.gateway` both sides take turns in front of the same Redis, with the same publisher and clients.
"""

import argparse
import asyncio
import itertools
import json
import os
import re
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from redis.asyncio import Redis

from benchmarks.gateway import SILENT, Side, serving
from benchmarks.sse_clients import Heard, Poster, close, open_streams
from botyard.contract.bot import Limits
from botyard.contract.routes import Route, Routes
from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.inbox import Inbox
from botyard.gateway.chat.registry import Member, SessionKey, Sessions
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot

FLOW = BotAddress("bench", "flow", 16)
WINDOW = 1000
"""Deltas on their way at once."""
SECONDS_OF_TURN = 2.0
CODE = f"""
import asyncio
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint


@agentic_workflow(name="flow", version="1")
class Flow(BaseEntrypoint):
    async def execute_core(self, *, state, thread_id, params):
        await self.comm.delta(text="Hello", index=0)
        await asyncio.sleep({SECONDS_OF_TURN})
        return {{"final_answer": "Hello"}}
"""
_STAMP = re.compile(rb'"sent":(\d+)')


@dataclass
class Publisher:
    """Emits deltas as a running turn does."""

    redis: Redis
    names: list[str]

    def __post_init__(self) -> None:
        self._next = itertools.cycle(self.names)
        self.last = dict.fromkeys(self.names, 0)

    async def emit(self, count: int) -> None:
        """Emit so many deltas, one for each of the next conversations."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for name in itertools.islice(self._next, count):
                self.last[name] += 1
                number, partition = self.last[name], SILENT.partition(name)
                text = _delta(name, number)
                pipe.hset(keys.conversation(partition, name), "outputs", number)
                pipe.xadd(keys.outputs(partition, name), {"e": text}, id=f"{number}-0", maxlen=2000)
                pipe.publish(keys.live(partition, name), f"{number} {text}")
            await pipe.execute()


def _delta(name: str, number: int) -> str:
    return json.dumps(
        {
            "type": "chat.delta",
            "delivery": {"event": "chat_delta", "target": name},
            "timestamp": "2026-11-21T10:00:00.000Z",
            "ts": int(time.time() * 1000),
            "service": {"request_id": "r", "tenant": "bench", "project": "silent", "user": "local"},
            "conversation": {"session_id": name, "conversation_id": name, "turn_id": "t"},
            "event": {"step": "stream", "status": "running", "agent": "assistant", "title": "Assistant Delta"},
            "delta": {"text": "x" * 20, "marker": "answer", "index": number, "completed": False},
            "text": "x" * 20,
            "idx": number,
            "extra": {"sent": time.monotonic_ns()},
        },
        separators=(",", ":"),
    )


async def relayed(side: Side, publisher: Publisher, seconds: float) -> float:
    """Return deltas a second that reach their clients when there are always more."""
    arrived = 0

    def count(events: bytes, now: int) -> None:
        nonlocal arrived
        arrived += len(_STAMP.findall(events))

    if side.name == "gateway":
        sessions = Sessions(publisher.redis)
        for name in publisher.names:
            member = Member(SILENT, name, publisher.last[name])
            await sessions.join(SessionKey("bench", "local", name), member)
        paths = [f"/sse/stream?stream_id={name}&user_session_id={name}&tenant=bench" for name in publisher.names]
    else:
        paths = [side.path(name, 0) for name in publisher.names]
    streams = await open_streams(side.port, paths, lambda _: count)
    async with asyncio.timeout(60):
        while len(await publisher.redis.pubsub_channels("by:*:live:*")) < len(publisher.names):
            await asyncio.sleep(0.05)
    await asyncio.sleep(1)
    begun, sent = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        if sent - arrived < WINDOW:
            await publisher.emit(200)
            sent += 200
        else:
            await asyncio.sleep(0.001)
    async with asyncio.timeout(60):
        while arrived < sent:
            await asyncio.sleep(0.002)
    passed = time.monotonic() - begun
    close(streams)
    return arrived / passed


async def first_deltas(side: Side, at_once: int, seconds: float) -> dict[str, float]:
    """Return the time from the beginning of a POST to its turn's first delta, while so many turns run."""
    rate = at_once / SECONDS_OF_TURN
    names = [f"t{number}" for number in range(at_once * 2)]
    waiting: dict[str, asyncio.Future[int]] = {}
    over: dict[str, asyncio.Event] = {name: asyncio.Event() for name in names}
    taken: list[float] = []
    free: asyncio.Queue[Poster] = asyncio.Queue()
    for _ in range(32):
        free.put_nowait(Poster(side.port))

    def heard(path: str) -> Heard:
        found = re.search(r"stream_id=([^&]+)", path)
        assert found is not None
        name = found[1]

        def take(events: bytes, now: int) -> None:
            if b"event: chat_delta" in events and (answer := waiting.get(name)) is not None and not answer.done():
                answer.set_result(now)
            if b"event: chat_complete" in events:
                over[name].set()

        return take

    paths = [f"/sse/stream?stream_id={name}&user_session_id={name}&tenant=bench" for name in names]
    streams = await open_streams(side.port, paths, heard)

    async def turn(name: str, *, counts: bool) -> None:
        over[name].clear()
        waiting[name] = asyncio.get_running_loop().create_future()
        poster = await free.get()
        body = json.dumps({"message": {"text": "hi", "bundle_id": "flow", "conversation_id": name}})
        begun = time.monotonic_ns()
        status = await poster.post(f"/sse/chat?stream_id={name}&user_session_id={name}&tenant=bench", body)
        free.put_nowait(poster)
        assert status == 200, status
        async with asyncio.timeout(60):
            first = await waiting[name]
            if counts:
                taken.append((first - begun) / 1e6)
            await over[name].wait()

    # Once round without counting: first messages of conversations.
    turns = []
    for number, name in enumerate(itertools.islice(itertools.cycle(names), len(names) + int(seconds * rate))):
        turns.append(asyncio.create_task(turn(name, counts=number >= len(names))))
        await asyncio.sleep(1 / rate)
    await asyncio.gather(*turns)
    close(streams)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "turns": len(taken), "at_once": at_once}


async def measure(clients: int, seconds: float, turns: int) -> dict[str, Any]:
    """Return all figures of one run."""
    figures: dict[str, Any] = {"clients": clients, "load_before": os.getloadavg()[0]}
    with running_redis() as server, tempfile.TemporaryDirectory() as folder:
        redis = connect(server.url)
        routes = Routes(
            routes=tuple(
                Route(namespace="bench", name=each.name, model="workflow", ready=True, partitions=16)
                for each in (SILENT, FLOW)
            )
        )
        (Path(folder) / "routes.json").write_text(routes.to_json())
        gateway = ["botyard.cli.main", "gateway", "--host", "127.0.0.1", "--port", "0", "--auth", "none"]
        gateway += ["--routes", f"{folder}/routes.json", "--redis", server.url]
        gateway += ["--chat-limits", "privileged=unlimited/1000000"]
        commands = {"gateway": gateway, "bare": ["benchmarks.relay", server.url]}
        names = [f"c{number}" for number in range(clients)]
        for name in names:
            await Inbox(redis).accept(SILENT, key=name, kind="message", payload={}, user="local")
        publisher = Publisher(redis, names)
        found: dict[str, list[float]] = {name: [] for name in commands}
        for name, command in [*commands.items()] * 3:
            with serving(name, command) as side:
                found[name].append(await relayed(side, publisher, seconds / 2))
        for name, rates in found.items():
            figures[name] = {"deltas_per_second": max(rates), "all": rates}
        figures["of_bare"] = figures["gateway"]["deltas_per_second"] / figures["bare"]["deltas_per_second"]
        bot = Bot(
            redis,
            server.url,
            Path(folder) / "bot",
            code=CODE,
            address=FLOW,
            programming_model="workflow",
            limits=Limits(concurrency=turns * 4),
            lease_ms=6000,
        )
        try:
            await bot.start()
            with serving("gateway", gateway) as side:
                figures["first_delta"] = await first_deltas(side, turns, seconds)
        finally:
            bot.stop()
            await redis.aclose()
    figures["load_after"] = os.getloadavg()[0]
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chat")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--turns", type=int, default=100, help="turns that run at once")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = uvloop.run(measure(options.clients, options.seconds, options.turns))
    print(json.dumps(figures, indent=2))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
