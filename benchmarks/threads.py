"""Threads of loop bots on one real replica: the way of a tool call, many at once, a long one beside a short one.

    python -m benchmarks.threads [--turns 200] [--threads 200] [--messages 2000] [--json FILE]

The model is scripted. Its answer takes no time where the cost of threads is measured, and `MODEL_SECONDS` where many
threads wait for it at once. What a tool call takes is measured where it is made, in the worker: from the model's call
to the result that is in the journal. Long and short thread take turns in one run, so the machine's own speed cancels
out.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from botyard.contract.bot import Limits
from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import PersonaBudget
from botyard.core.connection import connect
from botyard.core.outputs import Outputs
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot

MODEL_SECONDS = 0.5
SHORT = 20
"""Messages of the short thread."""
PARTS = 50
"""Messages that are put into a thread at once while it is made long."""

CODE = """
import asyncio, time
from pathlib import Path
from botyard.loop import CloudTool, FMarketplaceExpertInput, FlexusClient, run_bots_in_this_group, shutdown_event
from botyard.loop import thread_turns
from botyard.loop.install import record

TOOLS = [CloudTool(strict=False, name="look", description="", parameters={"type": "object", "properties": {}})]
TIMES = Path("TIMES").open("a", buffering=1)
made = thread_turns.ThreadTurns._call


async def timed(self, turn, call):
    started = time.perf_counter()
    try:
        return await made(self, turn, call)
    finally:
        TIMES.write(f"{(time.perf_counter() - started) * 1000}\\n")

thread_turns.ThreadTurns._call = timed


def install(client, name, version, tools):
    record({"marketable_experts": [("default", FMarketplaceExpertInput(fexp_system_prompt="You are Nora."))]})


async def main_loop(fclient, rcx):
    @rcx.on_tool_call("look")
    async def look(call, args):
        return "seen"

    while not shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(run_bots_in_this_group(
        FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=TOOLS, install_func=install))
"""
SCRIPT = f"""
rules:
- when: {{system_contains: "Sum up"}}
  reply: {{text: "A summary."}}
- when: {{last_role: tool}}
  reply: {{text: "done"}}
- when: {{last_role: user, contains: look}}
  reply: {{tool_calls: [{{name: look, arguments: {{}}}}]}}
- when: {{last_role: user, contains: slow}}
  reply: {{text: "at last", delay_ms: {int(MODEL_SECONDS * 1000)}}}
- reply: {{text: "an answer of about as many words as answers have"}}
"""


async def turn(bot: Bot, outputs: Outputs, thread: str, text: str) -> float:
    """Return the milliseconds from a message to its committed turn."""
    key = f"nora~{thread}"
    after = ""
    while page := await outputs.read(bot.address, key, after=after):
        after = page[-1].id
    started = time.perf_counter()
    await bot.say(text, key)
    async for stored in outputs.follow(bot.address, key, after=after):
        if stored is not None and json.loads(stored.envelope)["type"] == "chat.complete":
            break
    return (time.perf_counter() - started) * 1000


async def fill(bot: Bot, thread: str, messages: int) -> None:
    """Put messages into a thread; the model answers each part once."""
    written = 0
    while written < messages:
        part = min(PARTS, messages - written)
        roles = ("user", "assistant")
        said = [{"role": roles[n % 2], "content": f"message {written + n}"} for n in range(part)]
        payload = {"action": "thread.message", "messages": said}
        await bot.inbox.accept(bot.address, key=f"nora~{thread}", kind="action", payload=payload, user="ada")
        written += part
    while await bot.inbox.pending(bot.address):
        await asyncio.sleep(0.02)


async def long_and_short(bot: Bot, messages: int, turns: int) -> dict[str, float]:
    """Return what a turn of a long thread costs beside one of short threads, each of them of `SHORT` messages."""
    outputs = Outputs(bot.redis)
    await fill(bot, "long", messages)
    taken: dict[str, list[float]] = {"long": [], "short": []}
    for number in range(turns):
        # Each short one is used once: it would not stay short.
        await fill(bot, f"short{number}", SHORT)
        for name, thread in (("long", "long"), ("short", f"short{number}")):
            taken[name].append(await turn(bot, outputs, thread, "hello"))
    await outputs.close()
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {
        "messages": messages,
        "long_ms": medians["long"],
        "short_ms": medians["short"],
        "long_of_short": medians["long"] / medians["short"],
    }


async def in_parallel(bot: Bot, threads: int) -> dict[str, float]:
    """Return how long threads take that all wait for a slow model at once, beside one that is alone."""
    outputs = Outputs(bot.redis)
    alone = statistics.median([await turn(bot, outputs, f"alone{n}", "slow") for n in range(5)])
    started = time.perf_counter()
    taken = await asyncio.gather(*(turn(bot, outputs, f"many{n}", "slow") for n in range(threads)))
    wall = (time.perf_counter() - started) * 1000
    await outputs.close()
    return {
        "threads": threads,
        "model_ms": MODEL_SECONDS * 1000,
        "alone_ms": alone,
        "all_ms": wall,
        "p99_ms": statistics.quantiles(taken, n=100)[98],
        "one_after_the_other_ms": alone * threads,
    }


async def tool_calls(bot: Bot, turns: int, times: Path) -> dict[str, float]:
    """Return what the way of a tool call takes, its handler doing nothing."""
    outputs = Outputs(bot.redis)
    for number in range(turns):
        await turn(bot, outputs, f"tools{number}", "look")
    await outputs.close()
    taken = [float(line) for line in times.read_text().splitlines()]
    cuts = statistics.quantiles(taken, n=100)
    return {"calls": len(taken), "p50_ms": cuts[49], "p99_ms": cuts[98]}


async def measure(turns: int, threads: int, messages: int) -> dict[str, Any]:
    """Return all figures of one run."""
    figures: dict[str, Any] = {}
    with running_redis(appendfsync="everysec") as server, tempfile.TemporaryDirectory() as folder:
        redis, times = connect(server.url), Path(folder) / "times"
        bot = Bot(
            redis,
            server.url,
            Path(folder) / "bot",
            code=CODE.replace('"TIMES"', repr(str(times))),
            programming_model="loop",
            personas=(PersonaConfig(name="nora", budget=PersonaBudget(per_thread=10**9)),),
            model=ModelConfig(provider="scripted", name="toy", script="script.yaml"),
            files={"config/script.yaml": SCRIPT},
            limits=Limits(concurrency=256),
            lease_ms=6000,
        )
        try:
            await bot.start()
            figures["tool_calls"] = await tool_calls(bot, turns, times)
            figures["long_thread"] = await long_and_short(bot, messages, turns)
            figures["parallel"] = await in_parallel(bot, threads)
        finally:
            bot.stop()
            await redis.aclose()
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--threads", type=int, default=200)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.turns, options.threads, options.messages))
    text = json.dumps(figures, indent=2)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
