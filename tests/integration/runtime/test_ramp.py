"""A revision that is ramped, on real replicas: whose conversations it gets, and what is counted."""

import asyncio
from collections.abc import Callable, Iterator

from botyard.contract.bot import Ramp
from botyard.core.ramp_counts import RampCounts, Tally
from botyard.runtime.ramping import in_share
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot
from tests.integration.runtime.test_draining import CODE, converse


def code(version: str, act: str = "pass") -> str:
    return CODE.replace("VERSION", version).replace("LISTEN", "listen").replace("ACT", act)


def ramp(share: int) -> Ramp:
    return Ramp(id="first", revision="r2", share=share)


def names(chosen: Callable[[str], bool]) -> Iterator[str]:
    return (name for name in (f"c{number}" for number in range(10_000)) if chosen(name))


NEW = names(lambda name: in_share(ramp(30), name))
OLD = names(lambda name: not in_share(ramp(30), name))


async def ramped(make_bot: MakeBot, *begun: str, act: str = "pass") -> Bot:
    """Return a bot whose new revision has a third of the conversations; these have begun before."""
    bot = make_bot(code=code("old"), revision="r1")
    if begun:
        (replica,) = await bot.start()
        for name in begun:
            await bot.say("begin", name)
            assert await converse(bot, name, 2, "one") == "old one"
        await replica.drain()
        bot.replicas.clear()
    bot.code, bot.files = code("new", act), {"former/bot.py": code("old")}
    bot.revision, bot.former, bot.ramp = "r2", "r1", ramp(30)
    bot.write()
    await bot.start()
    return bot


async def counted(bot: Bot, enough: Callable[[Tally, Tally], bool]) -> tuple[Tally, Tally]:
    """Return what is counted of the new and of the old revision, once it is enough."""
    async with asyncio.timeout(90):
        while True:
            found = await RampCounts(bot.redis).read(bot.address, "first")
            if enough(found["new"], found["old"]):
                return found["new"], found["old"]
            await asyncio.sleep(0.05)


async def begins(bot: Bot, name: str) -> str:
    await bot.say("begin", name)
    return await converse(bot, name, 2, "two")


async def test_conversations_stay_where_they_began_and_new_ones_go_by_the_share(make_bot: MakeBot) -> None:
    before, new, old = next(NEW), next(NEW), next(OLD)
    bot = await ramped(make_bot, before)
    assert await begins(bot, new) == "new two"
    assert await begins(bot, old) == "old two"
    assert await converse(bot, before, 3, "still") == "old still", "it began before the ramp"
    bot.ramp = ramp(100)
    bot.write()
    later = next(OLD)
    async with asyncio.timeout(90):
        while await begins(bot, later) != "new two":
            later = next(OLD)
    assert await converse(bot, old, 3, "on") == "old on"
    newest, former = await counted(bot, lambda newest, former: newest.turns >= 4 and former.turns >= 4)
    assert (newest.failed, newest.dead, former.failed) == (0, 0, 0)
    assert newest.conversations >= 2
    assert former.conversations >= 2


async def test_after_a_return_the_old_revision_goes_on_with_what_the_new_one_began(make_bot: MakeBot) -> None:
    bot = await ramped(make_bot)
    name = next(NEW)
    assert await begins(bot, name) == "new two"
    bot.ramp = ramp(0)
    bot.write()
    turns = 3
    async with asyncio.timeout(90):
        while await converse(bot, name, turns, "on") != "old on":
            turns += 1
    assert await begins(bot, next(NEW)) == "old two"


async def test_what_fails_and_what_is_given_up_is_counted_for_its_revision(make_bot: MakeBot) -> None:
    bot = await ramped(make_bot, act="import os; os._exit(3) if said == 'die' else 1 / 0")
    failing, dying, well = next(NEW), next(NEW), next(OLD)
    for name, text in ((failing, "fail"), (dying, "die"), (well, "fine")):
        await bot.say("begin", name)
        await bot.say(text, name)
    newest, former = await counted(bot, lambda newest, former: newest.failed >= 2 and former.turns >= 2)
    assert (newest.turns, newest.failed, newest.dead) == (4, 2, 1)
    assert (former.turns, former.failed, former.dead) == (2, 0, 0)
