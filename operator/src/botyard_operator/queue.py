"""A keyed work queue: deduplicated, serial for each key, with backoff.

A key that is added while it waits is run once; one that is added while it runs is run once more afterwards. A failed
key comes back after an exponentially growing pause with jitter, at most `max_delay`; anything that marks it dirty
before that runs it at once, because what made it fail may be gone. The number of waiting keys is bounded by the number
of objects that exist, and the number of running ones by `workers`.

Time is the event loop's, so that tests can run on a loop whose clock they move.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)
K_contra = TypeVar("K_contra", bound=Hashable, contravariant=True)


class QueueObserver(Protocol[K_contra]):
    """Told about the queue's work, for metrics."""

    def started(self, key: K_contra, waited: float) -> None:
        """`key` starts running after it was dirty for `waited` seconds."""

    def finished(self, key: K_contra, seconds: float, error: BaseException | None) -> None:
        """`key` ran for `seconds`; `error` is None on success."""


class KeyedQueue(Generic[K]):
    """Runs `handler(key)` for dirty keys."""

    def __init__(
        self,
        handler: Callable[[K], Awaitable[float | None]],
        *,
        workers: int,
        base_delay: float = 0.5,
        max_delay: float = 300.0,
        jitter: float = 0.2,
        deadline: float = 900.0,
        observer: QueueObserver[K] | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Create a queue; nothing runs before `run`.

        Args:
            handler: Called with a dirty key; returns seconds until it wants to be called again, or None.
            workers: Keys that run at once.
            base_delay: Seconds before the first retry of a failed key; doubled with every further failure.
            max_delay: Longest pause between retries, in seconds.
            jitter: Fraction by which a retry's pause is varied either way.
            deadline: Seconds after which a running handler is cancelled and counted as failed.
            observer: Told about every run.
            uniform: Source of jitter.
        """
        self._handler = handler
        self._workers = workers
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._jitter = jitter
        self._deadline = deadline
        self._observer = observer
        self._uniform = uniform
        self._ready: deque[K] = deque()
        self._dirty: dict[K, float] = {}
        self._running: dict[K, float] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._available = asyncio.Semaphore(0)

    def add(self, key: K) -> None:
        """Mark `key` dirty: it runs as soon as a worker is free."""
        self._cancel_timer(key)
        if key in self._dirty:
            return
        self._dirty[key] = _time()
        if key not in self._running:
            self._ready.append(key)
            self._available.release()

    def add_after(self, key: K, delay: float) -> None:
        """Mark `key` dirty in `delay` seconds, or earlier when it is due earlier already."""
        if key in self._dirty:
            return
        if delay <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._expire, key)

    @property
    def depth(self) -> int:
        """Keys that are dirty and wait for a worker."""
        return len(self._dirty)

    @property
    def delayed(self) -> int:
        """Keys that are scheduled for later."""
        return len(self._timers)

    @property
    def running(self) -> int:
        """Keys that run now."""
        return len(self._running)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing runs (keys may be scheduled for later)."""
        return not self._dirty and not self._running

    def oldest_waiting(self) -> float:
        """Seconds that the key that waits longest has waited; 0.0 when none does."""
        return max((_time() - since for since in self._dirty.values()), default=0.0)

    def oldest_running(self) -> float:
        """Seconds that the longest run has taken so far; 0.0 when none runs."""
        return max((_time() - since for since in self._running.values()), default=0.0)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._workers):
                    group.create_task(self._work(), name=f"queue worker {number}")
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    async def _work(self) -> None:
        while True:
            await self._available.acquire()
            await self._run_one(self._ready.popleft())

    async def _run_one(self, key: K) -> None:
        started = _time()
        waited = started - self._dirty.pop(key)
        self._running[key] = started
        if self._observer is not None:
            self._observer.started(key, waited)
        error: BaseException | None = None
        again: float | None = None
        try:
            async with asyncio.timeout(self._deadline):
                again = await self._handler(key)
        except Exception as caught:
            error = caught
            again = self._next_delay(key)
        else:
            self._failures.pop(key, None)
        finally:
            del self._running[key]
        if self._observer is not None:
            self._observer.finished(key, _time() - started, error)
        if key in self._dirty:
            self._ready.append(key)
            self._available.release()
        elif again is not None:
            self.add_after(key, again)

    def _next_delay(self, key: K) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._max_delay, self._base_delay * 2.0 ** min(failures, 32))
        return min(self._max_delay, delay * (1 + self._uniform(-self._jitter, self._jitter)))

    def _expire(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: K) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()


def _time() -> float:
    return asyncio.get_running_loop().time()
