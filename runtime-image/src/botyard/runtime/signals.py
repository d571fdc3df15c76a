"""Small ways to tell each other something inside of one event loop."""

import asyncio
from collections.abc import Callable


class Stop:
    """Asks a turn to end: set by whoever wants that, waited for by whoever runs it."""

    __slots__ = ("told",)

    def __init__(self) -> None:
        self.told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once it is set; a future, so that waiting for it beside something else needs no task."""

    def set(self) -> None:
        """Ask; more than once is the same as once."""
        if not self.told.done():
            self.told.set_result(None)

    def is_set(self) -> bool:
        """Whether it was asked."""
        return self.told.done()


class Changes:
    """Tells those who wait for something that it may have come about; telling nobody costs nothing."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def tell(self) -> None:
        """Have everybody who waits look again."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when `holds()` is true; it is asked now and whenever something is told."""
        while not holds():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                await waiter
            finally:
                self._waiting.discard(waiter)
