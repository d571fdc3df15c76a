"""Which residents are tried apart from the others, because a worker ended soon after they began in it. Pure.

A worker that ends takes all loops in it along, and only its end is seen, not whose code it was. The loops that had
just begun are suspected: they begin anew in workers of their own, in halves, and halves of those that end again,
until whoever does it is alone. Everybody else lives on where nobody is suspected. Whoever is alone and ends its worker
pauses, longer each time.
"""

import random
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from botyard.runtime.hosts import Host

YOUNG = 120.0
"""Seconds after its beginning in a worker in which a loop is suspected of the worker's end."""
MAX_APART = 2
"""Workers that suspects live in at once."""
SHORTEST_PROOF = 3.0
LONGEST_PROOF = 240.0
"""Seconds that suspects run before they are taken for innocent: twice as long as what ended lived."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds before a loop that ended its worker alone begins again: doubled each time, up to the longest."""
SPACING = 0.05
LONGEST_SPACING = 5.0
"""Seconds between two beginnings of suspects, for each group that waits: a bundle that ends everywhere costs little."""


@dataclass(slots=True, eq=False)
class Group:
    """Suspects that live in one worker.

    Attributes:
        names: Who.
        proof: Seconds that all of them must have run.
        not_before: Time before which they do not begin.
        host: Where they live; None: they wait for a worker.
        until: Time at which they are innocent, once all run.
    """

    names: set[str]
    proof: float
    not_before: float
    host: Host | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Blame:
    """What is held against a resident.

    Attributes:
        times: Ends of workers in a row in which it had just begun.
        alone: Those of them in which nobody else lived.
        message: For people.
    """

    times: int
    alone: int
    message: str


class Suspects:
    """Remembers who is suspected, and in which groups they are tried."""

    def __init__(self) -> None:
        self._groups: list[Group] = []
        self._of: dict[str, Group] = {}
        self._blames: dict[str, Blame] = {}
        self._next = 0.0
        """Time before which no group begins."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """Those that are tried, the oldest first."""
        return tuple(self._groups)

    @property
    def workers(self) -> int:
        """How many workers they need now."""
        return min(MAX_APART, len(self._groups))

    def group_of(self, name: str) -> Group | None:
        """Return the group of a resident; None: it is not suspected."""
        return self._of.get(name)

    def blame_of(self, name: str) -> Blame | None:
        """Return what is held against a resident."""
        return self._blames.get(name)

    def pause_of(self, name: str, now: float) -> float:
        """Return the seconds for which a resident does not begin because it ended its worker, alone; else 0."""
        group = self.group_of(name)
        return max(0.0, group.not_before - now) if group is not None and group.host is None else 0.0

    def may_begin(self, now: float) -> Group | None:
        """Return the next group to be given a worker."""
        if now < self._next or sum(group.host is not None for group in self._groups) >= MAX_APART:
            return None
        return next((group for group in self._groups if group.host is None and group.not_before <= now), None)

    def next_look(self, now: float) -> float | None:
        """Return the time at which something is to be done, if nothing happens before."""
        waiting = [group.not_before for group in self._groups if group.host is None]
        soonest = [max(self._next, min(waiting))] if waiting else []
        found = [at for at in (*soonest, *(group.until for group in self._groups)) if at is not None and at > now]
        return min(found, default=None)

    def ended(self, ages: Mapping[str, float], now: float, how: str) -> Collection[str]:
        """Take note of the end of a worker; return whom it is held against.

        Args:
            ages: Seconds for which each resident of the worker had lived there, by name.
            now: The time.
            how: How the worker ended, for people.
        """
        young = sorted(name for name, age in ages.items() if age < YOUNG)
        if not young:
            return ()
        self._forget(young)
        proof = min(LONGEST_PROOF, max(SHORTEST_PROOF, 2 * max(ages[name] for name in young)))
        alone = len(ages) == 1
        for name in young:
            before = self._blames.get(name, Blame(0, 0, ""))
            told = _told(how, len(young), alone=alone)
            self._blames[name] = Blame(before.times + 1, before.alone + alone, told)
        self._next = now + min(LONGEST_SPACING, SPACING * len(self._groups))
        if len(young) == 1:
            [name] = young
            times = min(self._blames[name].alone, 10)
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (times - 1)) * random.uniform(0.7, 1.0)  # noqa: S311
            proof = min(LONGEST_PROOF, max(proof, SHORTEST_PROOF * 2**times))
            self._try(Group({name}, proof, now + (pause if alone else 0.0)))
            return young
        # Every second one: neighbours in the alphabet are often hired for the same thing.
        self._try(Group(set(young[::2]), proof, now))
        self._try(Group(set(young[1::2]), proof, now))
        return young

    def acquit(self, group: Group) -> Collection[str]:
        """Take a group for innocent; return who was in it."""
        names = tuple(group.names)
        self._forget(names)
        for name in names:
            self._blames.pop(name, None)
        return names

    def retry(self, name: str) -> None:
        """Have a suspect begin without a pause: it is not what it was."""
        if (group := self._of.get(name)) is not None:
            group.not_before, group.proof = 0.0, SHORTEST_PROOF

    def keep_only(self, wanted: Collection[str]) -> None:
        """Forget residents that are not wanted any more."""
        gone = [name for name in self._blames if name not in wanted]
        self._forget(gone)
        for name in gone:
            del self._blames[name]

    def _try(self, group: Group) -> None:
        self._groups.append(group)
        self._of |= dict.fromkeys(group.names, group)

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            if (group := self._of.pop(name, None)) is not None:
                group.names.discard(name)
        self._groups = [group for group in self._groups if group.names]


def _told(how: str, number: int, *, alone: bool) -> str:
    if alone:
        return f"its code ends its process ({how}); it begins again alone, after growing pauses"
    if number == 1:
        return f"its process ended soon after it began ({how}); it begins again alone"
    return f"its process ended soon after it and {number - 1} others began ({how}); they begin again apart"
