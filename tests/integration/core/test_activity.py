"""Demand for bots that may sleep: marks are told at once and remembered, work is read from the inboxes."""

import asyncio

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.activity import Activity, Work
from botyard.core.address import BotAddress
from botyard.core.inbox import Inbox

BOT = BotAddress("shop", "night", partitions=4)
OTHER = BotAddress("shop", "day", partitions=4)


async def test_a_mark_reaches_who_follows_and_is_remembered(redis_client: Redis) -> None:
    activity = Activity(redis_client)
    async with asyncio.timeout(60):
        marks = activity.follow()
        assert await anext(marks) == ""
        await activity.mark(BOT)
        assert await anext(marks) == "shop/night"
        await marks.aclose()  # type: ignore[attr-defined]
    assert set(await activity.last()) == {"shop/night"}


async def test_the_last_mark_counts_and_deleted_bots_are_forgotten(redis_client: Redis) -> None:
    activity = Activity(redis_client)
    await redis_client.zadd(keys.demand(), {"shop/night": 1, "shop/long-gone": 2})
    await activity.mark(OTHER)
    assert set(await activity.last()) == {"shop/day"}
    await activity.forget(OTHER)
    assert await activity.last() == {}


async def test_work_is_what_waits_in_all_partitions(redis_client: Redis) -> None:
    activity, inbox = Activity(redis_client), Inbox(redis_client)
    before = await activity.work(BOT)
    assert (before.pending, before.outgoing, before.next_timer_ms, before.waiting()) == (0, 0, None, 0)
    for number in range(5):
        await inbox.accept(BOT, key=f"c{number}", kind="message", payload={}, user="ann")
    await inbox.accept(OTHER, key="c", kind="message", payload={}, user="ann")
    assert (await activity.work(BOT)).waiting() == 5


async def test_a_timer_is_work_when_it_is_due(redis_client: Redis) -> None:
    activity = Activity(redis_client)
    now_ms = (await activity.work(BOT)).now_ms
    await redis_client.zadd(keys.timers(BOT.all_partitions()[1]), {"event": now_ms + 3_600_000})
    work = await activity.work(BOT)
    assert work.next_timer_ms == now_ms + 3_600_000
    assert work.waiting() == 0
    assert work.waiting(lead_ms=3_600_000) == 1


def test_what_is_on_its_way_to_others_is_work() -> None:
    assert Work(pending=0, outgoing=2, next_timer_ms=None, now_ms=0).waiting() == 2
