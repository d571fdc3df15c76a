"""Schedules of a Persona, turn by turn: timers, what is due, what was missed, what a clock jumps over."""

import asyncio
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from botyard.contract.persona import PersonaConfig, ScheduleConfig
from botyard.contract.spending import PersonaBudget
from botyard.loop.install import FMarketplaceExpertInput, Installation
from botyard.loop.persona_turns import PersonaTurns
from botyard.loop.planning import MAX_OWN
from botyard.program import NextEvent, Output, TurnOutcome, TurnRequest
from tests.unit.loop.platform import MemoryIO, Platform

MINUTE = 60_000
NOW = 1_800_000_000_000


def schedule(type_: str = "SCHED_TODO", when: str = "EVERY:5m", name: str = "sweep", **more: str) -> ScheduleConfig:
    return ScheduleConfig(name=name, type=type_, when=when, **more)


class Clockwork:
    """One Persona's key with its timers, and a clock that a test moves."""

    made: ClassVar[list["Clockwork"]] = []

    def __init__(self, folder: Path, *schedules: ScheduleConfig, prompt: str = "", **config: Any) -> None:
        self.made.append(self)
        self.platform = Platform(folder)
        self.platform.loop.start()
        self.installation = Installation(experts={"default": FMarketplaceExpertInput(fexp_system_prompt=prompt)})
        self.persona = PersonaConfig(name="nora", uid="u1", schedules=schedules, **config)
        self.now = NOW
        self.timers: list[NextEvent] = []
        self.begun: list[NextEvent] = []
        self.said: list[Output] = []
        self._events = 0

    async def run(self, **payload: Any) -> TurnOutcome:
        key = ":nora"
        self._events += 1
        event = f"e{self._events}"
        request = TurnRequest(
            event=event, turn=event, key=key, kind="action", payload=payload, persona=self.persona, now_ms=self.now,
            state=copy.deepcopy(self.platform.states.get(key)),
        )  # fmt: skip
        turns = PersonaTurns(self.installation)
        outcome = await turns.run(request, MemoryIO(self.platform, key, event), self.platform.loop)
        self.platform.states[key] = json.loads(json.dumps(outcome.state))
        self.platform.records.setdefault(key, {}).update(outcome.records)
        self.timers += [caused for caused in outcome.events if caused.due_ms]
        self.begun += [caused for caused in outcome.events if not caused.due_ms]
        self.said = list(outcome.outputs)
        return outcome

    async def start(self) -> None:
        await self.run(action="persona.started")

    async def until(self, now: int) -> list[str]:
        """Let time pass, and return what schedules did meanwhile."""
        did = []
        while (timer := min(self.timers, key=lambda t: t.due_ms, default=None)) and timer.due_ms <= now:
            self.now = max(self.now, timer.due_ms)
            self.timers.remove(timer)
            await self.run(**timer.payload)
            did += self.did()
        self.now = now
        return did

    async def after_downtime(self, now: int) -> list[str]:
        """Let time pass while nobody is there; then everything that is due comes at once."""
        self.now = now
        did = []
        for timer in [timer for timer in self.timers if timer.due_ms <= now]:
            self.timers.remove(timer)
            await self.run(**timer.payload)
            did += self.did()
        return did

    def did(self) -> list[str]:
        return [output.data["did"] for output in self.said if output.type == "schedule.due"]

    def columns(self) -> dict[str, str]:
        tasks = self.platform.records.get(":nora", {})
        found = {}
        for name, task in tasks.items():
            column = "done" if task["ktask_done_ts"] else "inprogress" if task["ktask_inprogress_ts"] else "todo"
            found[name.removeprefix("task/")] = column if column != "todo" or task["ktask_todo_ts"] else "inbox"
        return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for clock in Clockwork.made:
        clock.platform.loop.stop()
    Clockwork.made.clear()


async def test_each_schedule_has_one_timer_and_the_next_one_follows(folder: Path) -> None:
    clock = Clockwork(folder, schedule(), schedule(name="other", when="EVERY:7m"))
    await clock.start()
    assert [timer.payload["name"] for timer in clock.timers] == ["sweep", "other"]
    assert len(await clock.until(NOW + 35 * MINUTE)) == 7 + 5
    assert len(clock.timers) == 2


async def test_a_loop_that_begins_again_sets_no_second_timer(folder: Path) -> None:
    clock = Clockwork(folder, schedule())
    for _ in range(3):
        await clock.start()
    assert len(clock.timers) == 1


async def test_what_was_missed_is_done_once(folder: Path) -> None:
    clock = Clockwork(folder, schedule())
    await clock.start()
    assert len(await clock.after_downtime(NOW + 24 * 60 * MINUTE)) == 1
    assert clock.said[-1].data["missed"] is True
    assert len(clock.timers) == 1


async def test_what_was_missed_is_done_once_whoever_comes_first(folder: Path) -> None:
    clock = Clockwork(folder, schedule())
    await clock.start()
    clock.now = NOW + 24 * 60 * MINUTE
    # The new loop begins before the timer is read, which then belongs to an older plan.
    await clock.start()
    assert len(clock.did()) == 1
    assert await clock.after_downtime(clock.now) == []
    assert len(clock.timers) == 1


@pytest.mark.parametrize("hours", [1, 24, 24 * 400])
async def test_a_clock_that_jumps_ahead_is_one_moment(folder: Path, hours: int) -> None:
    clock = Clockwork(folder, schedule(when="WEEKDAYS:MO:TU:WE:TH:FR:SA:SU/09:00"), schedule(name="often"))
    await clock.start()
    assert len(await clock.after_downtime(NOW + hours * 60 * MINUTE)) <= 2
    assert len(clock.timers) == 2


async def test_a_clock_that_is_put_back_does_not_silence_a_schedule(folder: Path) -> None:
    clock = Clockwork(folder, schedule())
    clock.now = NOW + 30 * 24 * 60 * MINUTE
    await clock.start()
    clock.now = NOW
    await clock.start()
    # The timer of the wrong time is still there, and means nothing when its time comes.
    assert sorted(timer.due_ms < NOW + 5 * MINUTE + 1 for timer in clock.timers) == [False, True]
    assert len(await clock.until(NOW + 10 * MINUTE)) == 2


async def test_a_schedule_that_is_changed_goes_by_its_new_time_only(folder: Path) -> None:
    clock = Clockwork(folder, schedule(when="EVERY:5m"))
    await clock.start()
    clock.persona = clock.persona.model_copy(update={"schedules": (schedule(when="EVERY:1h"),)})
    await clock.run(action="persona.changed")
    assert len(await clock.until(NOW + 60 * MINUTE)) == 1


async def test_a_schedule_that_is_removed_is_over(folder: Path) -> None:
    clock = Clockwork(folder, schedule())
    await clock.start()
    clock.persona = clock.persona.model_copy(update={"schedules": ()})
    await clock.run(action="persona.changed")
    assert await clock.until(NOW + 60 * MINUTE) == []
    assert clock.timers == []


async def test_another_time_zone_is_another_moment(folder: Path) -> None:
    clock = Clockwork(folder, schedule(when="WEEKDAYS:MO:TU:WE:TH:FR:SA:SU/09:00"))
    await clock.start()
    clock.persona = clock.persona.model_copy(update={"budget": PersonaBudget(time_zone="Asia/Tokyo")})
    await clock.run(action="persona.changed")
    first, second = clock.timers
    assert (first.due_ms - second.due_ms) // 3_600_000 % 24 == 9


async def test_somebody_hired_anew_under_an_old_name_misses_nothing(folder: Path) -> None:
    clock = Clockwork(folder, schedule())
    await clock.start()
    clock.timers.clear()  # Fired while there was no such Persona.
    clock.now = NOW + 24 * 60 * MINUTE
    clock.persona = clock.persona.model_copy(update={"uid": "u2"})
    await clock.start()
    assert clock.did() == []
    assert len(clock.timers) == 1


async def test_todo_is_taken_up_as_far_as_there_is_room(folder: Path) -> None:
    clock = Clockwork(folder, schedule(), max_in_progress=2)
    await clock.start()
    for number in range(3):
        await clock.run(action="task.create", id=f"t{number}", ktask_title=f"t{number}", column="todo")
        clock.now += 1
    assert await clock.until(NOW + 5 * MINUTE) == ["2 tasks were taken up"]
    assert clock.columns() == {"t0": "inprogress", "t1": "inprogress", "t2": "todo"}
    assert await clock.until(NOW + 10 * MINUTE) == ["2 tasks are in progress already"]


async def test_one_is_picked_from_todo_before_the_inbox(folder: Path) -> None:
    clock = Clockwork(folder, schedule("SCHED_PICK_ONE"), max_in_progress=5)
    await clock.start()
    await clock.run(action="task.create", id="old", ktask_title="old")
    await clock.run(action="task.create", id="chosen", ktask_title="chosen", column="todo")
    await clock.until(NOW + 5 * MINUTE)
    assert clock.columns() == {"old": "inbox", "chosen": "inprogress"}
    await clock.until(NOW + 10 * MINUTE)
    assert clock.columns() == {"old": "inprogress", "chosen": "inprogress"}
    assert await clock.until(NOW + 15 * MINUTE) == ["no task waits"]


async def test_an_expert_sorts_the_inbox_if_there_is_something_in_it(folder: Path) -> None:
    clock = Clockwork(folder, schedule("SCHED_TASK_SORT", question="Sort these:"), prompt="You are Nora.")
    await clock.start()
    assert await clock.until(NOW + 5 * MINUTE) == ["the inbox is empty"]
    await clock.run(action="task.create", id="t1", ktask_title="Call Oslo")
    await clock.until(NOW + 10 * MINUTE)
    [begun] = clock.begun
    assert begun.key.startswith("nora~sched_sweep_")
    assert begun.payload["messages"][0]["content"].startswith("Sort these:\n\n")
    assert "Call Oslo" in begun.payload["messages"][0]["content"]


async def test_any_work_is_a_thread_of_an_expert_or_else_a_task(folder: Path) -> None:
    clock = Clockwork(folder, schedule("SCHED_ANY", question="What is new?"), prompt="You are Nora.")
    await clock.start()
    await clock.until(NOW + 5 * MINUTE)
    assert clock.begun[0].payload["messages"] == [{"role": "user", "content": "What is new?"}]
    silent = Clockwork(folder / "silent", schedule("SCHED_ANY", question="What is new?"))
    await silent.start()
    await silent.until(NOW + 5 * MINUTE)
    assert list(silent.columns().values()) == ["todo"]


async def test_the_bundle_s_schedules_hold_where_the_persona_names_none(folder: Path) -> None:
    clock = Clockwork(folder)
    clock.persona = clock.persona.model_copy(update={"schedules": None})
    clock.installation.schedules = [{"sched_type": "SCHED_ANY", "sched_when": "EVERY:1h", "sched_first_question": "?"}]
    await clock.start()
    assert [timer.payload["name"] for timer in clock.timers] == ["bundle-1"]
    clock.persona = clock.persona.model_copy(update={"schedules": ()})
    await clock.run(action="persona.changed")
    assert await clock.until(NOW + 60 * MINUTE) == []


@pytest.mark.parametrize("broken", [schedule(when="EVERY:soon"), schedule("SCHED_NEVER")])
async def test_a_bundle_s_schedule_that_cannot_be_is_told_and_harms_no_other(
    folder: Path, broken: ScheduleConfig
) -> None:
    clock = Clockwork(folder, broken, schedule(name="good"))
    await clock.start()
    assert [output.type for output in clock.said] == ["schedule.invalid"]
    assert [timer.payload["name"] for timer in clock.timers] == ["good"]


async def test_how_many_tasks_are_where_is_told_with_every_turn(folder: Path) -> None:
    clock = Clockwork(folder)
    for number, column in enumerate(("inbox", "inbox", "todo", "inprogress", "done")):
        outcome = await clock.run(action="task.create", id=f"t{number}", ktask_title="x", column=column)
    assert outcome.tasks == {"inbox": 2, "todo": 1, "inprogress": 1, "done": 1}
    assert (await clock.run(action="task.remove", id="t0")).tasks == {"inbox": 1, "todo": 1, "inprogress": 1, "done": 1}


async def test_a_board_of_an_earlier_release_is_counted_when_its_loop_begins(folder: Path) -> None:
    clock = Clockwork(folder)
    for number, column in enumerate(("inbox", "todo", "todo")):
        await clock.run(action="task.create", id=f"t{number}", ktask_title="x", column=column)
    clock.platform.states[":nora"] = {"board": {"inprogress": [], "done": [], "open": 3}}
    outcome = await clock.run(action="persona.started")
    assert outcome.tasks == {"inbox": 1, "todo": 2, "inprogress": 0, "done": 0}


async def test_a_task_that_is_given_to_a_thread_gets_no_other_one(folder: Path) -> None:
    clock = Clockwork(folder, prompt="You are Nora.", max_in_progress=2)
    for name in ("own", "given"):
        await clock.run(action="task.create", id=name, ktask_title=name)
    await clock.run(action="task.move", id="own", column="inprogress")
    assert [event.key for event in clock.begun] == ["nora~task_own"]
    await clock.run(action="task.move", id="given", column="inprogress", ktask_inprogress_ft_id="t7")
    assert [event.key for event in clock.begun] == ["nora~task_own"]
    kept = clock.platform.records[":nora"]
    assert [kept[f"task/{name}"]["ktask_inprogress_ft_id"] for name in ("own", "given")] == ["task_own", "t7"]


class TestWhatAnExpertAdds:
    """By the integration `schedules`, whose calls cause these events."""

    ADDED: ClassVar[dict[str, str]] = {"type": "SCHED_ANY", "when": "EVERY:10m", "question": "Ask Ada."}

    async def test_comes_beside_what_is_declared_and_begins_threads(self, folder: Path) -> None:
        clock = Clockwork(folder, schedule(), prompt="You are Nora.")
        await clock.start()
        await clock.run(action="schedule.add", name="ask-ada", **self.ADDED)
        assert [timer.payload["name"] for timer in clock.timers] == ["sweep", "own-ask-ada"]
        await clock.until(NOW + 10 * MINUTE)
        [begun] = [event.payload for event in clock.begun if event.payload["action"] == "thread.start"]
        assert begun["messages"][0]["content"] == "Ask Ada."

    async def test_twice_is_one_and_removed_is_none(self, folder: Path) -> None:
        clock = Clockwork(folder)
        await clock.start()
        for when in ("EVERY:10m", "EVERY:20m"):
            await clock.run(action="schedule.add", name="ask-ada", **{**self.ADDED, "when": when})
        state = clock.platform.states[":nora"]
        assert state is not None
        assert [each["when"] for each in state["own"].values()] == ["EVERY:20m"]
        await clock.run(action="schedule.remove", name="ask-ada")
        assert await clock.until(NOW + 60 * MINUTE) == [], "timers of older plans mean nothing"

    async def test_is_bounded(self, folder: Path) -> None:
        clock = Clockwork(folder)
        for number in range(MAX_OWN + 5):
            await clock.run(action="schedule.add", name=f"s{number}", **self.ADDED)
        state = clock.platform.states[":nora"]
        assert state is not None
        assert len(state["own"]) == MAX_OWN
        refused = [output.data["name"] for output in clock.said if output.type == "schedule.invalid"]
        assert refused == [f"own-s{MAX_OWN + 4}"]

    async def test_goes_with_the_persona_that_had_it(self, folder: Path) -> None:
        clock = Clockwork(folder)
        await clock.run(action="schedule.add", name="ask-ada", **self.ADDED)
        clock.persona = clock.persona.model_copy(update={"uid": "u2"})
        await clock.start()
        state = clock.platform.states[":nora"]
        assert state is not None
        assert "own" not in state

    async def test_is_seen_by_the_bot_with_its_next_moment(self, folder: Path) -> None:
        clock = Clockwork(folder, schedule())
        async with asyncio.timeout(60):
            # The loop begins in a thread of its own.
            while clock.platform.loop.context is None:
                await asyncio.sleep(0.01)
        await clock.start()
        await clock.run(action="schedule.add", name="ask-ada", **self.ADDED)
        rcx = clock.platform.loop.context
        assert rcx is not None
        assert set(rcx.latest_schedules) == {"sweep", "own-ask-ada"}
        assert rcx.latest_schedules["own-ask-ada"]["next"].startswith("2027-01-15T")
        assert rcx.latest_schedules["own-ask-ada"]["zone"] == clock.persona.budget.time_zone
