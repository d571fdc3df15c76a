"""Tasks are ended also where a library swallows a cancellation."""

import asyncio

import pytest

from botyard.runtime import endings
from botyard.runtime.endings import ended


async def stubborn(times: int) -> None:
    """Go on for ever, and lose so many cancellations."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if times <= 0:
                raise
            times -= 1


async def test_a_task_that_lost_a_cancellation_is_cancelled_again() -> None:
    tasks = [asyncio.create_task(stubborn(times)) for times in (0, 1, 3)]
    await asyncio.sleep(0)
    await ended(tasks, pause=0.01)
    assert all(task.cancelled() for task in tasks)


async def test_what_a_task_raised_is_its_own_affair() -> None:
    async def fails() -> None:
        raise KeyError("of the task")

    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await ended([task])
    assert task.done()


async def test_a_task_that_never_ends_is_named_and_left(caplog: pytest.LogCaptureFixture) -> None:
    task = asyncio.create_task(stubborn(endings.TRIES), name="deaf")
    await asyncio.sleep(0)
    await ended([task], pause=0.001)
    assert "deaf" in caplog.text
    await ended([task], pause=0.01)
