"""A Persona's day ends: work that waited for money goes on by itself; the new day has the hours that it has.

The Persona lives in a time zone of its own, whose midnight comes when the test wants it.
"""

import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from botyard.budget.reports import Reports
from botyard.contract.model import ModelConfig
from botyard.contract.persona import PersonaConfig
from botyard.contract.spending import PersonaBudget
from botyard.core.parking import Parked, Parking
from tests.integration.redis.server import eventually
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot, echo

SECONDS = 45
"""Until midnight: more than two turns take on a busy machine."""
SCRIPT = "rules: [{reply: {text: 'you said {last}', usage: {input_tokens: 60, output_tokens: 20}}}]"
ASK = """
from botyard import model
self.send_message(text(model.ask_blocking([{"role": "user", "content": said}]).text))
"""


def write_zone(path: Path, midnight: int) -> None:
    """Write a time zone (RFC 8536) with a midnight at that second, whose clocks go an hour forward two hours later."""
    offset = -(midnight % 86_400)
    head = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 1, 2, 8)
    types = struct.pack(">lBB", offset, 0, 0) + struct.pack(">lBB", offset + 3600, 1, 4) + b"WIN\0SUM\0"
    old = head + struct.pack(">l", midnight + 7200) + b"\1" + types
    new = head + struct.pack(">q", midnight + 7200) + b"\1" + types
    path.parent.mkdir(parents=True)
    path.write_bytes(old + new + b"\n\n")


def nora(zone: str) -> PersonaConfig:
    """A Persona whose day pays for one answer."""
    return PersonaConfig(name="nora", budget=PersonaBudget(daily=100, on_exceeded="Pause", time_zone=zone))


async def parked(bot: Bot) -> Parked:
    """Return what waits, once it does."""
    parking = Parking(bot.redis)

    async def waits() -> bool:
        return await parking.of(bot.address, "c1") is not None

    await eventually(waits, timeout=120)
    found = await parking.of(bot.address, "c1")
    assert found is not None
    return found


async def test_what_waits_for_money_goes_on_at_midnight(
    make_bot: MakeBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONTZPATH", str(tmp_path / "zones"))
    model = ModelConfig(provider="scripted", name="toy", script="script.yaml")
    bot = make_bot(code=echo(ASK), model=model, files={"config/script.yaml": SCRIPT}, personas=(nora("UTC"),))
    await bot.start()
    await bot.say("begin", persona="nora")
    await bot.finished(1)

    midnight = int(time.time()) + SECONDS
    write_zone(tmp_path / "zones" / "Test" / "Night", midnight)
    bot.personas = (nora("Test/Night"),)
    bot.write()
    reports = Reports(bot.redis)

    async def moved() -> bool:
        found = (await reports.declared(bot.address)).personas.get("nora")
        return found is not None and found.time_zone == "Test/Night"

    await eventually(moved, timeout=90)
    for text in ("one", "two"):
        await bot.say(text, persona="nora")
    assert _time(await parked(bot)) == datetime.fromtimestamp(midnight, UTC)
    assert await bot.texts() == ["you said one", "1: one"]

    async def answered() -> bool:
        return await bot.texts() == ["you said one", "1: one", "you said two", "2: two"]

    await eventually(answered, timeout=180)
    found = await bot.finished(3)
    assert found.turns[-1]["finished"] >= midnight * 1000

    await bot.say("three", persona="nora")
    until = _time(await parked(bot))
    assert until == datetime.fromtimestamp(midnight, UTC) + timedelta(hours=23), "the day of the change has 23 hours"
    history = await reports.history(bot.address, since_ms=0)
    assert [each.spent for each in history if each.name == "persona:nora"] == [80, 80]


def _time(parked: Parked) -> datetime:
    return datetime.fromtimestamp(parked.until_ms / 1000, UTC)
