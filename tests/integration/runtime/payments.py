"""A ledger of everything that costs money outside: what was asked, and what is known to be kept.

Model and tools write a line when they are reached, in one file, in the order in which that happens. Whoever has seen
that an answer was kept (because it was used) writes that down, too. What was asked again after it was kept was paid
twice.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ASKED, KEPT = "asked", "kept"


@dataclass(frozen=True)
class Payments:
    """One file; lines are appended by several processes."""

    path: Path

    def asked(self, what: str) -> None:
        """Somebody was asked for `what`, which costs something."""
        self._note(ASKED, what)

    def kept(self, what: str) -> None:
        """The answer was used, so it had been kept before."""
        self._note(KEPT, what)

    def _note(self, event: str, what: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{event} {what}\n")

    def lines(self) -> list[tuple[str, str]]:
        """Everything, in order."""
        text = self.path.read_text() if self.path.exists() else ""
        return [(event, what) for event, _, what in (line.partition(" ") for line in text.splitlines())]

    def paid_twice(self) -> list[str]:
        """What was asked for after its answer had been kept."""
        kept: set[str] = set()
        twice = []
        for event, what in self.lines():
            if event == KEPT:
                kept.add(what)
            elif what in kept:
                twice.append(what)
        return twice

    def repeated(self) -> int:
        """How many times something was asked for again: its answer had been lost with its process."""
        counts = Counter(what for event, what in self.lines() if event == ASKED)
        return sum(counts.values()) - len(counts)
