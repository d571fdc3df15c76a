"""How the supervisor puts a turn aside while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class ParkTurn(Exception):
    """Raised by what answers a turn's call: the turn ends here and runs again, from its journal, when it is told to.

    Attributes:
        reason: For people; the conversation is told by `turn.parked`.
        until_ms: When it goes on by itself, in milliseconds since the epoch by the clock of Redis; 0: when told.
        data: JSON-able; kept with the parked turn.
    """

    def __init__(self, reason: str, *, until_ms: int = 0, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.until_ms = until_ms
        self.data = dict(data or {})


@dataclass(frozen=True, slots=True)
class Aside:
    """What a runner says of an event that it did not run: the dispatcher must leave its key alone.

    Attributes:
        seconds: Until it may be tried again; None: when it is told.
    """

    seconds: float | None
