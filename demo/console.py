"""What the person at the terminal sees: one line a step, with its time where it took any."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


@contextmanager
def step(title: str) -> Iterator[list[str]]:
    """Name a step before it starts and say what came of it after.

    Yields:
        A list for what to add to the closing line.
    """
    started = time.monotonic()
    say(f"▸ {title}")
    notes: list[str] = []
    yield notes
    say(f"  ✓ {', '.join([*notes, f'{time.monotonic() - started:.1f} s'])}")
