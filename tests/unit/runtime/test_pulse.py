"""A worker that does not answer is late until it answers, and for a while after that."""

import asyncio
from collections.abc import Callable

import pytest

from botyard.runtime import pulse
from botyard.runtime.pulse import Pulse


class Asked:
    """Counts what is asked; busy as long as it is told to be."""

    def __init__(self) -> None:
        self.times = 0
        self.busy = True
        self.pulse = Pulse(busy=lambda: self.busy, ask=self._ask)

    async def _ask(self) -> None:
        self.times += 1

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.sleep(0.001)


async def test_who_answers_is_asked_again_and_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "BEAT", 0)
    monkeypatch.setattr(pulse, "LATE", 3600)
    asked = Asked()
    asked.pulse.watch()
    for times in (1, 2, 3):
        await asked.until(lambda times=times: asked.times == times)  # type: ignore[misc]
        asked.pulse.answered()
        assert not asked.pulse.late


async def test_who_answers_late_counts_as_late_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "BEAT", 0)
    monkeypatch.setattr(pulse, "LATE", 0.001)
    monkeypatch.setattr(pulse, "SHUNNED", 3600)
    asked = Asked()
    asked.pulse.watch()
    await asked.until(lambda: asked.pulse.late)
    asked.pulse.answered()
    assert asked.pulse.late


async def test_nothing_is_asked_of_a_worker_that_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "BEAT", 0)
    asked = Asked()
    asked.busy = False
    asked.pulse.watch()
    assert asked.pulse._asking is not None
    await asyncio.wait_for(asked.pulse._asking, 60)
    assert asked.times == 0
    asked.busy = True
    asked.pulse.watch()
    await asked.until(lambda: asked.times == 1)
    asked.busy = False
