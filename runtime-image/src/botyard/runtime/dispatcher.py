"""Hands events to runners: in order for each key, concurrently over keys, never more than the limits."""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from botyard.core.address import Partition
from botyard.core.inbox import Entry
from botyard.core.leases import Lease
from botyard.core.turns import Begun
from botyard.runtime.parking import Aside

MAX_QUEUED = 2048
"""Events held in memory over all keys; reading the inboxes pauses above it."""
LOOK_AGAIN = 60.0
"""Seconds after which a key that was put aside is looked at in any case: what is said to replicas may get lost."""
_runs = itertools.count()


@dataclass(slots=True)
class Job:
    """One event on its way through this replica."""

    lease: Lease
    entry: Entry
    begun: Begun | None = None
    """What its run starts from, where the commit of the turn before it has begun it."""
    run: str = field(init=False)
    """Names the run that begins next; no other run of any event has the same name."""

    def __post_init__(self) -> None:
        self.next_run()

    def next_run(self) -> None:
        """Note that a run has begun: the next one is another one."""
        # Nobody else ever has this epoch.
        self.run = f"{self.lease.epoch}.{next(_runs)}"


Following = Callable[[], Job | None]
"""Returns the job behind the one that runs, which is run next whatever happens; None where its turn has to wait."""
Runner = Callable[[Job, Following], Awaitable[Aside | None]]


class Dispatcher:
    """Queues by key for the partitions that this replica owns.

    Of a key that was put aside nothing is held in memory: it may wait for days, and what comes meanwhile with it.
    """

    def __init__(self, run: Runner, *, concurrency: int, again: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            run: Runs one event; must not raise. It may begin the one that follows.
            concurrency: Turns that run at once.
            again: Called when a key that was put aside is to be read again; `take_up` follows.
        """
        self._run = run
        self._again = again
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._queues: dict[str, deque[Job]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, Entry] = {}
        self._aside: dict[str, tuple[Entry, asyncio.TimerHandle]] = {}
        self._told: set[str] = set()
        """Keys that were told to go on while their turn was being put aside."""
        self._queued = 0
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Return when more events may be offered."""
        await self._room.wait()

    def offer(self, lease: Lease, entry: Entry) -> None:
        """Queue `entry` behind the others of its key."""
        if entry.key in self._aside:
            return
        self._queues.setdefault(entry.key, deque()).append(Job(lease, entry))
        self._count(+1)
        if entry.key not in self._tasks:
            self._tasks[entry.key] = asyncio.create_task(self._drain_key(entry.key), name=f"key {entry.key}")

    async def _drain_key(self, key: str) -> None:
        queue, ahead = self._queues[key], list[Job]()
        try:
            while queue or ahead:
                async with self._slots:
                    # The queue may have been forgotten while this key waited for its slot.
                    if not queue and not ahead:
                        continue
                    job = ahead.pop() if ahead else queue.popleft()
                    self._running[key] = job.entry
                    self._told.discard(key)
                    try:
                        if aside := await self._run(job, partial(self._take_ahead, queue, ahead)):
                            self._put_aside(job.entry, aside, ahead)
                    finally:
                        del self._running[key]
                        self._count(-1)
                        self._told.discard(key)
        finally:
            self._queues.pop(key, None)
            self._tasks.pop(key, None)

    def _take_ahead(self, queue: deque[Job], ahead: list[Job]) -> Job | None:
        """Take the next job out of its queue, as far as it is sure to get a slot at once: no key waits for one."""
        if not ahead and queue and len(self._tasks) <= self._concurrency:
            ahead.append(queue.popleft())
        return ahead[0] if ahead else None

    def _put_aside(self, entry: Entry, aside: Aside, ahead: list[Job]) -> None:
        queue = self._queues[entry.key]
        self._count(-len(queue) - len(ahead))
        queue.clear()
        ahead.clear()
        wait = LOOK_AGAIN if aside.seconds is None else min(aside.seconds, LOOK_AGAIN)
        if entry.key in self._told:
            wait = 0.0
        timer = asyncio.get_running_loop().call_later(wait, self._again, entry.key)
        self._aside[entry.key] = (entry, timer)

    def tell(self, key: str) -> Entry | None:
        """Note that a key may go on; return its event that was put aside, to be read again from there, or None."""
        if key in self._aside:
            return self._aside[key][0]
        if key in self._running:
            self._told.add(key)
        return None

    @property
    def aside(self) -> tuple[str, ...]:
        """The keys that were put aside."""
        return tuple(self._aside)

    def take_up(self, key: str, lease: Lease, entries: Iterable[Entry]) -> None:
        """Go on with a key that was put aside: `entries` is everything of it that was read until now, in order."""
        _, timer = self._aside.pop(key)
        timer.cancel()
        for entry in entries:
            self.offer(lease, entry)

    def _count(self, change: int) -> None:
        self._queued += change
        if self._queued >= MAX_QUEUED:
            self._room.clear()
        else:
            self._room.set()

    def forget(self, partition: Partition) -> None:
        """Drop what is queued and not running of a partition; its next owner reads it again."""
        for queue in self._queues.values():
            kept = [job for job in queue if job.entry.partition != partition]
            self._count(len(kept) - len(queue))
            queue.clear()
            queue.extend(kept)
        for key in [key for key, (entry, _) in self._aside.items() if entry.partition == partition]:
            _, timer = self._aside.pop(key)
            timer.cancel()

    async def drain(self, partition: Partition, timeout: float) -> bool:
        """Forget what is queued of a partition and wait for what runs; False when `timeout` seconds passed first."""
        self.forget(partition)
        tasks = [self._tasks[key] for key, entry in self._running.items() if entry.partition == partition]
        if not tasks:
            return True
        _, pending = await asyncio.wait(tasks, timeout=timeout)
        # A turn may have been put aside meanwhile.
        self.forget(partition)
        return not pending

    @property
    def running(self) -> int:
        """Turns that run now."""
        return len(self._running)

    def oldest_accepted_ms(self) -> int | None:
        """Return when the oldest event that waits or runs here was accepted, in milliseconds since the epoch."""
        times = [entry.accepted_ms for entry in self._running.values()]
        times.extend(queue[0].entry.accepted_ms for queue in self._queues.values() if queue)
        return min(times, default=None)
