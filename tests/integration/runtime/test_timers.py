"""Events that are due later: fired once by whoever owns their partition when their time comes."""

import json
from typing import Any

from botyard.core import keys
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot

CONVERSATIONS = [f"c{number}" for number in range(16)]


async def remind(bot: Bot, conversation: str, *, in_ms: int) -> None:
    """Leave what a committed turn leaves that wants to be reminded."""
    clock: Any = await bot.redis.time()
    event = {"event": f"remind-{conversation}", "key": conversation, "kind": "message", "turn": f"turn-{conversation}"}
    timer = event | {"payload": json.dumps({"text": "reminded"}), "user": "ada"}
    due = clock[0] * 1000 + clock[1] // 1000 + in_ms
    await bot.redis.zadd(keys.timers(bot.address.partition(conversation)), {json.dumps(timer): due})


async def test_timers_fire_once_whatever_becomes_of_their_owners(make_bot: MakeBot) -> None:
    bot = make_bot()
    (first,) = await bot.start()
    for conversation in CONVERSATIONS:
        await bot.say("reset", conversation)
    for conversation in CONVERSATIONS:
        await bot.finished(1, conversation)
    first.kill()
    # Some were due while nobody was there, some fall due while owners change.
    for number, conversation in enumerate(CONVERSATIONS):
        await remind(bot, conversation, in_ms=number * 500)
    second, third = await bot.start(2)
    second.kill()
    for conversation in CONVERSATIONS:
        await bot.finished(2, conversation)
    assert await third.drain() == 0
    await bot.start()
    for conversation in CONVERSATIONS:
        await bot.say("after", conversation)
        await bot.finished(3, conversation)
        assert await bot.texts(conversation) == ["1: reminded", "2: after"]
        assert await bot.redis.zcard(keys.timers(bot.address.partition(conversation))) == 0
