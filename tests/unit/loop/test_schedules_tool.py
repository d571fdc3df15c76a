"""The tool by which an expert sees and adds schedules: what it is told, and what it causes."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from botyard.loop import effects
from botyard.loop.integrations import Settings, make
from botyard.loop.integrations.schedules import HELP, MAX_QUESTION, answer
from botyard.loop.planning import MAX_OWN


@pytest.fixture
def caused() -> Iterator[effects.Effects]:
    made = effects.Effects("e1")
    effects.handling(made)
    yield made
    effects.handling(None)


def rcx(*own: str) -> Any:
    known = {"sweep": {"type": "SCHED_TODO", "when": "EVERY:5m"}} | {f"own-{name}": {} for name in own}
    return SimpleNamespace(latest_schedules=known, persona=SimpleNamespace(persona_id="nora"))


def test_it_is_an_integration() -> None:
    assert [tool.name for tool in make("schedules", Settings()).tools] == ["schedules"]


async def test_all_are_listed(caused: effects.Effects) -> None:
    assert '"name": "sweep"' in await answer(rcx(), {"op": "list"})
    assert await answer(SimpleNamespace(latest_schedules={}), {"op": "list"}) == "There are no schedules."  # type: ignore[arg-type]
    assert await answer(rcx(), {}) == HELP


async def test_one_is_added_and_removed_with_the_turn(caused: effects.Effects) -> None:
    given = {"name": "ask-ada", "when": "WEEKDAYS:MO/09:00", "question": "Ask Ada."}
    assert await answer(rcx(), {"op": "add", "args": given}) == "ask-ada is planned: WEEKDAYS:MO/09:00."
    assert await answer(rcx("ask-ada"), {"op": "remove", "args": {"name": "ask-ada"}}) == "ask-ada is removed."
    assert caused.actions == [
        {"key": ":nora", "payload": {"action": "schedule.add", "type": "SCHED_ANY", **given}},
        {"key": ":nora", "payload": {"action": "schedule.remove", "name": "ask-ada"}},
    ]


@pytest.mark.parametrize(
    ("op", "given", "said"),
    [
        ("add", {"name": "Ask Ada", "when": "EVERY:5m"}, "is no name"),
        ("add", {"name": "a", "when": "soon"}, "soon"),
        ("add", {"name": "a", "when": "EVERY:5m", "type": "SCHED_X"}, "there is no type"),
        ("add", {"name": "a", "when": "EVERY:5m", "question": "x" * (MAX_QUESTION + 1)}, "characters"),
        ("add", {"name": "a", "when": "EVERY:4m"}, "EVERY:5m"),
        ("remove", {"name": "sweep"}, "no schedule 'sweep' was added"),
    ],
    ids=["name", "when", "type", "question", "often", "declared"],
)
async def test_what_cannot_be_done_is_told(caused: effects.Effects, op: str, given: dict[str, str], said: str) -> None:
    told = await answer(rcx(), {"op": op, "args": given})
    assert told.startswith("Error: ")
    assert said in told
    assert caused.actions == []


async def test_there_are_so_many_and_no_more(caused: effects.Effects) -> None:
    full = rcx(*(f"s{number}" for number in range(MAX_OWN)))
    assert "remove one first" in await answer(full, {"op": "add", "args": {"name": "more", "when": "EVERY:5m"}})
    assert "is planned" in await answer(full, {"op": "add", "args": {"name": "s1", "when": "EVERY:5m"}})
