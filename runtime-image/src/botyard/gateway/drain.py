"""Shutting down without anybody losing anything: first say so, then end the streams."""

from collections.abc import Callable


class Drain:
    """Knows whether the gateway is shutting down and ends what would otherwise go on for ever."""

    def __init__(self) -> None:
        self.announced = False
        """Readiness is off; requests and streams are still served while load balancers take notice."""
        self.closed = False
        """Streams have been ended; new ones are refused."""
        self._endings: set[Callable[[], object]] = set()

    def announce(self) -> None:
        """Turn readiness off."""
        self.announced = True

    def close(self) -> None:
        """End everything that was registered."""
        self.announced = self.closed = True
        for end in tuple(self._endings):
            end()

    def register(self, end: Callable[[], object]) -> None:
        """Have `end` called when the streams are to end."""
        self._endings.add(end)

    def forget(self, end: Callable[[], object]) -> None:
        """Take a registration back."""
        self._endings.discard(end)
