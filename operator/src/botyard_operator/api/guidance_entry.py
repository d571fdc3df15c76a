"""Help with one reason of a condition."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guidance:
    """Help with one reason."""

    example: str
    """A condition's message."""
    way_out: str
