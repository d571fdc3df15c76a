"""One command at a time on one cluster."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster.console import say
from localcluster.errors import ClusterError

WAIT_SECONDS = 900.0


@contextmanager
def locked(path: Path, *, seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold the lock of a state folder; the kernel gives it back however this process ends.

    Args:
        path: The lock file; its holder may delete it.
        seconds: How long to wait for another command.

    Raises:
        ClusterError: The other command is still at it.
    """
    deadline = time.monotonic() + seconds
    told = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise ClusterError(
                    f"Another command (pid {holder}) has held {path} for {seconds:.0f} s. Wait for it or end it, "
                    "then run the command again."
                ) from None
            if not told:
                say(f"  waiting for another command (pid {holder})")
                told = True
            time.sleep(0.2)
            continue
        try:
            # `down` removes the file: a lock on what is no longer there would keep nobody out.
            if not path.exists() or os.fstat(descriptor).st_ino != path.stat().st_ino:
                continue
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
            return
        finally:
            os.close(descriptor)
