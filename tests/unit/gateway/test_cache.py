"""The cache is bounded, forgets in time and asks once."""

import asyncio
from collections.abc import Iterator

import pytest

from botyard.gateway.cache import ExpiringCache


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_many_who_ask_at_once_cause_one_load() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(10)
    loads = 0

    async def load() -> tuple[int, float]:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return loads, 60

    assert await asyncio.gather(*(cache.get_or_load("a", load) for _ in range(50))) == [1] * 50
    assert await cache.get_or_load("a", load) == 1


async def test_a_waiter_that_goes_away_does_not_fail_the_others() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(10)
    go = asyncio.Event()

    async def load() -> tuple[int, float]:
        await go.wait()
        return 1, 60

    first = asyncio.create_task(cache.get_or_load("a", load))
    second = asyncio.create_task(cache.get_or_load("a", load))
    await asyncio.sleep(0)
    first.cancel()
    go.set()
    assert await second == 1


async def test_failures_are_not_kept() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(10)
    answers: Iterator[int | Exception] = iter([ValueError("away"), 2])

    async def load() -> tuple[int, float]:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer, 60

    with pytest.raises(ValueError, match="away"):
        await cache.get_or_load("a", load)
    assert await cache.get_or_load("a", load) == 2


def test_values_expire_each_in_its_time() -> None:
    clock = Clock()
    cache: ExpiringCache[str, int] = ExpiringCache(10, clock=clock)
    cache.put("short", 1, 5)
    cache.put("long", 2, 50)
    cache.put("never", 3, 0)
    clock.now = 5
    assert (cache.get("short"), cache.get("long"), cache.get("never")) == (None, 2, None)


def test_the_least_recently_used_goes_first() -> None:
    cache: ExpiringCache[str, int] = ExpiringCache(2)
    cache.put("a", 1, 60)
    cache.put("b", 2, 60)
    cache.get("a")
    cache.put("c", 3, 60)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), len(cache)) == (1, None, 3, 2)
