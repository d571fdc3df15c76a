"""How a bot's code learns that its loop is to end.

Many Personas run in one process, each with a loop in a thread of its own, while bots ask one name of a module
(`ckit_shutdown.shutdown_event`). That name is a view: it asks the loop that the asking code runs in.
"""

import asyncio
import contextvars
import threading


class Shutdown:
    """The end of one Persona's loop: set from any thread, awaited in the loop."""

    def __init__(self) -> None:
        self._set = threading.Event()
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    def is_set(self) -> bool:
        """Tell whether the loop is to end."""
        return self._set.is_set()

    def set(self) -> None:
        """Ask the loop to end; for good."""
        with self._lock:
            self._set.set()
            waiting = list(self._waiting.items())
        for event, loop in waiting:
            # A loop that has ended needs no waking.
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def wait(self, timeout: float | None = None) -> bool:
        """Return True as soon as the loop is to end, False after `timeout` seconds."""
        event = asyncio.Event()
        with self._lock:
            if self._set.is_set():
                return True
            self._waiting[event] = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._waiting.pop(event, None)
        return True


_current: contextvars.ContextVar[Shutdown | None] = contextvars.ContextVar("botyard_loop_shutdown", default=None)
_process = Shutdown()


def enter(shutdown: Shutdown) -> None:
    """Make `shutdown` the one of the code that runs in this context from now on."""
    _current.set(shutdown)


def current() -> Shutdown:
    """Return the shutdown of the loop that asks; the process's own outside of any."""
    return _current.get() or _process


class ShutdownView:
    """What bots know as `shutdown_event`: an `asyncio.Event` in the parts that they use."""

    def is_set(self) -> bool:
        """Tell whether the asking loop is to end."""
        return current().is_set()

    def set(self) -> None:
        """Ask the asking loop to end."""
        current().set()

    async def wait(self) -> bool:
        """Return when the asking loop is to end."""
        return await current().wait()


shutdown_event = ShutdownView()


async def wait(timeout: float) -> bool:
    """Sleep for `timeout` seconds, or less: True as soon as the loop is to end, else False."""
    return await current().wait(timeout)
