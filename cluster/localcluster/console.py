"""What the user sees while the cluster comes up: one line a step, with its time."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

NON_TTY_INTERVAL = 15.0
"""Seconds between progress lines where there is no terminal to overwrite a line in."""


class Progress:
    """The line of a step in progress."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._last = self.started
        self._shown = False

    @property
    def seconds(self) -> float:
        """Seconds since the step started."""
        return time.monotonic() - self.started

    def update(self, detail: str) -> None:
        """Show where the step stands; overwritten in a terminal, now and then elsewhere."""
        now = time.monotonic()
        if self._tty:
            if now - self._last >= 0.1:
                self._last = now
                self._shown = True
                line = f"  {self.title} ({format_seconds(self.seconds)}): {detail}"
                sys.stderr.write(f"\r\x1b[K{line[:110]}")
                sys.stderr.flush()
        elif now - self._last >= NON_TTY_INTERVAL:
            self._last = now
            say(f"  {self.title}: {detail} ({format_seconds(self.seconds)})")

    def clear(self) -> None:
        """Take the overwritten line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextmanager
def step(title: str) -> Iterator[Progress]:
    """Show a step; its line with the time it took appears when it is done."""
    progress = Progress(title)
    try:
        yield progress
    finally:
        progress.clear()
    say(f"✓ {title} ({format_seconds(progress.seconds)})")


def say(line: str) -> None:
    """Write one line for a person; standard output stays free for machines."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def format_seconds(seconds: float) -> str:
    """Return `3.2 s` or `4 min 05 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
