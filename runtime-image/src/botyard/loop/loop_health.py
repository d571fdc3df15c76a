"""How a Persona's main loop fares, as it is told to the platform."""

from dataclasses import dataclass
from typing import Literal

LoopState = Literal["running", "failing", "ended"]


@dataclass(frozen=True)
class LoopHealth:
    """How a Persona's loop fares.

    Attributes:
        state: `failing` while it pauses after an end that nobody asked for.
        failures: Such ends in a row; kept until it has run steadily.
        message: The last one's exception, or empty.
        unhandled: Tools that the bot offers and has no handler for, once it takes events.
    """

    state: LoopState = "running"
    failures: int = 0
    message: str = ""
    unhandled: tuple[str, ...] = ()
