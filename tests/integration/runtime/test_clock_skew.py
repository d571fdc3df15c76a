"""Replicas whose clocks are wrong: what is kept and measured goes by the clock of Redis."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.runtime.conftest import MakeBot
from tests.integration.runtime.replica import Bot, Replica, echo

WAIT_FOR = "import pathlib, time\nwhile not pathlib.Path({gate!r}).exists():\n    time.sleep(0.01)"


def measured(replica: Replica, name: str) -> float:
    """The value of one of the replica's metrics."""
    found = re.search(rf"^{name} (\S+)$", replica.get("/metrics")[1], re.MULTILINE)
    assert found is not None, name
    return float(found[1])


async def redis_ms(bot: Bot) -> int:
    clock: Any = await bot.redis.time()
    return int(clock[0] * 1000 + clock[1] // 1000)


@pytest.mark.parametrize("skew", ["+2d", "-2d"])
async def test_a_wrong_clock_shows_nowhere(make_bot: MakeBot, tmp_path: Path, skew: str) -> None:
    gate = tmp_path / "gate"
    before = await redis_ms(bot := make_bot(code=echo(WAIT_FOR.format(gate=str(gate))), skew=skew))
    (replica,) = await bot.start()
    await bot.say("hi")
    await bot.finished(1)
    # The second message is the one that waits for the gate.
    await bot.say("one")
    await replica.until(lambda: measured(replica, "botyard_oldest_open_turn_seconds") > 0)
    assert measured(replica, "botyard_oldest_open_turn_seconds") <= (await redis_ms(bot) - before) / 1000

    gate.touch()
    turn = (await bot.finished(2)).turns[-1]
    after = await redis_ms(bot)
    assert before <= turn["accepted"] <= turn["started"] <= turn["finished"] <= after
    assert all(turn["started"] <= envelope["ts"] <= after for envelope in (await bot.heard())[-2:])
    await replica.until(lambda: measured(replica, "botyard_turn_wait_seconds_count") == 2)
    assert measured(replica, "botyard_turn_wait_seconds_sum") <= (after - before) / 1000
