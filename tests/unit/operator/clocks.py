"""Clocks for tests: an event loop whose time jumps to the next timer, and wall clocks that are moved by hand."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: the time that it was asked to wait passes at once."""

    def __init__(self, loop: "FakeTimeLoop") -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout:
            self._loop.advance(timeout)
        return super().select(0)


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that is idle for no real time."""

    def __init__(self) -> None:
        self._now = 1000.0
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop whose time jumps."""
    loop = FakeTimeLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()


class StillClock:
    """A clock that moves only when it is told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds
