"""What a follower of publications holds: in order, bounded, and silent at no cost."""

import asyncio

import pytest

from botyard.core.live import BUFFER, Follower


async def test_messages_come_in_order_whether_they_were_waited_for_or_not() -> None:
    follower = Follower()
    waiting = asyncio.create_task(follower.get(60))
    await asyncio.sleep(0)
    for message in (b"1", b"2"):
        follower.put(message)
    assert [await waiting, await follower.get(0)] == [b"1", b"2"]


async def test_who_lags_too_far_behind_is_told_that_something_is_missing() -> None:
    follower = Follower()
    for number in range(BUFFER + 1):
        follower.put(str(number).encode())
    follower.put(b"after")
    assert [await follower.get(0), await follower.get(0)] == [None, b"after"]


async def test_silence_is_a_timeout_and_the_follower_goes_on() -> None:
    follower = Follower()
    with pytest.raises(TimeoutError):
        await follower.get(0)
    follower.put(b"1")
    assert await follower.get(0) == b"1"
