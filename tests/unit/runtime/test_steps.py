"""Steps in the worker: counted, kept, and told apart from what an earlier run asked."""

import asyncio
import json
from typing import Any

import pytest

import botyard
from botyard import steps
from botyard.core.errors import JournalMismatch
from botyard.runtime.step_journal import MAX_JOURNAL, MAX_RECORD, JournalBounds, JournalFull, Steps


class Run:
    """One run of a turn; `again` is the next run of the same one."""

    def __init__(self, journal: dict[str, bytes] | None = None) -> None:
        self.journal = {} if journal is None else journal
        self.steps = Steps("event-1", dict(self.journal), self.put)

    async def put(self, ordinal: str, record: bytes) -> bytes:
        return self.journal.setdefault(ordinal, record)

    async def step(self, name: str, request: Any, run: Any) -> Any:
        return await self.steps.take(name, request, run)

    def again(self) -> "Run":
        return Run(self.journal)


class Service:
    """Something outside that counts."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    async def ask(self, what: str) -> str:
        self.calls.append((what, botyard.idempotence_key()))
        return what.upper()

    def ask_blocking(self, what: str) -> str:
        self.calls.append((what, botyard.idempotence_key()))
        return what.upper()


async def test_a_second_run_gets_the_kept_results_and_asks_nobody() -> None:
    service, first = Service(), Run()
    steps.bind(first)  # type: ignore[arg-type]
    assert await botyard.step("ask", service.ask, "a") == "A"
    assert await botyard.step("ask", service.ask_blocking, what="b") == "B"
    second = first.again()
    steps.bind(second)  # type: ignore[arg-type]
    assert await botyard.step("ask", service.ask, "a") == "A"
    assert await botyard.step("ask", service.ask_blocking, what="b") == "B"
    assert [what for what, _ in service.calls] == ["a", "b"]
    assert second.steps.deviation() is None


async def test_the_key_is_the_same_for_every_try_of_one_step_and_of_no_other() -> None:
    service, run = Service(), Run()

    async def fails(what: str) -> None:
        await service.ask(what)
        raise ConnectionError

    for attempt in (run, run.again()):
        steps.bind(attempt)  # type: ignore[arg-type]
        with pytest.raises(ConnectionError):
            await botyard.step("ask", fails, "a")
        await botyard.step("ask", service.ask, "a")
    keys = [key for _, key in service.calls]
    assert keys[0] == keys[2]
    assert len(set(keys)) == 2
    with pytest.raises(RuntimeError, match="for functions that run as a step"):
        botyard.idempotence_key()


async def test_a_step_of_steps_is_left_out_as_a_whole_and_goes_on_where_it_stopped() -> None:
    service, first = Service(), Run()

    async def outer(stop: list[str]) -> str:
        found = await botyard.step("inner", service.ask, "a")
        if stop_here:
            raise ConnectionError
        return found + str(await botyard.step("inner", service.ask, "b"))

    stop_here = True
    steps.bind(first)  # type: ignore[arg-type]
    with pytest.raises(ConnectionError):
        await botyard.step("outer", outer, [])
    stop_here = False
    second = first.again()
    steps.bind(second)  # type: ignore[arg-type]
    assert await botyard.step("outer", outer, []) == "AB"
    third = second.again()
    steps.bind(third)  # type: ignore[arg-type]
    assert await botyard.step("outer", outer, []) == "AB"
    assert [what for what, _ in service.calls] == ["a", "b"]
    assert sorted(third.journal) == ["0", "0.0", "0.1"]
    assert third.steps.deviation() is None


async def test_code_in_a_thread_is_run_in_that_thread() -> None:
    service, run = Service(), Run()
    steps.bind(run)  # type: ignore[arg-type]

    def work() -> tuple[int, Any]:
        import threading

        here = threading.get_ident()
        inside = botyard.blocking_step("where", threading.get_ident)
        assert botyard.blocking_step("ask", service.ask_blocking, "a") == "A"
        with pytest.raises(ConnectionError):
            botyard.blocking_step("fails", fail)
        with pytest.raises(SystemExit):
            botyard.blocking_step("exits", exit_now)
        return here, inside

    def fail() -> None:
        raise ConnectionError

    def exit_now() -> None:
        raise SystemExit(3)

    here, inside = await asyncio.to_thread(work)
    assert here == inside


async def test_misuse_is_told() -> None:
    with pytest.raises(RuntimeError, match="while a turn runs"):
        await botyard.step("ask", asyncio.sleep, 0)
    steps.bind(Run())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="arguments of step 'ask' cannot be expressed as JSON"):
        await botyard.step("ask", print, object())
    with pytest.raises(TypeError, match="arguments of step 'ask' cannot be expressed as JSON"):
        await botyard.step("ask", print, float("nan"))
    with pytest.raises(RuntimeError, match="asynchronous code must use"):
        botyard.blocking_step("ask", print)
    with pytest.raises(TypeError, match="a coroutine function needs"):
        botyard.blocking_step("ask", asyncio.sleep, 0)


async def test_other_arguments_at_the_same_place_are_a_mismatch_even_when_caught() -> None:
    service, first = Service(), Run()
    steps.bind(first)  # type: ignore[arg-type]
    await botyard.step("ask", service.ask, "a")
    second = first.again()
    steps.bind(second)  # type: ignore[arg-type]
    with pytest.raises(JournalMismatch, match="step 0 of this turn was 'ask'"):
        await botyard.step("ask", service.ask, "b")
    assert "step 0" in str(second.steps.deviation())
    assert [what for what, _ in service.calls] == ["a"]


def test_the_supervisor_keeps_no_more_than_the_bounds() -> None:
    bounds = JournalBounds({"0": b"x" * (MAX_JOURNAL - 10)})
    bounds.check("1", json.dumps({}).encode())
    with pytest.raises(JournalFull, match="this one has taken 2"):
        bounds.check("2", b"x" * 9)
    with pytest.raises(JournalFull, match="the result of a step has"):
        JournalBounds({}).check("0", b"x" * (MAX_RECORD + 1))
    for strange in ("", "-1", "a", "1.", "1234567", ".".join(["1"] * 17)):
        with pytest.raises(ValueError, match="no ordinal"):
            JournalBounds({}).check(strange, b"")


async def test_a_process_that_was_stopped_after_it_was_told_that_it_may_asks_again() -> None:
    answers, asked = [0.0, 3600.0], []

    async def may() -> float:
        # The first answer is good for no time at all: what follows it comes too late.
        asked.append(len(answers))
        return answers.pop(0)

    run, service = Run(), Service()
    taken = Steps("event-1", {}, run.put, may)
    assert await taken.take("ask", ["a"], lambda key: service_of(service)) == "A"
    assert (asked, len(service.calls)) == ([2, 1], 1)


async def service_of(service: Service) -> str:
    service.calls.append(("a", ""))
    return "A"
