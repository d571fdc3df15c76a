"""Quotas of users on a running bot."""

from pathlib import Path

from botyard.contract.bot import Limits
from botyard.contract.spending import UserQuotas
from botyard.core.control import Cancellations
from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import echo


async def test_a_turn_beyond_the_day_is_not_run_and_its_user_is_told(make_bot: MakeBot):
    bot = make_bot(quotas=UserQuotas(requests_per_day=2))
    await bot.start()
    for text in ("begin", "one", "two"):
        await bot.say(text)
    finished = await bot.finished(3)
    assert sorted(turn["state"] for turn in finished.turns) == ["completed", "completed", "failed"]
    assert await bot.texts() == ["1: one"]
    (error,) = [envelope for envelope in await bot.heard() if envelope["type"] == "chat.error"]
    assert error["data"]["kind"] == "QuotaExceeded"
    assert "quota of user ada is used up: 2 of 2 requests; it begins anew at" in error["data"]["message"]


async def test_turns_beyond_those_at_once_wait_for_each_other(make_bot: MakeBot, tmp_path: Path):
    alone = f"""
    import os, time
    os.close(os.open({str(tmp_path / "running")!r}, os.O_CREAT | os.O_EXCL))
    time.sleep(0.1)
    os.unlink({str(tmp_path / "running")!r})
    """
    bot = make_bot(code=echo(alone), quotas=UserQuotas(concurrent=1))
    await bot.start()
    conversations = ["c1", "c2", "c3"]
    for text in ("begin", "hey"):
        for conversation in conversations:
            await bot.say(text, conversation)
    for conversation in conversations:
        await bot.finished(2, conversation)
        assert await bot.texts(conversation) == ["1: hey"]


async def test_who_waits_for_a_turn_of_their_own_holds_nobody_else_up(make_bot: MakeBot, tmp_path: Path):
    """Two turns may run at once: one of ada's runs, two of hers wait, and bob is answered."""
    begun, go = tmp_path / "begun", tmp_path / "go"
    act = f"""
    import pathlib, time
    if said == "long":
        pathlib.Path({str(begun)!r}).touch()
        while not pathlib.Path({str(go)!r}).exists():
            time.sleep(0.01)
    """
    bot = make_bot(code=echo(act), quotas=UserQuotas(concurrent=1), limits=Limits(concurrency=2))
    (replica,) = await bot.start()
    for conversation in ("c1", "c2", "c3"):
        await bot.say("begin", conversation)
        await bot.finished(1, conversation)
    await bot.say("long", "c1")
    await replica.until(begun.exists)
    await bot.say("second", "c2")
    waiting = await bot.say("third", "c3")
    for text in ("begin", "hello"):
        await bot.inbox.accept(bot.address, key="c4", kind="message", payload={"text": text}, user="bob")
    await bot.finished(2, "c4")
    assert await bot.texts("c4") == ["1: hello"]

    assert await Cancellations(bot.redis).request(bot.address, "c3", waiting.turn)
    finished = await bot.finished(2, "c3")
    assert sorted(turn["state"] for turn in finished.turns) == ["completed", "failed"]
    assert await bot.texts("c2") == []

    go.touch()
    for conversation in ("c1", "c2"):
        await bot.finished(2, conversation)
    assert await bot.texts("c2") == ["1: second"]
