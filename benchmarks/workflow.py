"""Workflow bots: what loading a bundle adds to the import of its code, and how soon an answer begins.

    python -m benchmarks.workflow [--modules 60] [--turns 100] [--rounds 10] [--json FILE]

Loading: the same generated package, imported by Python alone and by the bundle loader, each in interpreters of their
own that have the SDK loaded; medians of the processor time are compared. First delta: one real replica on which
`--turns` turns run at any moment, each for two seconds; from before the acceptance of a message until its first delta
can be read, beside the same with one turn at a time.
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

from botyard.contract.bot import Limits
from botyard.core.connection import connect
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot

BUNDLE = """
import asyncio
from botyard.workflow import BaseEntrypoint, agentic_workflow

@agentic_workflow(name="bench")
class Bench(BaseEntrypoint):
    async def execute_core(self, *, state, thread_id, params):
        for index in range(5):
            await self.comm.delta(text="word ", index=index)
            if params["text"] == "slow":
                await asyncio.sleep(0.4)
        return {"final_answer": "word word word word word"}
"""
SECONDS = 2.0
"""That a slow turn takes."""
LOADING = """
import sys, time
import botyard.workflow, botyard.workflow.program
from pathlib import Path
folder = Path(sys.argv[1])
if sys.argv[2] == "bundle":
    from botyard.workflow.loader import AgenticBundleSpec, load_bundle
    began = time.process_time()
    load_bundle(AgenticBundleSpec(path=str(folder), module="pack.entry"))
else:
    sys.path.insert(0, str(folder))
    import importlib
    began = time.process_time()
    importlib.import_module("pack.entry")
print(time.process_time() - began)
"""


def generate(folder: Path, modules: int) -> None:
    """Write a package of so many modules, which import each other, and a workflow."""
    pack = folder / "pack"
    pack.mkdir()
    (pack / "__init__.py").write_text("")
    for number in range(modules):
        other = f"from .m{number - 1} import f0 as before\n" if number else ""
        body = "\n".join(f"def f{each}(a, b=1):\n    return [a, b, {each}]\n" for each in range(30))
        (pack / f"m{number}.py").write_text(other + body)
    (pack / "entry.py").write_text(f"from .m{modules - 1} import f0\n{BUNDLE}")


def loading(modules: int, rounds: int) -> dict[str, float]:
    """Return milliseconds of both ways."""
    found: dict[str, list[float]] = {"python": [], "bundle": []}
    with tempfile.TemporaryDirectory() as made:
        generate(Path(made), modules)
        for turn in range(rounds + 1):
            for way, seconds in found.items():
                done = subprocess.run(
                    [sys.executable, "-c", LOADING, made, way], capture_output=True, text=True, check=True
                )
                if turn:
                    seconds.append(float(done.stdout))
            if not turn:
                # As after a clone: bytecode is there, and older sources than it.
                time.sleep(2.1)
                subprocess.run([sys.executable, "-m", "compileall", "-q", "-f", made], check=True)
    medians = {way: statistics.median(seconds) * 1000 for way, seconds in found.items()}
    return {**medians, "added": medians["bundle"] - medians["python"]}


async def first_delta(bot: Bot, conversation: str, text: str = "quick") -> float:
    """Return seconds from before the acceptance of a message until its first delta can be read."""
    seen = asyncio.Event()

    async def follow() -> None:
        async for stored in bot.outputs.follow(bot.address, conversation):
            if stored is not None and '"chat.delta"' in stored.envelope[:40]:
                seen.set()
                return

    following = asyncio.create_task(follow())
    await asyncio.sleep(0)
    began = time.perf_counter()
    await bot.say(text, conversation)
    await seen.wait()
    taken = time.perf_counter() - began
    await following
    return taken


async def deltas(turns: int, rounds: int) -> dict[str, float]:
    """Return milliseconds until the first delta: one turn at a time, and many at once."""
    with tempfile.TemporaryDirectory(prefix="by-bench-") as made, running_redis() as server:
        redis = connect(server.url, max_connections=1024)
        bot = Bot(
            redis,
            server.url,
            Path(made) / "bot",
            code=BUNDLE,
            programming_model="workflow",
            limits=Limits(concurrency=256),
        )
        try:
            await bot.start()
            await first_delta(bot, "warm")
            alone = [await first_delta(bot, f"alone{number}") for number in range(turns)]
            running = []
            for number in range(turns * rounds):
                running.append(asyncio.create_task(first_delta(bot, f"c{number}", "slow")))
                await asyncio.sleep(SECONDS / turns)
            # Without those of the beginning, when fewer ran.
            together = (await asyncio.gather(*running))[turns:]
        finally:
            bot.stop()
            await bot.outputs.close()
            await redis.aclose()
    return {
        **{f"alone_{name}": value for name, value in percentiles(alone).items()},
        **{f"together_{name}": value for name, value in percentiles(together).items()},
    }


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Return p50 and p99 in milliseconds."""
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return {
        "p50": ordered[len(ordered) // 2] * 1000,
        "p99": ordered[min(last, len(ordered) * 99 // 100)] * 1000,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--modules", type=int, default=60)
    parser.add_argument("--turns", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {
        "loading_ms": loading(options.modules, options.rounds),
        "first_delta_ms": asyncio.run(deltas(options.turns, options.rounds)),
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
