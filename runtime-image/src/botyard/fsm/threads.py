"""Threads for turns. They do as `concurrent.futures.ThreadPoolExecutor` does, at half its cost for each turn."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Job = Callable[[], None]


class Threads:
    """Runs functions for one event loop, each in a thread that nobody else uses meanwhile."""

    def __init__(self, most: int, name: str) -> None:
        """Prepare; threads start when they are needed, and end with this object.

        Args:
            most: So many functions run at once; others wait.
            name: Of the threads.
        """
        self._most = most
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = 0
        self._open = 0
        """Functions that run or wait. Like the number of threads it is only the loop's own affair and needs no lock."""

    async def run(self, function: Callable[[], T]) -> T:
        """Return what `function` returns, or raise what it raises; it goes on when nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                found, error = function(), None
            except BaseException as raised:
                found, error = None, raised
            loop.call_soon_threadsafe(self._over, result, found, error)

        if self._open >= self._threads < self._most:
            self._start()
        self._open += 1
        self._jobs.put(job)
        return await result

    def _start(self) -> None:
        """Start a thread; where the process may have no more of them, those that there are go on.

        Raises:
            RuntimeError: There is none at all.
        """
        name = f"{self._name}_{self._threads + 1}"
        try:
            threading.Thread(target=_work, args=(self._jobs,), name=name, daemon=True).start()
        except RuntimeError:
            if not self._threads:
                raise
        else:
            self._threads += 1

    def _over(self, result: asyncio.Future[Any], found: Any, error: BaseException | None) -> None:
        self._open -= 1
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(found)

    def __del__(self) -> None:
        for _ in range(self._threads):
            self._jobs.put(None)


def _work(jobs: "SimpleQueue[_Job | None]") -> None:
    while (job := jobs.get()) is not None:
        # The loop may be closed: then nobody wants to know any more.
        with contextlib.suppress(RuntimeError):
            job()
        # Nothing of a turn is held until the next one comes.
        del job
