"""A workflow bot that runs, as its clients see it."""

import json
from pathlib import Path
from typing import Any

from botyard.contract.bot import Limits
from botyard.contract.model import ModelConfig
from botyard.contract.routes import Route, Routes
from botyard.core.address import BotAddress
from botyard.usage import keys
from botyard.usage.reports import UsageReports
from botyard.usage.writer import UsageWriter
from botyard.workflow.storage import FileStorage
from tests.integration.gateway.chat.client import heard, opened, say
from tests.integration.gateway.system import Stream, System
from tests.integration.runtime.conftest import MakeBot

FLOW = BotAddress("shop", "demo.flow", 8)
CODE = """
import asyncio
import os
from kdcube_ai_app.infra.plugin.agentic_loader import agentic_workflow
from kdcube_ai_app.apps.chat.sdk.solutions.chatbot.entrypoint import BaseEntrypoint
from kdcube_ai_app.infra.accounting import ServiceUsage, track_llm, with_accounting


@track_llm(provider_extractor=lambda *a, **k: "acme", model_extractor=lambda *a, **k: "acme-1",
           usage_extractor=lambda *a, **k: ServiceUsage(input_tokens=2, output_tokens=3))
async def ask():
    return "x"


@agentic_workflow(name="demo.flow", version="1.0.0", priority=100)
class Flow(BaseEntrypoint):
    async def execute_core(self, *, state, thread_id, params):
        text = params["text"]
        if text == "fail":
            raise RuntimeError("the secret is 42")
        if text == "crash" and not os.path.exists(MARK):
            await ask()
            await self.models_service.ask("hi")
            open(MARK, "w").close()
            os.kill(os.getpid(), 9)
        if text == "hang":
            await asyncio.Event().wait()
        async with with_accounting("demo.phase", metadata={"k": 1}):
            await ask()
        answer = await self.models_service.ask("hi")
        for index, piece in enumerate(["Hello! ", "You wrote: ", text]):
            await self.comm.delta(text=piece, index=index, marker="answer")
        await self.comm.step(step="secret_phase", status="completed", title="inner life")
        await self.comm.event(agent="a", type="chat.followups", step="followups", status="completed",
                              title="Next", data={"items": ["More."]}, route="chat.followups")
        return {"final_answer": f"Hello! You wrote: {text}", "followups": ["More."]}
"""


async def started(system: System, make_bot: MakeBot, *, mark: Path = Path("/nowhere"), **limits: Any) -> None:
    """Run the bot, and tell the gateway of it."""
    bot = make_bot(
        code=CODE.replace("MARK", repr(str(mark))),
        address=FLOW,
        programming_model="workflow",
        model=ModelConfig(provider="scripted", name="scripted", script="script.yaml"),
        files={"config/script.yaml": "rules:\n- reply: {text: ok}\n"},
        limits=Limits(**limits),
    )
    await bot.start()
    route = Route(namespace="shop", name="demo.flow", model="workflow", ready=True, partitions=8, default=True)
    system.gateway.table.replace(Routes(routes=(route,)))


async def of_turn(stream: Stream) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a turn, to its end."""
    found: list[tuple[str, dict[str, Any]]] = []
    while not found or found[-1][0] != "chat_complete":
        received = await stream.next(90)
        assert received is not None
        found.append((received.type, json.loads(received.data)))
    return found


async def test_a_turn_from_the_message_to_its_end(system: System, make_bot: MakeBot, tmp_path: Path) -> None:
    await started(system, make_bot)
    await system.redis.set(keys.WANTED, "1")
    async with opened(system, project="p1") as stream:
        ack = await say(system, "hey", bundle_id="demo.flow", conversation_id="conv1", turn_id="turn-1")
        assert ack.status_code == 200, ack.text
        events = await of_turn(stream)
    names = [name for name, _ in events if name not in ("ready", "conv_status")]
    assert names[0] == "chat_start"
    assert [data["text"] for name, data in events if name == "chat_delta"] == ["Hello! ", "You wrote: ", "hey"]
    last = events[-1][1]
    assert last["data"]["final_answer"] == "Hello! You wrote: hey"
    for name, data in events:
        if name not in ("ready", "conv_status"):
            assert data["conversation"] == {"session_id": "sess1", "conversation_id": "conv1", "turn_id": "turn-1"}
            assert data["service"]["user_obj"]["user_type"] == "registered"
            assert "delivery" not in data
    # What is routed reaches everybody, the inner life does not.
    assert [data["type"] for name, data in events if name == "chat_step"] == ["chat.followups"]
    rows = await UsageReports(system.redis).day(FLOW, last["timestamp"][:10])
    assert {(row.component, row.model): row.sums["tokens"] for row in rows}[("demo.phase", "acme-1")] == 5
    assert {row.component for row in rows} == {"demo.phase", "chat.orchestrator"}
    assert await UsageWriter(system.redis, FileStorage(tmp_path), lambda: [FLOW]).drain(FLOW) == 2
    paths = list(FileStorage(tmp_path).walk())
    assert any("/llm/demo.phase/usage_" in path for path in paths)


async def test_the_default_bundle_answers_where_none_is_named(system: System, make_bot: MakeBot) -> None:
    await started(system, make_bot)
    async with opened(system) as stream:
        await say(system, "hey", bundle_id=None)
        assert (await of_turn(stream))[-1][1]["data"]["final_answer"] == "Hello! You wrote: hey"


async def test_a_run_that_raises_is_one_error_without_a_traceback(system: System, make_bot: MakeBot) -> None:
    await started(system, make_bot)
    async with opened(system) as stream:
        await say(system, "fail", bundle_id=None, conversation_id="c1")
        events = await of_turn(stream)
    errors = [data for name, data in events if name == "chat_error"]
    assert len(errors) == 1
    assert "Traceback" not in json.dumps(events)


async def test_a_run_beyond_its_deadline_is_one_error(system: System, make_bot: MakeBot) -> None:
    await started(system, make_bot, turn_timeout_seconds=1.0)
    async with opened(system) as stream:
        await say(system, "hang", bundle_id=None, conversation_id="c1")
        events = await of_turn(stream)
        errors = [data for name, data in events if name == "chat_error"]
        assert [error["data"]["kind"] for error in errors] == ["TurnTimeout"]
        await say(system, "hey", bundle_id=None, conversation_id="c1")
        assert (await of_turn(stream))[-1][1]["data"]["final_answer"] == "Hello! You wrote: hey"


async def test_privileged_users_see_the_inner_life(system: System, make_bot: MakeBot) -> None:
    await started(system, make_bot)
    async with opened(system, user="channel") as stream:
        await say(system, "hey", user="channel", bundle_id="demo.flow")
        steps = [data["event"]["step"] for name, data in await of_turn(stream) if name == "chat_step"]
    assert "secret_phase" in steps
    assert "accounting" in steps


async def test_usage_goes_to_the_turn_of_the_platform(system: System, make_bot: MakeBot) -> None:
    await started(system, make_bot)
    async with opened(system) as stream:
        for _ in range(2):
            await say(system, "hey", bundle_id=None, conversation_id="c1")
            await of_turn(stream)
        _, status = await heard_status(system, stream)
    assert status["state"] == "idle"


async def heard_status(system: System, stream: Stream) -> tuple[str, dict[str, Any]]:
    """Ask what the conversation is at, and return what the stream says."""
    answer = await system.http.post(
        "/sse/conv_status.get",
        params={"stream_id": "s1", "user_session_id": "sess1", "tenant": "shop", "bearer_token": "token-of-ann"},
        json={"conversation_id": "c1"},
    )
    assert answer.status_code == 200, answer.text
    while True:
        received, data = await heard(stream, "conv_status")
        if data["data"]["state"] == "idle":
            return received.type, dict(data["data"])


async def test_no_use_of_a_service_is_lost_or_counted_twice_when_a_worker_is_killed(
    system: System, make_bot: MakeBot, tmp_path: Path
) -> None:
    await started(system, make_bot, mark=tmp_path / "crashed")
    async with opened(system) as stream:
        await say(system, "crash", bundle_id=None, conversation_id="c1")
        events = await of_turn(stream)
        last = events[-1][1]
    assert last["data"].get("final_answer") == "Hello! You wrote: crash", json.dumps(events)
    rows = await UsageReports(system.redis).day(FLOW, last["timestamp"][:10])
    calls = {(row.component, row.model): row.sums["calls"] for row in rows}
    # The bundle's own service was used before the crash and after it; the platform's answer was told again.
    assert calls[("chat.orchestrator", "acme-1")] == 1
    assert calls[("demo.phase", "acme-1")] == 1
    assert calls[("chat.orchestrator", "scripted")] == 1
