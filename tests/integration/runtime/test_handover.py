"""Partitions change hands by being given, not by running out: here a lease outlives the test."""

from tests.integration.runtime.conftest import MakeBot

LEASE_MS = 3_600_000
CONVERSATIONS = [f"c{number}" for number in range(16)]


async def test_replicas_that_come_and_go_wait_for_no_time_out(make_bot: MakeBot) -> None:
    bot = make_bot(lease_ms=LEASE_MS)
    (first,) = await bot.start()
    for name in CONVERSATIONS:
        await bot.say("reset", name)
        await bot.say("one", name)
    # It is ready once it owns its share, which the first one had.
    (second,) = await bot.start()
    for name in CONVERSATIONS:
        await bot.say("two", name)
    assert await first.drain() == 0
    for name in CONVERSATIONS:
        await bot.say("three", name)
        await bot.finished(4, name)
        assert await bot.texts(name) == ["1: one", "2: two", "3: three"]
    assert second.get("/readyz")[0] == 200
