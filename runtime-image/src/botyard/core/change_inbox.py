"""The way in for changes of a database: many at once, each once, known by their place in the database's log.

In contrast to `Inbox.accept` nothing is kept for each event to tell repetitions by: a source sends in the order of its
log, and what is kept is how far it came in each partition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgpack
from redis.asyncio import Redis

from botyard.core import ids, keys
from botyard.core.address import Partition
from botyard.core.errors import Overloaded
from botyard.core.inbox import MAX_PENDING
from botyard.core.retention import Retention
from botyard.core.scripts import Scripts


@dataclass(slots=True)
class PartitionBatch:
    """What one partition gets of a batch.

    Attributes:
        changes: Place and JSON of each change, in the order of the log.
        events: For each event its key, which is a Persona's, and the numbers of its changes in `changes`.
    """

    changes: list[tuple[str, str]] = field(default_factory=list)
    events: list[tuple[str, list[int]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch."""

    events: int
    """Events that were stored."""
    stored: int
    """Changes in them: one for each key that gets it."""
    known: int
    """Changes that had been accepted before."""


class ChangeInbox:
    """Accepts changes for all bots on one Redis."""

    def __init__(self, redis: Redis, *, retention: Retention | None = None) -> None:
        self._scripts = Scripts(redis)
        self._retention = retention or Retention()

    async def accept(
        self, partition: Partition, *, source: str, reached: str, batch: PartitionBatch, max_pending: int = MAX_PENDING
    ) -> Taken:
        """Accept a batch; when this returns, Redis has it (on disk, where its URL asks for that).

        Args:
            partition: Whose inbox.
            source: Where the changes come from. One sender at a time sends in the order of the log; what an older one
                sends late does no harm, as long as both read the same log.
            reached: Place of the batch's last change, whoever gets it; places sort as the log does.
            batch: The changes and who gets them.
            max_pending: Events that may wait in the partition.

        Raises:
            Overloaded: Too many events wait; nothing was stored.
            NotFlushed: It is not known to be on disk; accept it again.
        """
        names = [
            keys.inbox(partition),
            keys.erp_positions(partition),
            keys.conversation(partition, ""),
            keys.open_turns(partition, ""),
        ]
        # Old-style strings: Redis's own msgpack knows neither the bin nor the str8 type.
        events = msgpack.packb(batch.events, use_bin_type=False)
        # All keys are Personas' own.
        args: list[str | int | bytes] = [
            source, reached, max_pending, self._retention.persona, f"{ids.new_turn()}.", events
        ]  # fmt: skip
        for change in batch.changes:
            args += change
        answer = await self._scripts.run_to_disk("accept_changes", keys=names, args=args)
        if answer[0] == b"overloaded":
            raise Overloaded(pending=int(answer[1]), retry_after=1.0)
        return Taken(*map(int, answer[1:4]))


def by_partition(
    changes: Sequence[tuple[str, str, Mapping[Partition, Sequence[str]]]], *, most: int
) -> dict[Partition, PartitionBatch]:
    """Return what each partition gets.

    Args:
        changes: Place, JSON and receiving keys by partition, in the order of the log.
        most: Changes in one event.
    """
    batches: dict[Partition, PartitionBatch] = {}
    growing: dict[Partition, dict[str, list[int]]] = {}
    for place, text, receivers in changes:
        for partition, receiving in receivers.items():
            batch = batches.setdefault(partition, PartitionBatch())
            events = growing.setdefault(partition, {})
            number = len(batch.changes)
            batch.changes.append((place, text))
            for key in receiving:
                numbers = events.get(key)
                if numbers is None or len(numbers) >= most:
                    numbers = events[key] = []
                    batch.events.append((key, numbers))
                numbers.append(number)
    return batches
