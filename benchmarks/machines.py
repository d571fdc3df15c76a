"""`run_machine` beside the published library, and ten thousand sessions on one replica, in one run.

    python -m benchmarks.machines [--seconds 3] [--sessions 10000] [--library PYTHON] [--json FILE]

Both sides of the first part run the same bot of 30 states (`BOT`) in a process of their own, in turns of two states;
they take turns three times and the best of each counts. The published side is a Python that has `jb-manager-bot`: the
one that `--library` names, or a virtual environment that is made for this run and thrown away.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from benchmarks.pods import compile_code, memory
from botyard.contract.bot import Limits
from botyard.core.connection import connect
from tests.integration.redis.server import running_redis
from tests.integration.runtime.replica import Bot, echo

RELEASE = "jb-manager-bot==0.2.4"
ROUNDS = 3
AT_ONCE = 256
"""Messages that are sent at the same time; the event store holds the rest."""

BOT = """
import json, sys, time
from jb_manager_bot import AbstractFSM
from jb_manager_bot.abstract_fsm import Variables
from jb_manager_bot.data_models import FSMIntent, FSMOutput, Message, MessageType, Status, TextMessage

PAIRS = 14  # with zero and end: 30 states

class Asked(Variables):
    count: int = 0
    last: str = ""

def ask(self):
    self.status = Status.WAIT_FOR_ME
    body = TextMessage(body=f"Question {self.variables.count}?")
    message = Message(message_type=MessageType.TEXT, text=body)
    self.send_message(FSMOutput(intent=FSMIntent.SEND_MESSAGE, message=message))
    self.status = Status.WAIT_FOR_USER_INPUT

def take(self):
    self.status = Status.WAIT_FOR_ME
    self.variables.count += 1
    self.variables.last = self.current_input
    self.status = Status.MOVE_FORWARD

def over(self):
    return self.variables.count < 0

def construct(self, send_message, credentials=None):
    self.credentials = credentials or {}
    AbstractFSM.__init__(self, send_message=send_message)

states = ["zero", *(f"{kind}{n}" for n in range(PAIRS) for kind in ("ask", "take")), "end"]
transitions = [{"source": "zero", "dest": "ask0", "trigger": "next"}]
for n in range(PAIRS):
    transitions.append({"source": f"ask{n}", "dest": f"take{n}", "trigger": "next"})
    transitions.append({"source": f"take{n}", "dest": "end", "trigger": "next", "conditions": "over"})
    transitions.append({"source": f"take{n}", "dest": f"ask{(n + 1) % PAIRS}", "trigger": "next"})
handlers = {f"on_enter_{kind.__name__}{n}": kind for n in range(PAIRS) for kind in (ask, take)}
Questions = type("Questions", (AbstractFSM,), {
    "states": states, "transitions": transitions, "conditions": {"over"}, "output_variables": set(),
    "variable_names": Asked, "over": over, "__init__": construct, **handlers,
})

said = []
state = Questions.run_machine(said.append, user_input="reset", credentials={}, state=None)
seconds, turns, started = float(sys.argv[1]), 0, time.perf_counter()
while (taken := time.perf_counter() - started) < seconds:
    state = Questions.run_machine(said.append, user_input="yes", credentials={}, state=json.loads(json.dumps(state)))
    turns += 1
assert len(said) == turns + 1 and state["main"]["variables"] == {"count": turns, "last": "yes"}, state
print(turns / taken)
"""


def turns_per_second(python: str, seconds: float) -> float:
    """Return what one process of this Python manages."""
    done = subprocess.run([python, "-c", BOT, str(seconds)], check=True, capture_output=True, text=True)
    return float(done.stdout)


def published(folder: Path) -> str:
    """Return a Python in `folder` that has the published library."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", RELEASE], check=True)
    return python


def beside_the_library(library: str, seconds: float) -> dict[str, Any]:
    """Return the turns a second of both sides, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        other = library or published(Path(folder))
        rounds = [(turns_per_second(sys.executable, seconds), turns_per_second(other, seconds)) for _ in range(ROUNDS)]
    own, theirs = max(mine for mine, _ in rounds), max(its for _, its in rounds)
    return {"turns_per_second": own, "published_turns_per_second": theirs, "times_published": own / theirs}


async def many_sessions(sessions: int) -> dict[str, Any]:
    """Return the memory of a replica, its worker host and workers in MB: idle, and after so many live sessions."""
    with running_redis() as server, tempfile.TemporaryDirectory() as folder:
        redis = connect(server.url)
        bot = Bot(redis, server.url, Path(folder), code=echo(), limits=Limits(concurrency=64), lease_ms=60_000)
        try:
            (replica,) = await bot.start()
            await _all_say(bot, "warm", AT_ONCE, "reset")
            idle = memory(replica)["together"]
            for text in ("reset", "one", "two"):
                await _all_say(bot, "session", sessions, text)
            full = memory(replica)["together"]
            assert await bot.texts(f"session-{sessions - 1}") == ["1: one", "2: two"]
        finally:
            bot.stop()
            await redis.aclose()
    return {"sessions": sessions, "idle_mb": idle, "mb": full}


async def _all_say(bot: Bot, name: str, sessions: int, text: str) -> None:
    for start in range(0, sessions, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, sessions))
        await asyncio.gather(*(bot.say(text, f"{name}-{number}") for number in numbers))
    while await bot.inbox.pending(bot.address):
        await asyncio.sleep(0.05)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3, help="of each run")
    parser.add_argument("--sessions", type=int, default=10_000, help="0: leave that part out")
    parser.add_argument("--library", default="", help="a Python that has the published library")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    compile_code()
    figures: dict[str, Any] = {"run_machine": beside_the_library(given.library, given.seconds)}
    if given.sessions:
        figures["memory"] = asyncio.run(many_sessions(given.sessions))
    text = json.dumps(figures, indent=2)
    if given.json:
        given.json.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
