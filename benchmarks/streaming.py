"""A streamed answer through the supervisor beside the provider's stub read directly, in one run.

    python -m benchmarks.streaming [--rounds 5] [--json FILE]

One real replica (supervisor, worker host, worker) whose model is `botyard model-stub` in a process of its own. The code
of its turns reads streams over bare sockets, first from the stub and then from the metered endpoint, in turns: the
client costs next to nothing, and both sides have the same one.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import PersonaBudget
from botyard.core.connection import connect
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot, echo

PIECES = 12_000
"""Of one long answer."""
AT_ONCE = 8
FIRSTS = 60
"""Short answers of a round whose first piece is waited for."""
SCRIPT = {
    "rules": [
        {"when": {"contains": "short"}, "reply": {"text": "one two three"}},
        {"when": {"contains": "long"}, "reply": {"text": "word " * PIECES}},
    ]
}
PRICES = "models: [{model: gpt, maxOutput: 20000, prices: [{input: 1, output: 1}]}]"
ACT = """
import importlib, sys
sys.path.insert(0, {root!r})
reader = importlib.import_module("benchmarks.stream_reader")
self.send_message(text(reader.measure({stub!r}, said, firsts={firsts}, at_once={at_once})))
"""


def stub(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the provider; return it and its base URL."""
    script = folder / "script.yaml"
    script.write_text(json.dumps(SCRIPT))
    command = [sys.executable, "-m", "botyard.cli.main", "model-stub", "--script", str(script), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip().removeprefix("OPENAI_BASE_URL=")


async def rounds(bot: Bot, count: int) -> list[dict[str, Any]]:
    """Return what the turns of a running bot measured, one for each round; a first one only warms up."""
    await bot.start()
    await bot.say("begin", persona="nora")
    for number in range(count + 1):
        await bot.say(f"round {number}", persona="nora")
        await bot.finished(number + 2, timeout=600)
    said = [json.loads(each) for each in (await bot.texts()) if each.startswith("{")]
    assert len(said) == count + 1, await bot.heard()
    return said[1:]


async def measure(count: int) -> dict[str, Any]:
    """Return all figures of one run: medians over the rounds, in which both sides take turns."""
    with running_redis(appendfsync="everysec") as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process, url = stub(folder)
        redis = connect(server.url)
        act = ACT.format(root=str(Path(__file__).parents[1]), stub=url, firsts=FIRSTS, at_once=AT_ONCE)
        nora = PersonaConfig(name="nora", budget=PersonaBudget(daily=10**12, per_thread=10**12))
        bot = Bot(
            redis,
            server.url,
            folder / "bot",
            code=echo(act),
            model=ModelConfig(name="gpt", endpoint=url),
            personas=(nora,),
            files={"config/prices.yaml": PRICES},
        )
        try:
            found = await rounds(bot, count)
        finally:
            bot.stop()
            process.terminate()
            await redis.aclose()
    figures: dict[str, Any] = {}
    for what in found[0]:
        figures[what] = {side: statistics.median(each[what][side] for each in found) for side in ("direct", "metered")}
    first = figures["first_piece_ms"]
    first["added"] = statistics.median(
        each["first_piece_ms"]["metered"] - each["first_piece_ms"]["direct"] for each in found
    )
    for what in ("pieces_per_second_of_one", f"pieces_per_second_of_{AT_ONCE}"):
        costs = [1 - each[what]["metered"] / each[what]["direct"] for each in found]
        figures[what]["cost"] = statistics.median(costs)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    text = json.dumps(asyncio.run(measure(options.rounds)), indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
