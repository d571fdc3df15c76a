"""How many replicas a Bot should have. Pure: no clock, no I/O.

One rule: each look at the work gives a number of replicas that would do now, and the Bot has the greatest number of the
last `idleAfter`. So it grows at once, shrinks only when less was enough for the whole time, and never stops a replica
because of a short pause.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_MOST_LOOKS = 512
"""Looks that are remembered; with more, neighbours are merged into their greater one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What `spec.autoscaling` asks for."""

    least: int
    most: int
    events_per_replica: int
    idle_seconds: float


def recommended(waiting: int, bounds: Bounds) -> int:
    """Return how many replicas `waiting` events need.

    Args:
        waiting: Accepted events that are not committed, and timers that are due.
        bounds: What the spec asks for.
    """
    needed = -(-waiting // bounds.events_per_replica)
    return max(bounds.least, min(needed, bounds.most))


@dataclass(slots=True)
class Window:
    """The recommendations of the last `idleAfter`, in order of time, each greater than all that follow it."""

    looks: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, at: float, replicas: int) -> None:
        """Take in a recommendation.

        Args:
            at: When, in seconds; not before the ones that were added already.
            replicas: What was recommended.
        """
        while self.looks and self.looks[-1][1] <= replicas:
            self.looks.pop()
        self.looks.append((at, replicas))
        if len(self.looks) > _MOST_LOOKS:
            _, dropped = self.looks.popleft()
            later, _ = self.looks.popleft()
            self.looks.appendleft((later, dropped))

    def greatest(self, now: float, seconds: float) -> int | None:
        """Return the greatest recommendation of the last `seconds`, or None where there is none."""
        while self.looks and self.looks[0][0] <= now - seconds:
            self.looks.popleft()
        return self.looks[0][1] if self.looks else None


def decide(
    window: Window,
    *,
    replicas: int,
    waiting: int,
    marked: float | None,
    watched_since: float,
    now: float,
    bounds: Bounds,
) -> int:
    """Return how many replicas the Bot should have now.

    Args:
        window: What was recommended before; it is changed.
        replicas: What it has.
        waiting: Events that wait, and timers that are due.
        marked: When the last event was accepted for it, in seconds; None: never.
        watched_since: When this process began to look, in seconds: what was before is not known.
        now: The present, in seconds on the same clock.
        bounds: What the spec asks for.
    """
    window.add(now, recommended(waiting, bounds))
    demanded = marked is not None and now - marked < bounds.idle_seconds
    wanted = max(window.greatest(now, bounds.idle_seconds) or 0, 1 if demanded else 0, bounds.least)
    if wanted < replicas and now - watched_since < bounds.idle_seconds:
        wanted = replicas
    return min(wanted, bounds.most)
