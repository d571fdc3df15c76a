"""Events that wait for a bot's loop to take them.

The turn that carries an event parks it here and waits; the bot's own `unpark_collected_events` hands it to its
handlers. Turns come from the worker's thread, the loop runs in the Persona's.
"""

import asyncio
import concurrent.futures
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

ParkedKind = Literal["message", "thread", "task", "erp", "emessage", "call"]
ORDER: tuple[ParkedKind, ...] = get_args(ParkedKind)
"""The documented order of one pass."""
MAX_PARKED = 10_000


class LoopEnded(Exception):
    """The Persona's loop ended before it took the event."""


@dataclass(eq=False)
class Parked:
    """One event that waits.

    Attributes:
        kind: What it is.
        name: Of a call the tool, of a row's change the table, of an emessage the messenger; else empty.
        args: What its handler gets.
        key: The same on every run of the event.
        before: Gets the context before the handler does; None: nothing is to be known.
        done: Gets what handling it brought: of a call its outcome, else what the handler caused.
        context: Variables of the turn that carries it: in them its handler runs, so that what it asks of the platform
            is part of that turn.
    """

    kind: ParkedKind
    args: tuple[Any, ...]
    key: str
    name: str = ""
    before: Callable[[Any], None] | None = None
    done: concurrent.futures.Future[Any] = field(default_factory=concurrent.futures.Future)
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    given_up: bool = False
    """Nobody waits for the handler any more."""
    stop: Callable[[], None] | None = None
    """Ends the handler while it runs; from any thread."""
    begun: concurrent.futures.Future[None] = field(default_factory=concurrent.futures.Future)
    """Done when the handler begins."""

    def give_up(self) -> None:
        """Wait for it no longer: a handler that runs is stopped, one that has not begun is not called."""
        self.given_up = True
        if self.stop is not None:
            self.stop()


class Parking:
    """The parked events of one Persona's loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[ParkedKind, deque[Parked]] = {kind: deque() for kind in ORDER}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()
        self._closed = ""

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Say which loop takes events; from inside of it."""
        with self._lock:
            self._loop = loop
            self._arrived = asyncio.Event()
            if any(self._waiting.values()):
                self._arrived.set()

    def park(self, event: Parked) -> None:
        """Add an event, from any thread.

        Raises:
            LoopEnded: The loop has ended for good, or it holds too many events that it does not take.
        """
        with self._lock:
            if self._closed:
                raise LoopEnded(self._closed)
            if sum(map(len, self._waiting.values())) >= MAX_PARKED:
                raise LoopEnded(f"{MAX_PARKED} events wait already; the bot does not take them")
            self._waiting[event.kind].append(event)
            loop = self._loop
        self._wake(loop)

    def wake(self) -> None:
        """End a sleep in `arrived`, from any thread."""
        self._wake(self._loop)

    def _wake(self, loop: asyncio.AbstractEventLoop | None) -> None:
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._arrived.set)

    def take(self) -> list[Parked]:
        """Return everything that waits, in the documented order, and forget it."""
        with self._lock:
            taken = [event for kind in ORDER for event in self._waiting[kind]]
            for queue in self._waiting.values():
                queue.clear()
            self._arrived.clear()
        # Who gave up waiting (a cancelled turn) is not served; from here on it can no longer give up.
        return [event for event in taken if event.done.set_running_or_notify_cancel()]

    async def arrived(self, timeout: float) -> None:
        """Return when an event waits, after `wake`, or after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._arrived.wait()
        except TimeoutError:
            return

    def close(self, reason: str) -> None:
        """Take no more events; those that wait are told."""
        with self._lock:
            self._closed = reason
        for event in self.take():
            event.done.set_exception(LoopEnded(reason))
