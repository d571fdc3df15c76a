"""The end of `botyard dev`: it comes in order where that is possible, and it comes in any case."""

import asyncio
import logging
import os
import signal
import threading

from botyard.cli.dev import processes
from botyard.cli.errors import EXIT_INTERRUPTED

log = logging.getLogger("botyard.dev")

ENDING_SECONDS = 30.0
"""What the orderly end may take altogether: draining, the worker host, Redis, and threads that still work."""


class Ending:
    """Turns signals into the event `stop`; ends the process by force when the orderly end takes too long.

    Not everything can be bounded where it happens: a thread that hangs in a file system holds up the interpreter's own
    end. So a thread of its own watches, which needs nothing of the event loop.

    Args:
        seconds: See `ENDING_SECONDS`.
    """

    def __init__(self, *, seconds: float = ENDING_SECONDS) -> None:
        self.stop = asyncio.Event()
        """Set by the first signal."""
        self._seconds = seconds
        self._watch: threading.Timer | None = None

    def listen(self) -> None:
        """Take over SIGINT and SIGTERM; the second one ends everything at once."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._signal)

    def begin(self) -> None:
        """Begin to end, for whatever reason; the clock runs from the first call."""
        self.stop.set()
        if self._watch is None:
            self._watch = threading.Timer(self._seconds, self._too_long)
            self._watch.daemon = True
            self._watch.start()

    def _signal(self) -> None:
        if self._watch is not None:
            log.warning("ended at once, as asked for twice")
            _force()
        self.begin()

    def _too_long(self) -> None:
        log.error("not everything ended within %g s; ended by force", self._seconds)
        _force()


def _force() -> None:
    processes.kill_all()
    # No clean-up of the interpreter, which is what may hang; sockets and the temporary folder hold nothing of worth.
    os._exit(EXIT_INTERRUPTED)
