"""Turns run in threads: as many at once as may, each to its end, whatever becomes of who waits for it."""

import asyncio
import gc
import threading

import pytest

from botyard.fsm.threads import Threads


async def test_a_result_and_an_error_come_back() -> None:
    threads = Threads(2, "turn")
    assert await threads.run(lambda: threading.current_thread().name) == "turn_1"
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    with pytest.raises(SystemExit):
        await threads.run(exit)
    assert await threads.run(lambda: 7) == 7


async def test_as_many_run_at_once_as_may_and_the_others_wait() -> None:
    threads, go = Threads(3, "turn"), threading.Event()
    running = threading.Semaphore(0)

    def block() -> str:
        running.release()
        assert go.wait(60)
        return threading.current_thread().name

    waiting = [asyncio.create_task(threads.run(block)) for _ in range(5)]
    for _ in range(3):
        assert await asyncio.to_thread(running.acquire, timeout=60)
    assert not running.acquire(timeout=0.05)
    go.set()
    assert set(await asyncio.gather(*waiting)) == {"turn_1", "turn_2", "turn_3"}


async def test_a_thread_that_is_free_is_taken_again() -> None:
    threads = Threads(8, "turn")
    assert {await threads.run(lambda: threading.current_thread().name) for _ in range(20)} == {"turn_1"}


async def test_one_that_nobody_waits_for_any_more_runs_to_its_end() -> None:
    threads, go, done = Threads(1, "turn"), threading.Event(), list[int]()
    waiting = asyncio.create_task(threads.run(lambda: go.wait(60) and done.append(1)))
    await asyncio.sleep(0)
    waiting.cancel()
    go.set()
    assert await threads.run(lambda: 7) == 7
    assert done == [1]


def test_another_loop_may_go_on_with_them() -> None:
    threads, go = Threads(1, "turn"), threading.Event()

    async def leave() -> None:
        waiting = asyncio.create_task(threads.run(lambda: go.wait(60)))
        await asyncio.sleep(0)
        waiting.cancel()

    async def go_on() -> int:
        return await threads.run(lambda: 7)

    asyncio.run(leave())
    go.set()
    assert asyncio.run(go_on()) == 7


async def test_they_end_with_their_owner() -> None:
    threads = Threads(1, "turn that ends")
    thread = await threads.run(threading.current_thread)
    del threads
    gc.collect()
    await asyncio.to_thread(thread.join, 60)
    assert not thread.is_alive()
