"""When a call is tried again, and after which pause."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIED = frozenset((408, 409, 425, 429, 500, 502, 503, 504, 529))
"""HTTP statuses after which the same request may succeed, and for which providers charge nothing."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Tries, and the pauses between them."""

    tries: int = 3
    first: float = 0.5
    """Seconds of the first pause; each further one is twice as long."""
    longest: float = 8.0
    """Seconds of a pause that is Botyard's own choice, at most."""
    patience: float = 30.0
    """Seconds that a provider may ask to wait (Retry-After); if it asks for more, the call fails at once."""

    def pause(self, failures: int, asked: float | None, *, chance: Callable[[], float] = random.random) -> float | None:
        """Return the seconds to wait before the next try, or None to give up.

        Args:
            failures: Tries that failed, at least 1.
            asked: Seconds that the provider asked for.
            chance: Gives a number from 0 to 1.
        """
        if failures >= self.tries or (asked is not None and asked > self.patience):
            return None
        spread = 0.5 + chance() / 2
        if asked is not None:
            # Never earlier than asked, and not all waiting callers at the same moment.
            return asked + min(1.0, asked) * (1 - spread)
        return float(min(self.longest, self.first * 2 ** (failures - 1)) * spread)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the seconds that a response's headers ask to wait, or None.

    Args:
        headers: With case-insensitive names.
        now: The present; the clock's if left out.
    """
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            return max(0.0, float(milliseconds) / 1000)
        if (value := headers.get("retry-after")) is None:
            return None
        if value.strip().replace(".", "", 1).isdigit():
            return float(value)
        at = parsedate_to_datetime(value)
        return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None
