"""What waits is told, and nobody is told twice."""

import asyncio

import pytest

from botyard.runtime.signals import Changes, Stop


async def test_who_waits_for_something_looks_whenever_something_changed() -> None:
    changes, held = Changes(), list[int]()
    waiting = asyncio.create_task(changes.until(lambda: len(held) == 2))
    for number in range(2):
        await asyncio.sleep(0)
        assert not waiting.done()
        held.append(number)
        changes.tell()
        changes.tell()
    await asyncio.wait_for(waiting, 60)


async def test_what_holds_is_not_waited_for_and_who_gives_up_is_forgotten() -> None:
    changes = Changes()
    await changes.until(lambda: True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(changes.until(lambda: False), 0.01)
    changes.tell()
    assert not changes._waiting


async def test_a_stop_stays_set() -> None:
    stop = Stop()
    assert not stop.is_set()
    stop.set()
    stop.set()
    await stop.told
    assert stop.is_set()
