"""A thread with a model, parallel tools, a subchat and a confirmation, its replica killed at every named point.

What was journaled is never asked again: counted at the model and in the ledger of the tools. What was not journaled is
asked once more, under the same idempotence key. The points are exact: a proxy in front of Redis kills the replica just
before a write reaches Redis, or just after it is done and before the replica learns it. BOTYARD_KILLS=all kills at all
of them; without it at those of which each stands for a kind. `test_chaos_loop.py` does the same at random places.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis.asyncio import Redis

from botyard.contract.bot import Limits
from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from tests.integration.models.double import DONE, Provider, piece, running, usage
from tests.integration.redis.breakpoints import Breakpoint, Breakpoints, breakpoints
from tests.integration.redis.server import RedisServer
from tests.integration.runtime.replica import Bot, Replica

CODE = """
import asyncio
from pathlib import Path
from flexus_client_kit import ckit_ask_model, ckit_bot_exec, ckit_client, ckit_cloudtool, ckit_shutdown
from botyard.loop import CloudTool, FMarketplaceExpertInput, ToolResult
from botyard.loop.install import record

NAMED = {"type": "object", "properties": {"name": {"type": "string"}}}
TOOLS = [CloudTool(strict=False, name=name, description=name, parameters=NAMED) for name in ("look", "ask", "write")]


def install(client, name, version, tools):
    record({"marketable_experts": [("default", FMarketplaceExpertInput(fexp_system_prompt="You are a clerk."))]})


async def main_loop(fclient, rcx):
    def note(call, name):
        with Path("LEDGER").open("a") as file:
            file.write(f"{name} {call.fcall_untrusted_key}\\n")

    @rcx.on_tool_call("look")
    async def look(call, args):
        note(call, args["name"])
        return ToolResult("saw " + args["name"])

    @rcx.on_tool_call("ask")
    async def ask(call, args):
        raise ckit_cloudtool.WaitForSubchats(await ckit_ask_model.bot_subchat_create_multiple(
            fclient, "clerk", rcx.persona.persona_id, ["advise " + args["name"]], ["null"], ["Advice"], call.fcall_id))

    @rcx.on_tool_call("write")
    async def write(call, args):
        if not call.confirmed_by_human:
            raise ckit_cloudtool.NeedsConfirmation(confirm_command="write", confirm_explanation="It writes.")
        note(call, args["name"])
        return ToolResult("wrote " + args["name"])

    while not ckit_shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=10.0)


def main():
    asyncio.run(ckit_bot_exec.run_bots_in_this_group(
        ckit_client.FlexusClient("clerk_100000000"), marketable_name="clerk", marketable_version_str="1.0.0",
        bot_main_loop=main_loop, inprocess_tools=TOOLS, install_func=install))
"""
PUT, COMMITS = ("journal_put",), ("commit", "commit_and_begin")
POINTS = {
    "model-before": Breakpoint("before", PUT, b"X.write"),
    "model-after": Breakpoint("after", PUT, b"X.write"),
    "streaming": None,
    "first-tool-before": Breakpoint("before", PUT, b"saw X.a"),
    "second-tool-after": Breakpoint("after", PUT, b"saw X.b"),
    "waiting-commit-before": Breakpoint("before", COMMITS, b"thread.confirmation"),
    "waiting-commit-after": Breakpoint("after", COMMITS, b"thread.confirmation"),
    "subchat-before": Breakpoint("before", PUT, b"advised X"),
    "subchat-commit-after": Breakpoint("after", COMMITS, b"advised X"),
    "confirmed-tool-before": Breakpoint("before", PUT, b"wrote X.write"),
    "confirmed-tool-after": Breakpoint("after", PUT, b"wrote X.write"),
    "answer-before": Breakpoint("before", PUT, b"done X"),
    "answer-after": Breakpoint("after", PUT, b"done X"),
    "last-commit-before": Breakpoint("before", COMMITS, b"done X"),
    "last-commit-after": Breakpoint("after", COMMITS, b"done X"),
}
"""Where the replica is killed, X being the thread; `streaming` is in the midst of the last answer."""
USUAL = (
    "model-after",
    "streaming",
    "second-tool-after",
    "waiting-commit-after",
    "confirmed-tool-before",
    "answer-after",
)
CHOSEN = POINTS if os.environ.get("BOTYARD_KILLS") == "all" else {point: POINTS[point] for point in USUAL}
AGAIN = {
    "model-before": {"model X.1"},
    "streaming": {"model X.2"},
    "subchat-before": {"model X.advice"},
    "confirmed-tool-before": {"X.write"},
    "answer-before": {"model X.2"},
    # Handlers run one after the other while results are journaled: the second may have run by then, too.
    "first-tool-before": {"X.a", "X.b"},
}
"""What may be asked once more, because its answer was lost before it was journaled. Nothing else may."""
CALLS = ("model X.1", "X.a", "X.b", "model X.advice", "X.write", "model X.2")


@dataclass
class Bench:
    """One bot with two replicas at any time, one of them ready to take over."""

    bot: Bot
    ledger: Path
    proxy: Breakpoints | None = None
    asked: list[str] = field(default_factory=list)
    """What the model was asked."""
    streaming: str = ""
    """The thread whose last answer is to break off with its replica."""
    began: list["asyncio.Task[list[Replica]]"] = field(default_factory=list)

    def strike(self, process: int) -> None:
        """Kill the replica of a supervisor, and begin another one."""
        [replica] = [each for each in self.bot.replicas if each.supervisor.pid == process]
        replica.kill()
        self.began.append(asyncio.create_task(self.bot.start(1)))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """A model that calls four tools at once, advises, and says that it is done."""
        messages = (await request.json())["messages"]
        [first] = [message["content"] for message in messages if message["role"] == "user"]
        word, name = str(first).split()
        last = messages[-1]["role"] == "tool"
        self.asked.append(f"model {name}.{'advice' if word == 'advise' else 2 if last else 1}")
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        if word == "advise":
            parts = [piece(f"advised {name}")]
        elif last:
            parts = [piece("done "), piece(name)]
        else:
            wanted = [("look", "a"), ("look", "b"), ("ask", ""), ("write", "write")]
            calls = [
                {"index": number, "id": str(number), "type": "function",
                 "function": {"name": tool, "arguments": json.dumps({"name": f"{name}.{what}" if what else name})}}
                for number, (tool, what) in enumerate(wanted)
            ]  # fmt: skip
            delta = {"choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}
            parts = [b"data: " + json.dumps(delta).encode() + b"\n\n"]
        await response.write(parts[0])
        if last and self.streaming == name and self.proxy is not None:
            self.streaming = ""
            self.strike(self.proxy.last)
            return response
        for part in (*parts[1:], usage(5, 2), DONE):
            await response.write(part)
        return response

    async def talk(self, name: str) -> list[tuple[str, Any]]:
        """Say something in a thread, allow what it asks for, and return what was said once it is done."""
        key, sent = f"nora~{name}", False
        await self.bot.say(f"go {name}", key)
        async with asyncio.timeout(180):
            while True:
                heard = await self.bot.heard(key)
                said = [(e["data"]["role"], e["data"]["content"]) for e in heard if e["type"] == "thread.message"]
                if said and said[-1] == ("assistant", f"done {name}"):
                    return said
                asked = [e["data"]["call"] for e in heard if e["type"] == "thread.confirmation"]
                if asked and not sent:
                    sent = True
                    payload = {"action": "call.confirm", "call": asked[0], "allow": True}
                    await self.bot.inbox.accept(self.bot.address, key=key, kind="action", payload=payload, user="ada")
                await asyncio.sleep(0.02)

    def made(self) -> list[tuple[str, str]]:
        """Calls of tools that were made, and under which key."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [(name, key) for name, _, key in (line.partition(" ") for line in lines)]


@pytest.fixture
async def bench(redis_client: Redis, redis_server: RedisServer, tmp_path: Path) -> AsyncIterator[Bench]:
    ledger = tmp_path / "ledger"
    async with running() as double:
        provider: Provider = double
        bot = Bot(
            redis_client, redis_server.url, tmp_path / "bot", code=CODE.replace("LEDGER", str(ledger)),
            programming_model="loop", personas=(PersonaConfig(name="nora"),),
            model=ModelConfig(name="gpt", endpoint=provider.url),
            files={"config/prices.yaml": "models: [{model: gpt, prices: [{input: 1, output: 1}], max_output: 50}]"},
            lease_ms=1000, limits=Limits(max_attempts=15),
        )  # fmt: skip
        bench = Bench(bot, ledger)
        provider.next = [bench.answer]
        async with breakpoints(redis_server.socket, tmp_path, bench.strike) as (proxy, url):
            bench.proxy, bot.redis_url = proxy, url
            bot.write()
            await bot.start(2)
            yield bench
            await asyncio.gather(*bench.began, return_exceptions=True)
            bot.stop()


@pytest.mark.timeout(600)
async def test_nothing_that_was_journaled_is_asked_again(bench: Bench) -> None:
    """All points one after the other on one bot: a fresh replica stands by, as a Deployment's would."""
    assert bench.proxy is not None
    # Redis learns the scripts that write; at first it answers that it does not know them.
    await bench.talk("warm")
    for point, place in CHOSEN.items():
        name = point.replace("-", "")
        if place is None:
            bench.streaming = name
        else:
            bench.proxy.at(Breakpoint(place.when, place.scripts, place.contains.replace(b"X", name.encode())))
        said = await bench.talk(name)
        assert bench.proxy.reached, f"{point} was never reached"
        assert not bench.streaming, f"{point} was never reached"

        results = sorted(content for role, content in said if role == "tool")
        assert results == [f"advised {name}", f"saw {name}.a", f"saw {name}.b", f"wrote {name}.write"], point
        assert said[0] == ("user", f"go {name}")
        assert len(said) == 7, f"{point}: {said}"
        asked = Counter([*bench.asked, *(made for made, _ in bench.made())])
        again = {each.replace("X", name) for each in AGAIN.get(point, ())}
        for call in (each.replace("X", name) for each in CALLS):
            assert asked[call] in ((1, 2) if call in again else (1,)), f"{point}: {call} {asked[call]} times"
        keys = dict(bench.made())
        assert all(keys[made] == key for made, key in bench.made()), f"{point}: a call made again has its own key"
        # One stands by before the next one is struck.
        await asyncio.gather(*bench.began)
