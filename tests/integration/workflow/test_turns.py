"""Workflow bundles on real replicas: what their users get, also where the bundle misbehaves."""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from botyard.contract.bot import Limits
from botyard.contract.model import ModelConfig, ModelTarget
from botyard.core.connection import connect
from botyard.usage import keys
from botyard.usage.reports import UsageReports
from tests.integration.redis.server import running_redis
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

CODE = """
import asyncio, os, sys, time
from pathlib import Path
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint


@agentic_workflow(name="demo.actor", version="1.0.0", priority=100)
class Actor(BaseEntrypoint):
    async def execute_core(self, *, state, thread_id, params):
        await self.comm.step(step="workflow_start", status="started", title="Starting")
        return await getattr(self, "do_" + params["text"].split()[0])(state, params)

    async def do_hello(self, state, params):
        for index, word in enumerate(["Good ", "day"]):
            await self.comm.delta(text=word, index=index)
        await self.comm.event(agent="a", type="chat.files", route="chat.files", data={"items": []})
        return {"final_answer": "Good day", "followups": ["Again."]}

    async def do_history(self, state, params):
        return {"final_answer": " ".join(m["content"] for m in state["history"]) or "nothing"}

    async def do_raise(self, state, params):
        secret = "not for users"
        raise LookupError("no such recipe")

    async def do_exit(self, state, params):
        sys.exit("enough")

    async def do_hang(self, state, params):
        await self.comm.delta(text="wait", index=0)
        time.sleep(600)

    async def do_forget(self, state, params):
        for index in range(50):
            self.comm.delta(text=str(index), index=index)
        return {"final_answer": "sent"}

    async def do_late(self, state, params):
        async def later():
            await asyncio.sleep(0.2)
            await self.comm.delta(text="too late", index=9)
        self.task = asyncio.create_task(later())
        return {"final_answer": "done"}

    async def do_flood(self, state, params):
        for index in range(1600):
            await self.comm.delta(text="x" * 65536, index=index)
        return {"final_answer": "never"}

    async def do_huge(self, state, params):
        await self.comm.delta(text="x" * 100_000_000, index=0)

    async def do_object(self, state, params):
        await self.comm.step(step="s", status="started", data={"who": self})

    async def do_result(self, state, params):
        return {"final_answer": "x", "step_logs": [object()]}

    async def do_threads(self, state, params):
        def work():
            async def say():
                await self.comm.delta(text="from a thread", index=0)
            asyncio.run(say())
        await asyncio.to_thread(work)
        return {"final_answer": "ok"}

    async def do_die(self, state, params):
        mark = Path(params["text"].split()[1])
        await self.comm.delta(text="once", index=0)
        if not mark.exists():
            mark.touch()
            os._exit(7)
        return {"final_answer": "survived"}

    async def do_slow(self, state, params):
        for index in range(20):
            await self.comm.delta(text=str(index), index=index)
            await asyncio.sleep(0.1)
        return {"final_answer": "slow"}

    async def do_props(self, state, params):
        return {"final_answer": str(self.bundle_props.get("mood"))}

    async def do_embed(self, state, params):
        near, far, same = await self.models_service.embed(["bees fly", "tax forms", "bees fly"], dimensions=16)
        alone = await self.models_service.embed("bees fly", role="index.deep", dimensions=16)
        assert (len(near), near == same, near == far, alone) == (16, True, False, [near])
        return {"final_answer": "embedded"}

    async def do_ask(self, state, params):
        pieces = []
        async for piece in self.models_service.stream("Tell me", role="solver.deep"):
            await self.comm.delta(text=piece, index=len(pieces))
            pieces.append(piece)
        other = await self.models_service.ask("Tell me", role="unknown.role")
        return {"final_answer": "".join(pieces) + "|" + other.text}
"""


async def events(bot: Bot, text: str, conversation: str = "c1", **payload: Any) -> list[dict[str, Any]]:
    """Say something and return what the conversation said until that turn was committed."""
    before = len(await bot.heard(conversation))
    await bot.say(text, conversation, **payload)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        said = (await bot.heard(conversation))[before:]
        if any(each["type"] == "chat.complete" for each in said):
            return said
        await asyncio.sleep(0.02)
    raise AssertionError(f"no end of the turn: {[each['type'] for each in said]}")


def kinds(said: list[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in said]


def only_error(said: list[dict[str, Any]]) -> dict[str, Any]:
    [error] = [each for each in said if each["type"] == "chat.error"]
    assert said[-1]["type"] == "chat.complete"
    assert said[-1]["data"]["state"] == "failed"
    assert "final_answer" not in said[-1]["data"]
    data: dict[str, Any] = error["data"]
    return data


@pytest.fixture
async def bot(make_bot: MakeBot) -> Bot:
    made = make_bot(code=CODE, programming_model="workflow")
    await made.start()
    return made


async def test_events_come_in_their_order_and_the_result_with_the_commit(bot: Bot) -> None:
    said = await events(bot, "hello", user="ada")
    assert kinds(said) == ["chat.start", "chat.step", "chat.delta", "chat.delta", "chat.files", "chat.complete"]
    assert [each["text"] for each in said if each["type"] == "chat.delta"] == ["Good ", "day"]
    complete = said[-1]
    assert complete["event"] == {
        "step": "stream",
        "status": "completed",
        "agent": "answer_generator",
        "title": "Turn Completed",
    }
    assert complete["data"]["final_answer"] == "Good day"
    assert complete["data"]["followups"] == ["Again."]
    assert complete["data"]["committed"] is True
    assert complete["data"]["user"] == "ada"
    assert complete["service"]["tenant"] == complete["data"]["tenant"] == "shop"
    assert complete["service"]["project"] == complete["data"]["project"] == "echo"
    assert "data" not in said[2]


async def test_a_conversation_knows_what_it_said(bot: Bot) -> None:
    assert (await events(bot, "history"))[-1]["data"]["final_answer"] == "nothing"
    assert (await events(bot, "hello"))[-1]["data"]["final_answer"] == "Good day"
    assert (await events(bot, "history"))[-1]["data"]["final_answer"] == "history nothing hello Good day"
    assert (await events(bot, "history", "c2"))[-1]["data"]["final_answer"] == "nothing"


async def test_a_run_that_raises_is_one_error_and_a_line_in_the_log(bot: Bot) -> None:
    said = await events(bot, "raise")
    error = only_error(said)
    assert error == {"kind": "LookupError", "message": "no such recipe"}
    everything = json.dumps(said)
    assert "Traceback" not in everything
    assert "not for users" not in everything
    log = bot.replicas[0].log.read_text()
    assert "LookupError" in log
    assert "bot.py" in log
    assert (await events(bot, "hello"))[-1]["data"]["final_answer"] == "Good day"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("exit", "SystemExit", "enough"),
        ("object", "NotSerializable", "data.who is a"),
        ("result", "NotSerializable", "the result.step_logs[0] is a builtins.object"),
        ("huge", "TooMuchSent", "1048576 are allowed"),
        ("nothing-like-that", "AttributeError", "do_nothing"),
    ],
)
async def test_what_a_bundle_does_wrong_is_one_clear_error(bot: Bot, text: str, kind: str, message: str) -> None:
    error = only_error(await events(bot, text))
    assert error["kind"] == kind
    assert message in error["message"]


async def test_a_flood_of_deltas_ends_its_turn_and_nobody_elses(bot: Bot) -> None:
    flood, calm = await asyncio.gather(events(bot, "flood"), events(bot, "hello", "calm"))
    assert only_error(flood)["kind"] == "TooMuchSent"
    assert calm[-1]["data"]["final_answer"] == "Good day"


async def test_a_run_past_its_deadline_is_one_error(make_bot: MakeBot) -> None:
    bot = make_bot(code=CODE, programming_model="workflow", limits=Limits(turn_timeout_seconds=3))
    await bot.start()
    said = await events(bot, "hang")
    error = only_error(said)
    assert error["kind"] == "TurnTimeout"
    assert Counter(kinds(said))["chat.delta"] == 1
    assert (await events(bot, "hello"))[-1]["data"]["final_answer"] == "Good day"


async def test_deltas_that_nobody_awaits_arrive_in_their_order(bot: Bot) -> None:
    said = await events(bot, "forget")
    assert [each["idx"] for each in said if each["type"] == "chat.delta"] == list(range(50))


async def test_what_comes_after_the_end_of_a_turn_is_dropped(bot: Bot) -> None:
    assert kinds(await events(bot, "late")) == ["chat.start", "chat.step", "chat.complete"]
    await asyncio.sleep(0.5)
    assert kinds(await bot.heard())[-1] == "chat.complete"
    assert (await events(bot, "hello"))[-1]["data"]["final_answer"] == "Good day"


async def test_a_thread_with_a_loop_of_its_own_may_speak(bot: Bot) -> None:
    assert "from a thread" in [each.get("text") for each in await events(bot, "threads")]


async def test_a_turn_whose_process_dies_is_run_again_and_committed_once(bot: Bot) -> None:
    said = await events(bot, f"die {bot.folder / 'mark'}")
    assert Counter(kinds(said))["chat.complete"] == 1
    assert said[-1]["data"]["final_answer"] == "survived"
    assert "turn.restarted" in kinds(said)
    assert [each["attempt"] for each in said if each["type"] == "chat.delta"] == [1, 2]


async def test_properties_change_while_the_bundle_runs(bot: Bot) -> None:
    assert (await events(bot, "props"))[-1]["data"]["final_answer"] == "None"
    bot.config = {"mood": "glad"}
    bot.write()
    deadline = time.monotonic() + 90
    while (answer := (await events(bot, "props"))[-1]["data"]["final_answer"]) != "glad":
        assert time.monotonic() < deadline, answer
        await asyncio.sleep(0.2)


async def test_models_are_those_of_the_bot_by_role(make_bot: MakeBot) -> None:
    bot = make_bot(
        code=CODE,
        programming_model="workflow",
        model=ModelConfig(
            provider="scripted",
            name="base",
            script="base.yaml",
            roles={"solver": ModelTarget(provider="scripted", name="solver", script="solver.yaml")},
        ),
        files={
            "config/base.yaml": "rules: [{reply: {text: from the base}}]",
            "config/solver.yaml": "rules: [{reply: {text: from the solver}}]",
        },
    )
    await bot.start()
    said = await events(bot, "ask")
    assert said[-1]["data"].get("final_answer") == "from the solver|from the base", only_error(said)
    assert "".join(each["text"] for each in said if each["type"] == "chat.delta") == "from the solver"


async def test_texts_are_embedded_and_told_to_accounting(make_bot: MakeBot, redis_client: Redis) -> None:
    bot = make_bot(
        code=CODE,
        programming_model="workflow",
        model=ModelConfig(provider="scripted", name="base", script="base.yaml"),
        files={"config/base.yaml": "rules: [{reply: {text: ok}}]"},
    )
    await redis_client.set(keys.WANTED, "1")
    await bot.start()
    said = await events(bot, "embed")
    assert said[-1]["data"].get("final_answer") == "embedded", only_error(said)
    rows = await UsageReports(redis_client).day(bot.address, said[-1]["timestamp"][:10])
    (row,) = rows
    assert (row.service_type, row.component, row.model) == ("embedding", "chat.orchestrator", "base")
    assert {name: row.sums[name] for name in ("calls", "input", "tokens")} == {"calls": 2, "input": 9, "tokens": 9}


async def test_identity_and_session_are_the_channels(bot: Bot) -> None:
    user = {"user_type": "paid", "user_id": "ada", "username": "Ada", "roles": ["r"]}
    chat = {"session_id": "sess1", "request_id": "req1", "tenant": "t1", "project": "p1", "user": user}
    said = await events(bot, "hello", chat=chat)
    for each in said:
        assert each["conversation"]["session_id"] == "sess1"
        assert each["service"]["request_id"] == "req1"
        assert (each["service"]["tenant"], each["service"]["project"]) == ("t1", "p1")
        assert each["service"]["user_obj"]["user_type"] == "paid"
    assert said[-1]["data"]["project"] == "p1"


async def test_redis_that_is_away_mid_turn_costs_nothing(tmp_path: Path) -> None:
    with running_redis(appendfsync="always") as redis:
        bot = Bot(connect(redis.url), redis.url, tmp_path, code=CODE, programming_model="workflow")
        try:
            (replica,) = await bot.start()
            await events(bot, "hello")
            await bot.say("slow")
            await replica.until(lambda: "botyard_turns_running 1.0" in replica.get("/metrics")[1])
            redis.kill()
            await replica.until(lambda: "Redis does not answer" in replica.log.read_text())
            redis.start()
            await bot.finished(2)
            said = await bot.heard()
            last = max(index for index, each in enumerate(said) if each["type"] == "chat.start")
            told = [each["idx"] for each in said[last:] if each["type"] == "chat.delta"]
            assert told == list(range(20))
            assert said[-1]["data"]["final_answer"] == "slow"
            assert Counter(kinds(said))["chat.complete"] == 2
        finally:
            bot.stop()
