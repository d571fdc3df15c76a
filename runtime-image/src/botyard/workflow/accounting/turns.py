"""Accounting of turns that run on the platform: the supervisor keeps the events, whatever becomes of the worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from botyard.workflow.accounting import context, recorder, tracking
from botyard.workflow.accounting.recorder import encode


class Platform(Protocol):
    """The part of `botyard.program.TurnIO` that keeps events."""

    async def record_usage(self, event: bytes) -> None:
        """Keep an event, as JSON; returns when it is kept."""


class TurnRecorder:
    """Hands events to the platform."""

    def __init__(self, platform: Platform, loop: asyncio.AbstractEventLoop) -> None:
        self._platform = platform
        self._loop = loop

    def record(self, event: dict[str, Any]) -> None:
        """Hand an event over from a thread and wait until it is kept."""
        asyncio.run_coroutine_threadsafe(self._platform.record_usage(encode(event)), self._loop).result()

    async def record_async(self, event: dict[str, Any]) -> None:
        """Hand an event over, from whichever loop."""
        handing = self._platform.record_usage(encode(event))
        if asyncio.get_running_loop() is self._loop:
            await handing
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(handing, self._loop))


@asynccontextmanager
async def accounted(platform: Platform, *, turn: str, **members: Any) -> AsyncIterator[None]:
    """Have the usage of the code inside kept by the platform.

    Args:
        platform: Of the turn.
        turn: Its id: what a run that is repeated is told again keeps its event.
        **members: What is known of the turn (see `AccountingSystem.set_context`).
    """
    context.clear()
    context.put(**members)
    recorder.platform.set(TurnRecorder(platform, asyncio.get_running_loop()))
    tracking.repeatable.set(tracking.Repeatable(turn))
    try:
        yield
    finally:
        await recorder.drain()
