"""Kills the worker that takes the most memory before the container has none left.

Where a container of workers runs out of memory, Kubernetes has the kernel kill all of its processes: every turn would
be interrupted, nobody could tell whose fault it was, and each restart of the container would take longer. One worker
that is killed in time costs its own turns a few milliseconds, and its event is tried again alone.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

log = logging.getLogger("botyard.memory")

CGROUPS = (
    # Where the limit is, where the use is told, and by what name: version 2 and version 1.
    (Path("/sys/fs/cgroup"), "memory.max", "anon"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "total_rss"),
)
FILLED = 0.9
"""Part of the limit at which a worker is killed."""
FASTEST = 4e9
"""Bytes a second: nothing takes memory faster, so a look can wait as long as that leaves room."""
LEAST_PAUSE, MOST_PAUSE = 0.01, 1.0
"""Seconds between looks."""
_UNLIMITED = 1 << 60


class MemoryGuard:
    """Watches the memory of one container."""

    def __init__(
        self, workers: Callable[[], Mapping[str, int]], kill: Callable[[str], None], *, folder: Path | None = None
    ) -> None:
        """Prepare.

        Args:
            workers: The process ids of those that run, by name.
            kill: Ends one.
            folder: The container's control group; None: where containers find their own.
        """
        self._workers = workers
        self._kill = kill
        self._folders = CGROUPS if folder is None else tuple((folder, limit, use) for _, limit, use in CGROUPS)

    async def run(self) -> None:
        """Watch until cancelled; return at once where there is no limit."""
        found = self._limit()
        if found is None:
            return
        limit, stat, name = found
        doomed = ""
        while True:
            used = _used(stat, name)
            room = FILLED * limit - used
            if room > 0:
                doomed = ""
            elif doomed not in (workers := self._workers()) and workers:
                sizes = {worker: _resident(pid) for worker, pid in workers.items()}
                doomed = max(sizes, key=sizes.__getitem__)
                log.error(
                    "%s is killed: it has %.0f MB, and the workers together %.0f of the %.0f MB that their container "
                    "may have",
                    doomed, sizes[doomed] / 1e6, used / 1e6, limit / 1e6,
                )  # fmt: skip
                self._kill(doomed)
            await asyncio.sleep(min(MOST_PAUSE, max(LEAST_PAUSE, room / FASTEST)))

    def _limit(self) -> tuple[int, Path, str] | None:
        """Return the limit in bytes, and in which file by which name the use is told; None: there is no limit."""
        for folder, limit, use in self._folders:
            try:
                text = (folder / limit).read_text().strip()
            except OSError:
                continue
            if text.isdigit() and int(text) < _UNLIMITED:
                return int(text), folder / "memory.stat", use
        return None


def _used(stat: Path, name: str) -> int:
    """Return the bytes that nothing but the end of processes gives back: files that were read do not count."""
    try:
        lines = stat.read_text().splitlines()
    except OSError:
        return 0
    return next((int(value) for key, _, value in (line.partition(" ") for line in lines) if key == name), 0)


def _resident(pid: int) -> int:
    """Return the bytes of a worker's process."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return 0
