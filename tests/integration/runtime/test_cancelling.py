"""A turn can be cancelled at any moment: also in the one in which it begins."""

import asyncio
from typing import Any

import pytest

from botyard.core.control import Cancellations
from botyard.core.inbox import Entry
from botyard.core.leases import Lease
from botyard.core.turns import Begun, Commit, Committed, Turns
from botyard.runtime.dispatcher import Dispatcher
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot
from tests.integration.runtime.test_parking import replica


class CancelledMeanwhile(Turns):
    """Has a turn cancelled when Redis has begun it and its replica does not know that yet."""

    bot: Bot
    told: asyncio.Event

    async def begin(self, lease: Lease, entry: Entry, *, run: str = "") -> Begun:
        begun = await super().begin(lease, entry, run=run)
        await self.cancel(entry)
        return begun

    async def commit(
        self, lease: Lease, entry: Entry, commit: Commit, *, following: Entry | None = None, run: str = ""
    ) -> Committed:
        done = await super().commit(lease, entry, commit, following=following, run=run)
        if following is not None:
            await self.cancel(following)
        return done

    async def cancel(self, entry: Entry) -> None:
        if "cancelled" in entry.payload:
            self.told.clear()
            assert await Cancellations(self.bot.redis).request(self.bot.address, entry.key, entry.turn)
            await asyncio.wait_for(self.told.wait(), 90)


@pytest.mark.parametrize("before", [(), ("ahead",)], ids=["begun by itself", "begun with the commit before it"])
async def test_a_turn_cancelled_while_it_begins_does_not_run(
    make_bot: MakeBot, monkeypatch: pytest.MonkeyPatch, before: tuple[str, ...]
) -> None:
    bot = make_bot()
    CancelledMeanwhile.bot, CancelledMeanwhile.told = bot, asyncio.Event()
    monkeypatch.setattr("botyard.runtime.turn_runner.Turns", CancelledMeanwhile)
    heard = Dispatcher.tell

    def tell(self: Dispatcher, key: str) -> Any:
        # What is said to replicas after the cancellation itself.
        CancelledMeanwhile.told.set()
        return heard(self, key)

    monkeypatch.setattr(Dispatcher, "tell", tell)
    for text in ("reset", *before, "cancelled", "after"):
        await bot.say(text)
    async with replica(bot):
        conversation = await bot.finished(3 + len(before))
    kinds = [turn.get("error", {}).get("kind") for turn in conversation.turns]
    assert kinds == [None, *(None for _ in before), "TurnCancelled", None]
    assert [text.split(": ")[1] for text in await bot.texts()] == [*before, "after"]
