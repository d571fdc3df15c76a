"""What answers a turn's calls may put the turn aside: nothing of its conversation overtakes it, others go on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from botyard.budget.calls import Spender
from botyard.core.control import Cancellations
from botyard.core.inbox import Entry
from botyard.core.leases import Lease
from botyard.core.parking import Parking
from botyard.runtime.configuration import Configuration
from botyard.runtime.parking import ParkTurn
from botyard.runtime.step_journal import JournalBounds
from botyard.runtime.supervisor import Supervisor
from botyard.runtime.turn_calls import TurnCalls
from botyard.runtime.worker_host import WorkerHost
from tests.integration.redis.server import eventually
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot, echo

ACT = """
import botyard
botyard.blocking_step("first", str.upper, said)
if said.startswith("costly"):
    botyard.blocking_step("pay", str.upper, said)
"""


class Payer(TurnCalls):
    """Puts a turn aside in the place of its second step, until somebody has paid."""

    paid: set[str]

    async def answer(
        self,
        lease: Lease,
        entry: Entry,
        bounds: JournalBounds,
        method: str,
        args: Mapping[str, Any],
        payer: Spender | None = None,
    ) -> Any:
        if args.get("ordinal") == "1" and entry.turn not in self.paid:
            raise ParkTurn("over budget", data={"asks": "cara"})
        return await super().answer(lease, entry, bounds, method, args, payer)


@contextlib.asynccontextmanager
async def replica(bot: Bot) -> AsyncIterator[Supervisor]:
    """A replica in this process, but for its workers."""
    folder = bot.folder
    configuration = Configuration(
        config=folder / "config", personas=folder / "personas", credentials=folder / "credentials"
    )
    configuration.load()
    supervisor = Supervisor(
        bot.redis, configuration, replica="pod", socket_path=folder / "s", bundle=folder / "bundle", lease_ms=60_000
    )
    stop, host = asyncio.Event(), WorkerHost(str(folder / "s"))
    running = [asyncio.create_task(supervisor.run(stop)), asyncio.create_task(host.run())]
    try:
        yield supervisor
    finally:
        host.stop()
        stop.set()
        await asyncio.gather(*running)


@pytest.fixture(autouse=True)
def payer(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    Payer.paid = set()
    monkeypatch.setattr("botyard.runtime.turn_runner.TurnCalls", Payer)
    return Payer.paid


async def test_a_parked_turn_keeps_its_place_and_goes_on_from_its_journal(make_bot: MakeBot, payer: set[str]) -> None:
    bot = make_bot(code=echo(ACT))
    parking = Parking(bot.redis)

    async def parked() -> bool:
        return await parking.of(bot.address, "c1") is not None

    async with replica(bot):
        for text in ("reset", "costly", "second"):
            await bot.say(text)
        await eventually(parked, timeout=90)
        for text in ("reset", "hello"):
            await bot.say(text, "other")
        await bot.finished(2, "other")
        await bot.say("third")
        assert await bot.texts() == []
        (waits,) = await parking.list(bot.address)
        assert (waits.reason, waits.data) == ("over budget", {"asks": "cara"})
        assert "turn.parked" in [envelope["type"] for envelope in await bot.heard()]

        payer.add(waits.turn)
        assert await parking.resume(bot.address, "c1")
        await bot.finished(4)
    assert await bot.texts() == ["1: costly", "2: second", "3: third"]
    assert await bot.texts("other") == ["1: hello"]


async def test_a_replica_that_takes_over_leaves_a_parked_turn_alone(make_bot: MakeBot, payer: set[str]) -> None:
    bot = make_bot(code=echo(ACT))
    parking = Parking(bot.redis)

    async def parked() -> bool:
        return await parking.of(bot.address, "c1") is not None

    async with replica(bot):
        for text in ("reset", "costly", "second"):
            await bot.say(text)
        await eventually(parked, timeout=90)
    async with replica(bot) as second:
        await eventually(lambda: second._dispatcher.aside == ("c1",), timeout=90)
        assert await bot.texts() == []
        # Cancelled, it ends, and what waited behind it runs.
        (waits,) = await parking.list(bot.address)
        assert await Cancellations(bot.redis).request(bot.address, "c1", waits.turn)
        await bot.finished(3)
    assert await bot.texts() == ["1: second"]
