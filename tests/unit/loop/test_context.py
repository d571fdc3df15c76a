"""A bot's context: what handlers get, in which order, and what becomes of what they raise."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from botyard.loop.calls import CallOutcome
from botyard.loop.context import KEPT_THREADS, Dialect, RestartRequested, RobotContext
from botyard.loop.errors import AlreadyFakedResult, NeedsConfirmation, TransportError, WaitForSubchats
from botyard.loop.parking import LoopEnded, Parked, ParkedKind, Parking
from botyard.loop.personas import FPersonaOutput
from botyard.loop.shutdown import Shutdown
from botyard.loop.threads import FThreadOutput
from botyard.loop.tools import FAILED, MAX_RESULT, FCloudtoolCall, ToolResult


class Bench:
    """A context with its parking, as a Persona's loop has them."""

    def __init__(self, workdir: Path, dialect: Dialect = "document") -> None:
        self.shutdown, self.parking = Shutdown(), Parking()
        self.parking.attach(asyncio.get_running_loop())
        self.rcx = RobotContext(
            fclient=None,
            persona=FPersonaOutput("nora"),
            workdir=workdir,
            shutdown=self.shutdown,
            parking=self.parking,
            dialect=dialect,
            erp_tables={"crm_contact"},
        )

    def park(self, kind: ParkedKind, *args: Any, name: str = "") -> Parked:
        event = Parked(kind, args, f"event-{kind}-{name}", name)
        self.parking.park(event)
        return event

    async def call(self, arguments: str = "{}", name: str = "tool") -> CallOutcome:
        call = FCloudtoolCall("c1", "t1", name, arguments)
        event = self.park("call", call, name=name)
        await self.rcx.unpark_collected_events(0)
        outcome = event.done.result(0)
        assert isinstance(outcome, CallOutcome)
        return outcome


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_a_pass_has_the_documented_order(bench: Bench) -> None:
    seen: list[str] = []

    def handler(name: str) -> Any:
        async def handle(*args: Any) -> str:
            seen.append(name)
            return "done"

        return handle

    rcx = bench.rcx
    rcx.on_tool_call("tool")(handler("call"))
    rcx.on_emessage("TELEGRAM")(handler("emessage"))
    rcx.on_erp_change("crm_contact")(handler("erp"))
    rcx.on_updated_task(handler("task"))
    rcx.on_updated_thread(handler("thread"))
    rcx.on_updated_message(handler("message"))
    bench.park("call", FCloudtoolCall("c", "t", "tool", "{}"), name="tool")
    bench.park("emessage", {}, name="telegram")
    bench.park("erp", "INSERT", None, {}, name="crm_contact")
    bench.park("task", "INSERT", None, {})
    bench.park("thread", {})
    bench.park("message", {})
    bench.park("message", {})
    await rcx.unpark_collected_events(0)
    assert seen == ["message", "message", "thread", "task", "erp", "emessage", "call"]


async def test_the_last_handler_of_a_key_is_the_one(bench: Bench) -> None:
    @bench.rcx.on_tool_call("tool")
    async def first(call: FCloudtoolCall, args: dict[str, Any]) -> str:
        return "first"

    @bench.rcx.on_tool_call("tool")
    async def second(call: FCloudtoolCall, args: dict[str, Any]) -> str:
        return "second"

    assert (await bench.call()).content == "second"


async def test_a_handler_that_raises_is_logged_and_the_pass_goes_on(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    seen = []

    @bench.rcx.on_updated_message
    async def on_message(message: int) -> None:
        seen.append(message)
        if message == 1:
            raise KeyError("of the bot")

    events = [bench.park("message", number) for number in (1, 2)]
    await bench.rcx.unpark_collected_events(0)
    assert seen == [1, 2]
    assert all(event.done.done() for event in events)
    assert "of the bot" in caplog.text


@pytest.mark.parametrize(
    ("dialect", "expected"), [("document", ("UPDATE", "new", "old")), ("code", ("UPDATE", "old", "new"))]
)
async def test_handlers_of_rows_get_them_in_the_order_of_their_dialect(
    tmp_path: Path, dialect: Dialect, expected: tuple[str, ...]
) -> None:
    bench = Bench(tmp_path, dialect)
    seen: list[tuple[str, ...]] = []

    @bench.rcx.on_erp_change("crm_contact")
    async def on_change(action: str, second: str, third: str) -> None:
        seen.append((action, second, third))

    bench.park("erp", "UPDATE", "old", "new", name="crm_contact")
    await bench.rcx.unpark_collected_events(0)
    assert seen == [expected]


async def test_handlers_of_tasks_may_take_one_argument_or_three(bench: Bench) -> None:
    seen: list[Any] = []

    @bench.rcx.on_updated_task
    async def documents(task: str) -> None:
        seen.append(task)

    bench.park("task", "UPDATE", "old", "new")
    await bench.rcx.unpark_collected_events(0)

    @bench.rcx.on_updated_task
    async def codes(action: str, old: str, new: str) -> None:
        seen.append((action, old, new))

    bench.park("task", "UPDATE", "old", "new")
    await bench.rcx.unpark_collected_events(0)
    assert seen == ["new", ("UPDATE", "old", "new")]


async def test_an_unknown_table_is_refused(bench: Bench) -> None:
    with pytest.raises(ValueError, match="no ERP table 'crm_contract'"):
        bench.rcx.on_erp_change("crm_contract")


async def test_a_handler_may_return_what_is_awaited_or_the_result_itself(bench: Bench) -> None:
    async def look(call: Any, args: dict[str, Any]) -> str:
        return "looked"

    bench.rcx.on_tool_call("wrapped")(lambda call, args: look(call, args))
    bench.rcx.on_tool_call("plain")(lambda call, args: "at once")
    assert (await bench.call(name="wrapped")).content == "looked"
    assert (await bench.call(name="plain")).content == "at once"
    with pytest.raises(TypeError, match="cannot be called"):
        bench.rcx.on_updated_task("no function")  # type: ignore[arg-type]


async def test_a_wrapped_handler_of_tasks_gets_as_much_as_it_takes(bench: Bench) -> None:
    seen: list[Any] = []
    bench.rcx.on_updated_task(lambda task: seen.append(task))  # type: ignore[arg-type, return-value]
    bench.park("task", "INSERT", None, "new")
    await bench.rcx.unpark_collected_events(0)
    bench.rcx.on_updated_task(lambda action, old, new: seen.append((action, old, new)))  # type: ignore[arg-type, return-value]
    bench.park("task", "UPDATE", "old", "new")
    await bench.rcx.unpark_collected_events(0)
    assert seen == ["new", ("UPDATE", "old", "new")]


async def test_a_call_brings_its_text_and_what_it_cost(bench: Bench) -> None:
    @bench.rcx.on_tool_call("tool")
    async def handle(call: FCloudtoolCall, args: dict[str, Any]) -> ToolResult:
        return ToolResult(f"{call.fcall_name} of {args['city']}", dollars=0.0000015)

    outcome = await bench.call('{"city": "Oslo"}')
    assert (outcome.kind, outcome.content, outcome.coins, outcome.failed) == ("result", "tool of Oslo", 2, False)


async def test_a_list_of_parts_is_a_result(bench: Bench) -> None:
    parts = [{"m_type": "image/png", "m_content": "aGk="}]

    @bench.rcx.on_tool_call("tool")
    async def handle(call: FCloudtoolCall, args: dict[str, Any]) -> list[dict[str, Any]]:
        return parts

    assert (await bench.call()).multimodal == parts


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("{", "not valid JSON"),
        ("[1]", "not an array"),
        ('"a"', "not a string"),
        ("null", "not null"),
        ("7", "not a number"),
        ("true", "not a boolean"),
    ],
)
async def test_arguments_that_are_no_object_are_told_to_the_model(bench: Bench, arguments: str, told: str) -> None:
    @bench.rcx.on_tool_call("tool")
    async def handle(call: FCloudtoolCall, args: dict[str, Any]) -> str:
        raise AssertionError("must not be called")

    outcome = await bench.call(arguments)
    assert outcome.failed
    assert told in outcome.content


async def test_a_call_without_handler_is_answered_at_once(bench: Bench) -> None:
    outcome = await bench.call(name="missing")
    assert outcome.failed
    assert "missing has no handler" in outcome.content


@pytest.mark.parametrize(
    "returned", [None, 7, {"a": 1}, [], ["text"], "x" * (MAX_RESULT + 1), ToolResult(dollars=float("nan"))]
)
async def test_what_is_no_result_is_an_error_of_the_tool(bench: Bench, returned: Any) -> None:
    @bench.rcx.on_tool_call("tool")
    async def handle(call: FCloudtoolCall, args: dict[str, Any]) -> Any:
        return returned

    outcome = await bench.call()
    assert (outcome.failed, outcome.content) == (True, FAILED)


async def test_a_service_that_refuses_is_told_in_its_words(bench: Bench) -> None:
    @bench.rcx.on_tool_call("tool")
    async def handle(call: FCloudtoolCall, args: dict[str, Any]) -> str:
        raise TransportError("no such city")

    assert (await bench.call()).content == "Error: no such city"


async def test_a_handler_can_wait_for_subchats_or_for_a_person(bench: Bench) -> None:
    raised: list[Exception] = [
        WaitForSubchats(["s1", "s2"]),
        NeedsConfirmation(confirm_setup_key="may_write", confirm_command="write", confirm_explanation="It writes."),
        AlreadyFakedResult(),
    ]

    @bench.rcx.on_tool_call("tool")
    async def handle(call: FCloudtoolCall, args: dict[str, Any]) -> str:
        raise raised.pop(0)

    assert (await bench.call()).subchats == ["s1", "s2"]
    asked = await bench.call()
    assert asked.kind == "confirmation"
    assert asked.confirmation == {"setup_key": "may_write", "command": "write", "explanation": "It writes."}
    assert not (await bench.call()).failed


async def test_tools_can_run_beside_the_loop(bench: Bench) -> None:
    release = asyncio.Event()

    @bench.rcx.on_tool_call("slow")
    async def handle(call: FCloudtoolCall, args: dict[str, Any]) -> str:
        await release.wait()
        return "done"

    event = bench.park("call", FCloudtoolCall("c", "t", "slow", "{}"), name="slow")
    await bench.rcx.unpark_collected_events(0, turn_tool_calls_into_bg_tasks={"slow"})
    assert len(bench.rcx.bg_call_tasks) == 1
    release.set()
    await bench.rcx.wait_for_bg_tasks(60)
    assert event.done.result(0).content == "done"


async def test_a_pass_without_events_sleeps_until_one_comes(bench: Bench) -> None:
    passing = asyncio.create_task(bench.rcx.unpark_collected_events(3600))
    await asyncio.sleep(0)
    event = await asyncio.to_thread(bench.park, "message", {})
    await asyncio.wait_for(passing, 60)
    assert not event.done.done()
    await bench.rcx.unpark_collected_events(0)
    assert event.done.done()


async def test_a_changed_setup_ends_the_loop_when_it_is_idle(bench: Bench) -> None:
    event = bench.park("message", {})
    bench.rcx.request_restart()
    await bench.rcx.unpark_collected_events(0)
    assert event.done.done()
    with pytest.raises(RestartRequested):
        await bench.rcx.unpark_collected_events(3600)


async def test_what_nobody_waits_for_any_more_is_not_handled(bench: Bench) -> None:
    seen = []

    @bench.rcx.on_updated_message
    async def on_message(message: int) -> None:
        seen.append(message)

    bench.park("message", 1).done.cancel()
    bench.park("message", 2)
    await bench.rcx.unpark_collected_events(0)
    assert seen == [2]


async def test_events_that_wait_when_the_loop_ends_are_told(bench: Bench) -> None:
    event = bench.park("message", 1)
    bench.parking.close("the loop has ended")
    with pytest.raises(LoopEnded, match="has ended"):
        event.done.result(0)
    with pytest.raises(LoopEnded):
        bench.park("message", 2)


async def test_threads_that_were_heard_of_last_are_remembered(bench: Bench) -> None:
    for name in ("first", "second", *map(str, range(KEPT_THREADS - 2)), "first", "new"):
        bench.rcx.remember_thread(FThreadOutput.from_record({"ft_id": name, "ft_persona_id": "nora"}), [])
    assert len(bench.rcx.latest_threads) == KEPT_THREADS
    assert "second" not in bench.rcx.latest_threads
    assert "first" in bench.rcx.latest_threads
