"""Quotas of users on a running bot."""

from pathlib import Path

from botyard.contract.spending import UserQuotas
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
