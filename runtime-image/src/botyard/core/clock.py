"""The clock of Redis, by which everything that is kept is timed: those of replicas and their nodes may differ."""

import time


class ServerClock:
    """Tells Redis's time between its answers.

    The local clock only measures what has passed since the last answer, by its monotonic reading; what it believes the
    time to be matters only until the first answer.
    """

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def heard(self, now_ms: int) -> None:
        """Take up what an answer of Redis said, in milliseconds since the epoch."""
        self._ahead = now_ms / 1000 - time.monotonic()

    def now(self) -> float:
        """Return Redis's time in seconds since the epoch."""
        return time.monotonic() + self._ahead
