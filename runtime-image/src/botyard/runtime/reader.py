"""Reads the inboxes of owned partitions and offers what comes to the dispatcher."""

import asyncio
import logging
import random
from typing import Any

from redis.asyncio import Redis

from botyard.core import keys
from botyard.core.address import Partition
from botyard.core.connection import Unavailable, in_cluster
from botyard.core.inbox import Entry, parse_entry
from botyard.core.leases import Lease
from botyard.runtime.dispatcher import Dispatcher

log = logging.getLogger("botyard.reader")

BLOCK_MS = 5000
"""Milliseconds that one read waits for news; less than the connection's time-out."""
BATCH = 128
"""Events taken from one partition at a time."""


class InboxReader:
    """One blocking read over all partitions of this replica."""

    def __init__(self, redis: Redis, dispatcher: Dispatcher) -> None:
        self._redis = redis
        self._dispatcher = dispatcher
        self._leases: dict[Partition, Lease] = {}
        self._positions: dict[Partition, str] = {}
        self._changed = asyncio.Event()
        self._resuming: dict[str, asyncio.Task[None]] = {}

    def add(self, lease: Lease) -> None:
        """Read a partition from its beginning: whatever is in an inbox is not committed."""
        self._leases[lease.partition] = lease
        self._positions[lease.partition] = "0-0"
        self._changed.set()

    def remove(self, partition: Partition) -> None:
        """Stop reading a partition and forget what was read and not begun."""
        self._leases.pop(partition, None)
        self._positions.pop(partition, None)
        self._dispatcher.forget(partition)
        self._changed.set()

    def resume(self, key: str) -> None:
        """Read a key again that was put aside, from the event that waits; nothing happens for any other key."""
        if key in self._resuming or (entry := self._dispatcher.tell(key)) is None:
            return
        task = asyncio.create_task(self._take_up(entry), name=f"resume {key}")
        self._resuming[key] = task
        task.add_done_callback(lambda _: self._resuming.pop(key, None))

    async def _take_up(self, entry: Entry) -> None:
        """Hand over what is in the inbox of a key until the position that was read; what comes later follows."""
        partition, found, start = entry.partition, list[Entry](), entry.id
        while (position := self._positions.get(partition)) is not None and entry.key in self._dispatcher.aside:
            try:
                page: Any = await self._redis.xrange(keys.inbox(partition), start, position, count=BATCH)
            except Unavailable:
                await asyncio.sleep(random.uniform(0.2, 1.0))  # noqa: S311
                continue
            read = [parse_entry(partition, *each) for each in page]
            found += [each for each in read if each.key == entry.key]
            if read:
                start = f"({read[-1].id}"
            if len(read) == BATCH:
                continue
            # Nothing was read meanwhile, so nothing of the key can be missing between this and what comes.
            if self._positions.get(partition) == position and self._dispatcher.tell(entry.key) is entry:
                self._dispatcher.take_up(entry.key, self._leases[partition], found)
                return
        if partition not in self._positions:
            self._dispatcher.forget(partition)

    async def run(self) -> None:
        """Read until cancelled. Redis may go away and come back."""
        while True:
            await self._dispatcher.room()
            self._changed.clear()
            if not self._positions:
                await self._changed.wait()
                continue
            try:
                asked = dict(self._positions)
                self._offer(await self._read(), asked)
            except Unavailable as error:
                log.warning("the inboxes cannot be read, trying again: %s", error)
                await asyncio.sleep(random.uniform(0.2, 1.0))  # noqa: S311

    async def _read(self) -> list[tuple[bytes, Any]]:
        """Return what the first read brought; nothing when the set of partitions changed meanwhile."""
        reads = [
            asyncio.ensure_future(self._redis.xread(streams, count=BATCH, block=BLOCK_MS)) for streams in self._reads()
        ]
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait((*reads, changed), return_when=asyncio.FIRST_COMPLETED)
            # The stubs know only the newest protocol's answer; these are (stream, entries) pairs.
            answers: list[Any] = [read.result() for read in reads if read.done()]
            return [(stream, entries) for answer in answers for stream, entries in answer or ()]
        finally:
            for task in (*reads, changed):
                task.cancel()
            await asyncio.gather(*reads, changed, return_exceptions=True)

    def _reads(self) -> list[Any]:
        """Return what to read together: everything, or in a cluster one partition at a time, as each is a slot."""
        streams = {keys.inbox(partition): position for partition, position in self._positions.items()}
        if in_cluster(self._redis):
            return [{stream: position} for stream, position in streams.items()]
        return [streams]

    def _offer(self, answer: list[tuple[bytes, Any]], asked: dict[Partition, str]) -> None:
        by_stream = {keys.inbox(partition).encode(): partition for partition in self._positions}
        for stream, entries in answer:
            partition = by_stream.get(stream)
            # A partition that was lost and taken anew meanwhile is read from its beginning.
            if partition is None or self._positions[partition] != asked.get(partition):
                continue
            for entry_id, fields in entries:
                self._positions[partition] = entry_id.decode()
                self._dispatcher.offer(self._leases[partition], parse_entry(partition, entry_id, fields))
