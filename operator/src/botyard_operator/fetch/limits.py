"""What a fetch child may use, set by the child on itself before it reads anything foreign."""

import ctypes
import os
import resource
import signal

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
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _lower(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))
