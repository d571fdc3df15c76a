"""Hands events to runners: in order for each key, concurrently over keys, never more than the limits."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from botyard.core.address import Partition
from botyard.core.inbox import Entry
from botyard.core.leases import Lease

MAX_QUEUED = 2048
"""Events held in memory over all keys; reading the inboxes pauses above it."""

Runner = Callable[[Lease, Entry], Awaitable[None]]


class Dispatcher:
    """Queues by key for the partitions that this replica owns."""

    def __init__(self, run: Runner, *, concurrency: int) -> None:
        """Prepare for `concurrency` turns at once, each run by `run`, which must not raise."""
        self._run = run
        self._slots = asyncio.Semaphore(concurrency)
        self._queues: dict[str, deque[tuple[Lease, Entry]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, Entry] = {}
        self._queued = 0
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Return when more events may be offered."""
        await self._room.wait()

    def offer(self, lease: Lease, entry: Entry) -> None:
        """Queue `entry` behind the others of its key."""
        self._queues.setdefault(entry.key, deque()).append((lease, entry))
        self._count(+1)
        if entry.key not in self._tasks:
            self._tasks[entry.key] = asyncio.create_task(self._drain_key(entry.key), name=f"key {entry.key}")

    async def _drain_key(self, key: str) -> None:
        try:
            while queue := self._queues.get(key):
                async with self._slots:
                    # The queue may have been forgotten while this key waited for its slot.
                    if not queue:
                        continue
                    lease, entry = queue.popleft()
                    self._running[key] = entry
                    try:
                        await self._run(lease, entry)
                    finally:
                        del self._running[key]
                        self._count(-1)
        finally:
            self._queues.pop(key, None)
            self._tasks.pop(key, None)

    def _count(self, change: int) -> None:
        self._queued += change
        if self._queued >= MAX_QUEUED:
            self._room.clear()
        else:
            self._room.set()

    def forget(self, partition: Partition) -> None:
        """Drop what is queued and not running of a partition; its next owner reads it again."""
        for queue in self._queues.values():
            kept = [item for item in queue if item[1].partition != partition]
            self._count(len(kept) - len(queue))
            queue.clear()
            queue.extend(kept)

    async def drain(self, partition: Partition, timeout: float) -> bool:
        """Forget what is queued of a partition and wait for what runs; False when `timeout` seconds passed first."""
        self.forget(partition)
        tasks = [self._tasks[key] for key, entry in self._running.items() if entry.partition == partition]
        if not tasks:
            return True
        _, pending = await asyncio.wait(tasks, timeout=timeout)
        return not pending

    @property
    def running(self) -> int:
        """Turns that run now."""
        return len(self._running)

    def oldest_accepted_ms(self) -> int | None:
        """Return when the oldest event that waits or runs here was accepted, in milliseconds since the epoch."""
        times = [entry.accepted_ms for entry in self._running.values()]
        times.extend(queue[0][1].accepted_ms for queue in self._queues.values() if queue)
        return min(times, default=None)
