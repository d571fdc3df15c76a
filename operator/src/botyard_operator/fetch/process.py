"""Child processes of a fetch: what they inherit, how much of what they say is kept, and that none outlives its task."""

import asyncio
import os
import signal
from typing import Protocol

_PASSED_ON = (
    "PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_REAP_CHECK = 0.01
_REAP_CHECKS = 100


def base_environment() -> dict[str, str]:
    """Return what every child gets of the operator's own environment: the way to programs, authorities and proxies."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "GIT_PYTHON_REFRESH": "quiet", **passed}


async def read_capped(reader: asyncio.StreamReader, most: int) -> bytes:
    """Read to the end, keeping the first `most` bytes, so that a talkative child neither blocks nor fills memory."""
    kept = bytearray()
    while block := await reader.read(1 << 14):
        kept += block[: max(0, most - len(kept))]
    return bytes(kept)


class Leader(Protocol):
    """A child that leads a process group."""

    @property
    def pid(self) -> int:
        """Its id, and that of the group."""

    async def wait(self) -> int:
        """Return its exit code once it has ended."""


async def kill_group(process: Leader) -> None:
    """Kill whatever is left of a child's group and wait until it is gone, at most a second for its descendants."""
    left = _signal_group(process, signal.SIGKILL)
    await process.wait()
    # Descendants are reaped by whoever adopts them; only then have their folders no user any more.
    for _ in range(_REAP_CHECKS):
        if not left or not _signal_group(process, 0):
            return
        await asyncio.sleep(_REAP_CHECK)


def _signal_group(process: Leader, number: int) -> bool:
    """Send a signal to all processes of a child's group; return whether there was one."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
