"""bundles/repairs, run the way a pod runs it."""

import sys
from datetime import date
from pathlib import Path

import pytest

from botyard.fsm.program import FsmProgram
from tests.unit.fsm.platform import Session, texts

BUNDLE = Path(__file__).parents[3] / "bundles" / "repairs"


@pytest.fixture(scope="module")
def program():
    path, modules = list(sys.path), set(sys.modules)
    yield FsmProgram.load(BUNDLE, credentials={"PAYMENT_URL": "https://pay.test"})
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def session(program):
    return Session(program)


def choice(identity):
    return {"options": [{"option_id": identity, "option_text": ""}]}


async def until_deposit(session):
    await session.message("hi")
    await session.message(**choice("wheel"))
    return await session.message("electric touring bike")


async def test_a_small_repair_is_quoted_and_booked(session):
    outcome = await session.message("hi")
    assert texts(outcome) == ["Hello! This is the bicycle workshop.", "What can we do for you?"]
    assert [option["id"] for option in outcome.outputs[1].data["options"]] == ["tyre", "brakes", "checkup", "wheel"]
    await session.message("my brakes squeak")
    outcome = await session.message("blue touring bike")
    assert texts(outcome) == ["Brakes for your blue touring bike: €45.00.", "When will you bring it?"]
    day = outcome.outputs[1].data["options"][1]["title"]
    outcome = await session.message(**choice("2"))
    assert texts(outcome) == [f"Booked for {day}: Brakes, blue touring bike, €45.00."]
    assert outcome.ended


async def test_what_is_not_understood_is_asked_again(session):
    await session.message("hi")
    assert texts(await session.message("sing a song"))[0].startswith("We do not offer that")
    await session.message("tyre")
    assert texts(await session.message("?"))[0].startswith("Please describe it")
    await session.message("red racer")
    assert texts(await session.message("never")) == ["Please choose one of these days:"]
    assert (await session.message("1")).ended


async def test_a_large_repair_waits_for_its_deposit(session):
    outcome = await until_deposit(session)
    reference = session.io.references[0]
    assert texts(outcome) == [
        "New wheel for your electric touring bike: €175.00.",
        "A repair of this size needs a deposit.",
        f"Please pay the deposit of €35.00: https://pay.test?amount=3500&reference={reference}",
    ]
    ignored = await session.message("is it done?")
    assert [output.type for output in ignored.outputs] == ["fsm.input_ignored"]
    assert texts(await session.callback('{"status": "paid", "receipt": "R-9"}')) == ["When will you bring it?"]
    outcome = await session.message("3")
    assert texts(outcome)[0].endswith("Deposit of €35.00 received (R-9).")


@pytest.mark.parametrize("body", ['{"status": "failed"}', "no json", "[]"])
async def test_without_the_deposit_nothing_is_booked(session, body):
    await until_deposit(session)
    outcome = await session.callback(body)
    assert texts(outcome)[0].startswith("The deposit was not paid")
    assert outcome.ended


def test_the_machine_is_sound_and_its_diagram_is_the_readme_s(program):
    described = program.inspect()
    assert described.findings == ()
    assert described.plugins == ("payment",)
    assert described.diagram() in (BUNDLE / "README.md").read_text()


def test_the_workshop_is_closed_on_sundays(program):
    calendar = sys.modules["workshop.calendar"]
    assert calendar.next_days(date(2026, 1, 2)) == ["2026-01-03", "2026-01-05", "2026-01-06"]
