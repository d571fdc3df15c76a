"""The work queue, on a loop whose time jumps."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise

from botyard_operator.queue import KeyedQueue
from tests.unit.operator.clocks import run

Handler = Callable[[str], Awaitable[float | None]]


def _no_jitter(_low: float, _high: float) -> float:
    return 0.0


async def _work(queue: KeyedQueue[str], seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await queue.run()


def _now() -> float:
    return asyncio.get_running_loop().time()


def test_a_key_that_is_added_twice_runs_once() -> None:
    async def main() -> None:
        runs: list[str] = []

        async def handler(key: str) -> None:
            runs.append(key)

        queue = KeyedQueue(handler, workers=2)
        for key in ("a", "b", "a"):
            queue.add(key)
        assert queue.depth == 2
        await _work(queue, 1)
        assert sorted(runs) == ["a", "b"]
        assert queue.idle

    run(main())


def test_a_key_that_is_added_while_it_runs_runs_once_more_and_never_twice_at_once() -> None:
    async def main() -> None:
        running, peak, runs = 0, 0, 0

        async def handler(_key: str) -> None:
            nonlocal running, peak, runs
            running += 1
            runs += 1
            peak = max(peak, running)
            if runs == 1:
                queue.add("a")
                queue.add("a")
            await asyncio.sleep(1)
            running -= 1

        queue = KeyedQueue(handler, workers=4)
        queue.add("a")
        await _work(queue, 10)
        assert (runs, peak) == (2, 1)

    run(main())


def test_no_more_keys_run_at_once_than_there_are_workers() -> None:
    async def main() -> None:
        running, peak = 0, 0

        async def handler(_key: str) -> None:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await asyncio.sleep(1)
            running -= 1

        queue = KeyedQueue(handler, workers=3)
        for number in range(10):
            queue.add(str(number))
        await _work(queue, 60)
        assert peak == 3
        assert queue.idle

    run(main())


def test_failures_are_retried_with_a_growing_pause_up_to_the_cap_and_success_resets_it() -> None:
    async def main() -> None:
        at: list[float] = []
        failures = 5

        async def handler(_key: str) -> None:
            at.append(_now())
            if len(at) <= failures or len(at) == failures + 2:
                raise ValueError("not yet")

        queue = KeyedQueue(handler, workers=1, base_delay=1, max_delay=6, uniform=_no_jitter)
        queue.add("a")
        await _work(queue, 60)
        queue.add("a")
        await _work(queue, 60)
        pauses = [round(later - earlier, 3) for earlier, later in pairwise(at)]
        assert pauses[:5] == [1, 2, 4, 6, 6]
        assert pauses[-1] == 1  # after the success the pause starts anew

    run(main())


def test_jitter_varies_the_pause_both_ways() -> None:
    async def main() -> None:
        at: list[float] = []

        async def handler(_key: str) -> None:
            at.append(_now())
            raise ValueError("never")

        spread = iter([-0.2, 0.2])
        queue = KeyedQueue(
            handler, workers=1, base_delay=10, max_delay=100, uniform=lambda low, high: next(spread, 0.0)
        )
        queue.add("a")
        await _work(queue, 40)
        assert [round(later - at[0], 3) for later in at] == [0, 8, 32]

    run(main())


def test_a_change_runs_a_failed_key_at_once() -> None:
    async def main() -> None:
        at: list[float] = []

        async def handler(_key: str) -> None:
            at.append(_now())
            if len(at) == 1:
                raise ValueError("not yet")

        queue = KeyedQueue(handler, workers=1, base_delay=100)
        queue.add("a")
        worker = asyncio.create_task(queue.run())
        await asyncio.sleep(1)
        queue.add("a")
        await asyncio.sleep(1)
        assert [round(moment - at[0], 3) for moment in at] == [0, 1]
        assert queue.delayed == 0
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    run(main())


def test_the_earliest_of_several_delays_wins_and_a_result_asks_for_the_next_run() -> None:
    async def main() -> None:
        at: list[float] = []
        start = _now()

        async def handler(_key: str) -> float | None:
            at.append(round(_now() - start, 3))
            return 10.0 if len(at) == 1 else None

        queue = KeyedQueue(handler, workers=1)
        queue.add_after("a", 5)
        queue.add_after("a", 2)
        queue.add_after("a", 7)
        await _work(queue, 60)
        assert at == [2, 12]

    run(main())


def test_a_run_past_its_deadline_is_cancelled_and_retried() -> None:
    async def main() -> None:
        outcomes: list[str] = []

        async def handler(_key: str) -> None:
            try:
                await asyncio.sleep(1000 if not outcomes else 0)
            except asyncio.CancelledError:
                outcomes.append("cancelled")
                raise
            outcomes.append("done")

        queue = KeyedQueue(handler, workers=1, deadline=30)
        queue.add("a")
        await _work(queue, 60)
        assert outcomes == ["cancelled", "done"]

    run(main())


def test_the_observer_learns_how_long_keys_waited_and_ran() -> None:
    class Observer:
        def __init__(self) -> None:
            self.seen: list[tuple[str, str, float]] = []

        def started(self, key: str, waited: float) -> None:
            self.seen.append(("started", key, round(waited, 3)))

        def finished(self, key: str, seconds: float, error: BaseException | None) -> None:
            self.seen.append(("failed" if error else "finished", key, round(seconds, 3)))

    async def main() -> None:
        async def handler(key: str) -> None:
            await asyncio.sleep(2)
            if key == "b":
                raise ValueError("no")

        observer = Observer()
        queue = KeyedQueue(handler, workers=1, observer=observer, base_delay=1000)
        queue.add("a")
        queue.add("b")
        assert queue.oldest_waiting() == 0
        worker = asyncio.create_task(queue.run())
        await asyncio.sleep(1)
        assert (round(queue.oldest_waiting()), round(queue.oldest_running()), queue.running) == (1, 1, 1)
        await asyncio.sleep(10)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        assert observer.seen == [
            ("started", "a", 0),
            ("finished", "a", 2),
            ("started", "b", 2),
            ("failed", "b", 2),
        ]

    run(main())
