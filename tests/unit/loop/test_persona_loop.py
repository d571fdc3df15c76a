"""A Persona's loop: entered, entered again after failures, given a fresh context for a changed setup, ended."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from botyard.loop import effects, shutdown
from botyard.loop.context import RobotContext
from botyard.loop.declaration import BotDeclaration
from botyard.loop.loop_health import LoopHealth
from botyard.loop.parking import LoopEnded, Parked
from botyard.loop.persona_loop import PersonaLoop
from botyard.loop.personas import FPersonaOutput
from botyard.loop.tools import FCloudtoolCall

Main = Callable[[Any, RobotContext], Awaitable[None]]
NORA = FPersonaOutput("nora", persona_setup={"limit": 1})


class Stage:
    """Starts loops and ends them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.health: list[LoopHealth] = []
        self.loops: list[PersonaLoop] = []
        self.posted: list[tuple[str, dict[str, Any]]] = []

    async def post(self, key: str, payload: dict[str, Any]) -> None:
        self.posted.append((key, payload))

    def start(self, main: Main, persona: FPersonaOutput = NORA) -> PersonaLoop:
        bot = BotDeclaration("bot", "", main, (), None, (), "document", None)
        loop = PersonaLoop(
            bot, persona, workdir=self.folder, told=self.health.append, post=self.post, first_pause=0.01, steady_after=5
        )
        self.loops.append(loop)
        loop.start()
        return loop

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.sleep(0.01)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path / "work/nora")
    yield stage
    for loop in stage.loops:
        loop.stop()
    for loop in stage.loops:
        await asyncio.to_thread(loop.join, 60)


async def serve(rcx: RobotContext) -> None:
    while not shutdown.shutdown_event.is_set():
        await rcx.unpark_collected_events(sleep_if_no_work=3600)


async def test_events_reach_the_handlers_in_the_persona_s_own_thread(stage: Stage) -> None:
    seen: list[tuple[str, str]] = []

    async def main(client: Any, rcx: RobotContext) -> None:
        @rcx.on_updated_task
        async def on_task(task: str) -> None:
            seen.append((task, threading.current_thread().name))

        await serve(rcx)

    loop = stage.start(main)
    await loop.deliver(Parked("task", ("INSERT", None, "a"), "e1"))
    assert seen == [("a", "persona nora")]
    assert Path(loop.context.workdir if loop.context else "").is_dir()


async def test_a_loop_that_fails_is_entered_again_with_the_same_context_and_tells(stage: Stage) -> None:
    contexts: list[RobotContext] = []

    async def main(client: Any, rcx: RobotContext) -> None:
        contexts.append(rcx)
        if len(contexts) < 3:
            raise KeyError("of the bot")
        await serve(rcx)

    stage.start(main)
    await stage.until(lambda: LoopHealth("running") in stage.health)
    # It counts as well again once it has run steadily, not as soon as it runs.
    assert [(health.state, health.failures) for health in stage.health] == [
        ("failing", 1),
        ("failing", 2),
        ("running", 2),
        ("running", 0),
    ]
    assert stage.health[0].message == "KeyError: 'of the bot'"
    assert contexts[0] is contexts[1] is contexts[2]


async def test_a_main_loop_that_returns_is_entered_again(stage: Stage) -> None:
    async def main(client: Any, rcx: RobotContext) -> None:
        return

    stage.start(main)
    await stage.until(lambda: len(stage.health) >= 2)
    assert stage.health[0] == LoopHealth("failing", 1, "the main loop returned")


async def test_a_bot_that_exits_ends_neither_the_process_nor_others(stage: Stage) -> None:
    async def exits(client: Any, rcx: RobotContext) -> None:
        raise SystemExit(3)

    async def main(client: Any, rcx: RobotContext) -> None:
        await serve(rcx)

    stage.start(exits)
    other = stage.start(main, FPersonaOutput("oslo"))
    await stage.until(lambda: any(health.state == "failing" for health in stage.health))
    await other.deliver(Parked("task", ("INSERT", None, "a"), "e1"))


async def test_a_bot_that_blocks_holds_up_only_its_own_persona(stage: Stage) -> None:
    release = threading.Event()

    async def blocks(client: Any, rcx: RobotContext) -> None:
        release.wait(60)

    async def main(client: Any, rcx: RobotContext) -> None:
        @rcx.on_updated_task
        async def on_task(task: str) -> None:
            release.set()

        await serve(rcx)

    stage.start(blocks)
    other = stage.start(main, FPersonaOutput("oslo"))
    await other.deliver(Parked("task", ("INSERT", None, "a"), "e1"))
    assert release.is_set()


async def test_a_changed_setup_gives_a_fresh_context(stage: Stage) -> None:
    contexts: list[RobotContext] = []

    async def main(client: Any, rcx: RobotContext) -> None:
        contexts.append(rcx)
        await serve(rcx)

    loop = stage.start(main)
    await stage.until(lambda: LoopHealth("running") in stage.health)
    await loop.update(replace(NORA, persona_setup={"limit": 2}))
    await stage.until(lambda: len(contexts) == 2)
    assert [rcx.persona.persona_setup["limit"] for rcx in contexts] == [1, 2]
    assert contexts[1].latest_tasks is contexts[0].latest_tasks, "what was known stays known"


async def test_another_change_of_the_persona_keeps_the_context(stage: Stage) -> None:
    contexts: list[RobotContext] = []

    async def main(client: Any, rcx: RobotContext) -> None:
        contexts.append(rcx)
        await serve(rcx)

    loop = stage.start(main)
    await stage.until(lambda: LoopHealth("running") in stage.health)
    await loop.update(replace(NORA, persona_daily_coins=7))
    await stage.until(lambda: contexts[0].persona.persona_daily_coins == 7)
    assert len(contexts) == 1


async def test_a_loop_that_waits_for_its_end_is_woken_by_it(stage: Stage) -> None:
    async def main(client: Any, rcx: RobotContext) -> None:
        rcx.takes_events.set()
        assert await shutdown.wait(3600)

    loop = stage.start(main)
    await stage.until(lambda: LoopHealth("running") in stage.health)
    began = time.monotonic()
    loop.stop()
    assert await asyncio.to_thread(loop.join, 60)
    assert time.monotonic() - began < 60
    assert stage.health[-1] == LoopHealth("ended")


async def test_events_for_a_loop_that_has_ended_are_refused(stage: Stage) -> None:
    async def main(client: Any, rcx: RobotContext) -> None:
        @rcx.on_updated_task
        async def on_task(task: str) -> None:
            raise AssertionError("must not be called")

        await serve(rcx)

    loop = stage.start(main)
    await stage.until(lambda: LoopHealth("running") in stage.health)
    loop.stop()
    await asyncio.to_thread(loop.join, 60)
    with pytest.raises(LoopEnded):
        await loop.deliver(Parked("task", ("INSERT", None, "a"), "e1"))


async def test_an_event_that_no_handler_waits_for_is_over_at_once(stage: Stage) -> None:
    async def main(client: Any, rcx: RobotContext) -> None:
        rcx.takes_events.set()
        await shutdown.wait(3600)

    loop = stage.start(main)
    assert await loop.deliver(Parked("task", ("INSERT", None, "a"), "e1")) is None


async def test_what_the_loop_causes_between_events_is_posted_at_once(stage: Stage) -> None:
    async def main(client: Any, rcx: RobotContext) -> None:
        await effects.cause(":nora", {"action": "task.create"})
        await serve(rcx)

    stage.start(main)
    await stage.until(lambda: bool(stage.posted))
    assert stage.posted == [(":nora", {"action": "task.create"})]


async def test_what_a_handler_causes_belongs_to_its_event(stage: Stage) -> None:
    async def main(client: Any, rcx: RobotContext) -> None:
        @rcx.on_updated_task
        async def on_task(task: str) -> None:
            await effects.cause(":nora", {"action": "task.create", "id": effects.new_id("t")})

        await serve(rcx)

    loop = stage.start(main)
    runs = [await loop.deliver(Parked("task", ("INSERT", None, "a"), "e1")) for _ in range(2)]
    assert runs[0] == runs[1]
    assert runs[0][0]["payload"]["action"] == "task.create"
    assert stage.posted == []


async def test_code_outside_of_any_loop_cannot_cause_anything() -> None:
    with pytest.raises(RuntimeError, match="Persona's loop"):
        await effects.cause(":nora", {})


async def test_a_handler_is_stopped_when_nobody_waits_for_it_any_more(stage: Stage) -> None:
    began, stopped = threading.Event(), threading.Event()

    async def main(client: Any, rcx: RobotContext) -> None:
        @rcx.on_tool_call("slow")
        async def slow(call: Any, args: Any) -> str:
            began.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                stopped.set()
                raise
            return "never"

        @rcx.on_tool_call("quick")
        async def quick(call: Any, args: Any) -> str:
            return "done"

        await serve(rcx)

    loop = stage.start(main)

    def parked(tool: str) -> Parked:
        return Parked("call", (FCloudtoolCall("c", "t", tool, "{}"),), f"e-{tool}", tool)

    waiting = asyncio.create_task(loop.deliver(parked("slow")))
    assert await asyncio.to_thread(began.wait, 60)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(stopped.wait, 60)
    assert (await loop.deliver(parked("quick"))).content == "done"


async def test_the_time_of_a_handler_begins_when_it_does(stage: Stage) -> None:
    async def main(client: Any, rcx: RobotContext) -> None:
        @rcx.on_tool_call("look")
        async def look(call: Any, args: Any) -> str:
            await asyncio.sleep(args["seconds"])
            return "seen"

        await serve(rcx)

    loop = stage.start(main)

    def parked(number: int) -> Parked:
        return Parked("call", (FCloudtoolCall("c", "t", "look", '{"seconds": 0.4}'),), f"e{number}", "look")

    outcomes = await asyncio.gather(*(loop.deliver(parked(number), seconds=60) for number in range(4)))
    assert [outcome.content for outcome in outcomes] == ["seen"] * 4
