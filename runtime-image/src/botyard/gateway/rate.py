"""How often one caller may write to one bot: a token bucket for each, in memory, bounded."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable


class RateLimiter:
    """Token buckets that fill with `rate` a second up to `burst`.

    The limit holds for one gateway process: with N replicas behind a Service a caller gets up to N times as much.
    It protects the gateway; what a user may spend is the business of quotas and budgets.

    Args:
        rate: Requests a second; 0: no limit.
        burst: Requests at once.
        size: Most callers remembered; the one idle for longest is forgotten first.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, rate: float, burst: int, *, size: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._size = size
        self._clock = clock
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable) -> float:
        """Take one token: 0 when there was one, else the seconds until there is one."""
        if self._rate <= 0:
            return 0.0
        now = self._clock()
        tokens, since = self._buckets.pop(key, (float(self._burst), now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._rate
        self._buckets[key] = (tokens - 1 if wait == 0 else tokens, now)
        if len(self._buckets) > self._size:
            self._buckets.popitem(last=False)
        return wait
