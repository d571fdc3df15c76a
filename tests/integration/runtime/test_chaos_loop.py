"""Threads of Personas under random harm: each is answered in order, and nothing that was kept is paid a second time.

Residents move, tools run in their loops, a person confirms calls, turns wait for money: all of it while workers,
replicas and Redis are killed, paused and drained. BOTYARD_CHAOS_MESSAGES sets how many messages (default: a tenth of
BOTYARD_CHAOS_TURNS, which is 2000; each takes several turns and two calls of the model), BOTYARD_CHAOS_SEED repeats the
choices, BOTYARD_CHAOS_CALM=4 makes the pauses between harms four times as long.
"""

import asyncio
import itertools
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.exceptions import RedisError

from botyard.budget.errors import LedgerUnavailable
from botyard.budget.grants import grant
from botyard.budget.reports import Reports, today
from botyard.contract.bot import Limits
from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import PersonaBudget
from botyard.core.connection import connect
from botyard.core.parking import Parking
from botyard.loop.compaction import INSTRUCTION
from tests.integration.models.double import DONE, Provider, running, usage
from tests.integration.redis.server import running_redis
from tests.integration.runtime.chaos import LEASE_MS, SEED, TURNS, Chaos
from tests.integration.runtime.payments import Payments
from tests.integration.runtime.replica import Bot

ALL_MESSAGES = int(os.environ.get("BOTYARD_CHAOS_MESSAGES", TURNS // 10))
PERSONAS = ("nora", "oslo", *(f"p{number}" for number in range(min(14, ALL_MESSAGES // 400))))
THREADS = [f"{persona}~t{number}" for persona in PERSONAS for number in range(8)]
MESSAGES = max(2, ALL_MESSAGES // len(THREADS))
"""Of each thread."""
REPLICAS = 3
TIMEOUT = 300 + 2.5 * ALL_MESSAGES
"""Seconds."""
COINS = 400
"""What a Persona may spend at first, and what it is granted at least whenever it asks."""
TELL_EVERY = 10.0
"""Seconds between two lines of progress."""
TOOL_COINS = 10
SUMMARY = re.compile("summary of [0-9a-f]+")

CODE = """
import asyncio
from pathlib import Path
from flexus_client_kit import ckit_bot_exec, ckit_client, ckit_shutdown
from botyard.loop import CloudTool, FMarketplaceExpertInput, NeedsConfirmation, ToolResult
from botyard.loop.install import record
import sys
sys.path.insert(0, {root!r})
from tests.integration.runtime.payments import Payments

PAYMENTS = Payments(Path({ledger!r}))
NAMED = {"type": "object", "properties": {"name": {"type": "string"}}}
TOOLS = [CloudTool(strict=False, name=name, description=name, parameters=NAMED) for name in ("look", "write")]


def install(client, name, version, tools):
    record({"marketable_experts": [("default", FMarketplaceExpertInput(fexp_system_prompt="You are a clerk."))]})


async def main_loop(fclient, rcx):
    @rcx.on_tool_call("look")
    async def look(call, args):
        # The model's answer is used, so it was kept.
        PAYMENTS.kept("model " + args["name"])
        PAYMENTS.asked("tool " + args["name"])
        await asyncio.sleep(0.02)
        return ToolResult("saw " + args["name"], dollars=0.00001)

    @rcx.on_tool_call("write")
    async def write(call, args):
        PAYMENTS.kept("model " + args["name"])
        if not call.confirmed_by_human:
            raise NeedsConfirmation(confirm_command="write", confirm_explanation="It writes.")
        PAYMENTS.asked("tool " + args["name"])
        return ToolResult("wrote " + args["name"], dollars=0.00001)

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=TOOLS, install_func=install))
"""


def budget() -> PersonaBudget:
    return PersonaBudget(daily=COINS, per_thread=10_000_000, on_exceeded="Ask")


def answering(payments: Payments) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A model that calls the tool that it is told to call, and then says what the tool said."""

    async def answer(request: web.Request) -> web.StreamResponse:
        messages = (await request.json())["messages"]
        last = messages[-1]
        said = str(last["content"])
        if found := SUMMARY.search(str(messages[:2])):
            # It is used, so it was kept.
            payments.kept(f"model {found.group()}")
        if messages[0]["content"] == INSTRUCTION:
            name = f"summary of {blake2b(said.encode(), digest_size=8).hexdigest()}"
            payments.asked(f"model {name}")
            delta: dict[str, Any] = {"content": name}
        elif last["role"] == "user":
            tool, name = said.split()
            payments.asked(f"model {name}")
            called = {"name": tool, "arguments": json.dumps({"name": name})}
            delta = {"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": called}]}
        else:
            name = said.split()[1]
            # The tool's result is used, so it was kept.
            payments.kept(f"tool {name}")
            payments.asked(f"model about {name}")
            delta = {"content": f"done {said}"}
        reason = "tool_calls" if "tool_calls" in delta else "stop"
        piece = {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for part in (b"data: " + json.dumps(piece).encode() + b"\n\n", usage(5, 2), DONE):
            await response.write(part)
        return response

    return answer


@pytest.fixture
async def chaos(tmp_path: Path) -> AsyncIterator[Chaos]:
    payments = Payments(tmp_path / "ledger")
    code = CODE.replace("{root!r}", repr(str(Path(__file__).parents[3]))).replace(
        "{ledger!r}", repr(str(payments.path))
    )
    async with running() as double:
        provider: Provider = double
        provider.next = [answering(payments)]
        with running_redis(appendfsync="always") as server:
            bot = Bot(
                connect(server.url),
                server.url,
                tmp_path / "bot",
                code=code,
                programming_model="loop",
                personas=tuple(PersonaConfig(name=name, budget=budget()) for name in PERSONAS),
                model=ModelConfig(name="gpt", endpoint=provider.url),
                files={"config/prices.yaml": "models: [{model: gpt, prices: [{input: 1, output: 1}], max_output: 50}]"},
                lease_ms=LEASE_MS,
                # Whoever kills a worker every second would make suspects of all.
                limits=Limits(concurrency=16, max_attempts=15),
            )
            yield Chaos(bot, server, random.Random(SEED))
            bot.stop()
            await bot.redis.aclose()


class Driver:
    """Says one thing after the other in each thread, and lets go on what waits for a person."""

    def __init__(self, bot: Bot, payments: Payments) -> None:
        self.bot = bot
        self.payments = payments
        self.grants = 0
        self.confirmed = 0
        self.parked = 0
        self.answered = 0
        self.failed: Counter[str] = Counter()

    async def send(self, thread: str, payload: dict[str, Any], kind: str, event: str) -> None:
        """Send until it is accepted; the id makes it the same event."""
        while True:
            try:
                await self.bot.inbox.accept(
                    self.bot.address, key=thread, kind=kind, payload=payload, user="ada", event_id=event
                )
            except RedisError:
                await asyncio.sleep(0.1)
            else:
                return

    async def talk(self, thread: str, tools: list[str]) -> None:
        told = self.follow(thread)
        for number, tool in enumerate(tools):
            tries = 0
            while not await self.ask(thread, tool, f"{thread}.{number}.{tries}", told):
                tries += 1
                await asyncio.sleep(0.2)
            self.answered += 1

    async def ask(self, thread: str, tool: str, name: str, told: AsyncIterator[dict[str, Any]]) -> bool:
        """Say one thing; False when the thread was told that model or ledger cannot be reached, and is to ask again."""
        await self.send(thread, {"text": f"{tool} {name}"}, "message", name)
        async for envelope in told:
            data = envelope["data"]
            if envelope["type"] == "turn.parked":
                self.parked += 1
            elif envelope["type"] == "thread.confirmation":
                self.confirmed += 1
                payload = {"action": "call.confirm", "call": data["call"], "allow": True}
                await self.send(thread, payload, "action", f"{name}.confirm")
            elif envelope["type"] == "thread.error":
                self.failed[data["code"]] += 1
                return False
            elif envelope["type"] == "thread.message" and str(data["content"]).startswith("done "):
                # It is committed, so it was kept.
                self.payments.kept(f"model about {name}")
                return True
        raise AssertionError

    async def follow(self, thread: str) -> AsyncGenerator[dict[str, Any], None]:
        """Everything that is said in a thread, whatever becomes of Redis meanwhile."""
        after = ""
        while True:
            try:
                async for stored in self.bot.outputs.follow(self.bot.address, thread, after=after, tick=1.0):
                    if stored is not None:
                        after = stored.id
                        yield json.loads(stored.envelope)
            except RedisError:
                await asyncio.sleep(0.1)

    async def pay(self) -> None:
        """Grant whoever waits for money a little of it."""
        parking = Parking(self.bot.redis)
        while True:
            try:
                needed: dict[str, int] = {}
                for each in await parking.list(self.bot.address):
                    name = each.key.split("~")[0].lstrip(":")
                    # What a call can cost grows with its thread.
                    needed[name] = max(needed.get(name, COINS), int(each.data["budget"]["needed"]))
                for name, coins in needed.items():
                    self.grants += 1
                    await grant(
                        self.bot.redis, self.bot.address, f"g{self.grants}",
                        persona=name, budget=budget(), coins=coins, by="cara",
                    )  # fmt: skip
            except (RedisError, LedgerUnavailable):
                pass
            await asyncio.sleep(0.5)

    async def tell(self, chaos: Chaos) -> None:
        """Print how far it is."""
        started = time.monotonic()
        while True:
            await asyncio.sleep(TELL_EVERY)
            print(
                f"{time.monotonic() - started:.0f} s: {self.answered} messages answered, {self.confirmed} confirmed, "
                f"{self.parked} times parked, failed {dict(self.failed)}, {dict(chaos.done)}",
                flush=True,
            )


@pytest.mark.timeout(TIMEOUT + 120)
async def test_nothing_that_was_kept_is_paid_a_second_time(chaos: Chaos, tmp_path: Path) -> None:
    print(f"BOTYARD_CHAOS_SEED={SEED} BOTYARD_CHAOS_TURNS={TURNS}")
    bot, payments = chaos.bot, Payments(tmp_path / "ledger")
    await bot.start(REPLICAS)
    first_day = await day_of(bot)
    driver, enough, started = Driver(bot, payments), asyncio.Event(), time.monotonic()
    tools = {thread: [chaos.rng.choice(["look", "write"]) for _ in range(MESSAGES)] for thread in THREADS}
    harming, paying = asyncio.create_task(chaos.run(enough)), asyncio.create_task(driver.pay())
    telling = asyncio.create_task(driver.tell(chaos))
    try:
        async with asyncio.timeout(TIMEOUT):
            await asyncio.gather(*(driver.talk(thread, tools[thread]) for thread in THREADS))
            enough.set()
            await harming
            while await bot.inbox.pending(bot.address):
                await asyncio.sleep(0.1)
    finally:
        enough.set()
        for task in (harming, paying, telling):
            task.cancel()
        print(
            f"{len(THREADS) * MESSAGES} messages in {time.monotonic() - started:.0f} s, {driver.confirmed} confirmed, "
            f"{driver.parked} times parked, {driver.grants} grants, {dict(driver.failed)} failed and asked anew, "
            f"{payments.repeated()} asked again because an answer was lost with its process; {chaos.done}"
        )

    assert payments.paid_twice() == [], f"seed {SEED}"
    used: Counter[str] = Counter()
    for thread in THREADS:
        said = [
            str(envelope["data"]["content"])
            for envelope in await bot.heard(thread)
            if envelope["type"] == "thread.message"
        ]
        for number, tool in enumerate(tools[thread]):
            for tries in itertools.count():
                name = f"{thread}.{number}.{tries}"
                result = f"{'saw' if tool == 'look' else 'wrote'} {name}"
                wanted = [f"{tool} {name}", "None", result, f"done {result}"]
                # What failed was said up to there, and then asked anew.
                length = next((at for at, text in enumerate(wanted) if said[at : at + 1] != [text]), len(wanted))
                assert length, f"seed {SEED}: {name} is missing before {said[:4]}"
                del said[:length]
                used[thread.split("~")[0]] += length > 2
                if length == len(wanted):
                    break
        assert said == [], f"seed {SEED}: {thread}"
    # A long run may pass midnight.
    days = sorted({first_day, await day_of(bot)})
    for persona in PERSONAS:
        accounts = await Reports(bot.redis).read(bot.address, [(f"persona:{persona}", day) for day in days])
        tools = sum((account.counts or {}).get("tools", 0) for account in accounts)
        assert tools == used[persona] * TOOL_COINS, f"seed {SEED}: tools of {persona}"


async def day_of(bot: Bot) -> str:
    """The day by the clock of Redis."""
    return today("UTC", await Reports(bot.redis).now_ms()).name
