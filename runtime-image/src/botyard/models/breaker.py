"""A circuit breaker: a provider that fails again and again is left alone for a while."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from botyard.models.errors import CircuitOpen


@dataclass(slots=True)
class Breaker:
    """Opens after `threshold` failures in a row; then lets one call through after each pause, to see."""

    name: str
    """What it guards, for messages."""
    threshold: int = 5
    pause: float = 5.0
    """Seconds of the first pause; each further one is twice as long."""
    longest: float = 60.0
    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    _until: float = 0.0
    _probing: bool = field(default=False)

    @property
    def is_open(self) -> bool:
        """Whether calls are refused now, but for the one that looks."""
        return self.failures >= self.threshold

    def enter(self) -> None:
        """Let a call through; `succeeded`, `failed` or `left` must follow.

        Raises:
            CircuitOpen: Not now.
        """
        if not self.is_open:
            return
        left = self._until - self.clock()
        if left > 0 or self._probing:
            raise CircuitOpen(
                f"{self.name} failed {self.failures} times in a row and is left alone"
                + (f" for another {left:.0f} s" if left > 0 else "; another call is trying it")
            )
        self._probing = True

    def succeeded(self) -> None:
        """Note that the provider answered."""
        self.failures, self._probing = 0, False

    def failed(self) -> None:
        """Note that it did not."""
        self.failures += 1
        self._probing = False
        if self.is_open:
            exponent = min(self.failures - self.threshold, 16)
            self._until = self.clock() + min(self.longest, self.pause * 2**exponent)

    def left(self) -> None:
        """Note that the call ended without saying anything of the provider."""
        self._probing = False
