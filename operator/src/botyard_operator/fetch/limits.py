"""What a fetch child may use, set by the child on itself before it reads anything foreign."""

import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Iterator

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 5


def apply_limits(*, cpu_seconds: int, memory_bytes: int, file_bytes: int, wall_seconds: float) -> None:
    """Limit this process and everything that it starts.

    Args:
        cpu_seconds: CPU time of each process.
        memory_bytes: address space of each process.
        file_bytes: size of each file written.
        wall_seconds: after this and a grace period the whole process group kills itself, should the operator, whose
            task it is, be gone.
    """
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    _lower(resource.RLIMIT_AS, memory_bytes)
    _lower(resource.RLIMIT_FSIZE, file_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    os.umask(0o077)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(0, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, wall_seconds + _GRACE_SECONDS)
    # Die with the operator; where prctl does not exist the alarm above has to do.
    die_with_parent()


def die_with_parent() -> None:
    """Have this process killed when the one that started it ends."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@contextlib.contextmanager
def file_size_limit(most: int) -> Iterator[None]:
    """Limit the size of each file that children started in this block write, further than the limits that stay."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    lower = most if before == resource.RLIM_INFINITY else min(most, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, (lower, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))
