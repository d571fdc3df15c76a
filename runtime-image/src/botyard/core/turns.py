"""The two ends of a turn: begin a run of an event, and commit what it did."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import msgpack
from redis.asyncio import Redis

from botyard.core import codec, keys
from botyard.core.errors import AlreadyCommitted, StaleOwner, StillParked
from botyard.core.inbox import Entry
from botyard.core.leases import Lease
from botyard.core.records import MAX_RECORDS, RecordsFull
from botyard.core.reply import text
from botyard.core.retention import Retention
from botyard.core.scripts import Scripts

StateChange = Literal["keep", "set", "drop"]


@dataclass(frozen=True, slots=True)
class Begun:
    """What a run of an event starts from."""

    attempt: int
    """1 for the first run."""
    crashes: int
    """How often a worker died of this event."""
    state: dict[str, Any] | None
    ends: str
    """How often the conversation had been ended; a commit's state counts only if that is still so."""
    journal: dict[str, bytes]
    """Records of the steps that earlier runs took, by ordinal: `0`, `1`, and below a step `1.0`."""
    parks: int
    """Runs that were put aside."""
    made_by: Mapping[str, str]
    """What wrote the state: {revision (of the bundle), schema (the version that its program told)}; may be empty."""
    cancelled: bool
    """Somebody asked for the turn to be cancelled."""
    now_ms: int
    """When the run began, in milliseconds since the epoch, by the clock of Redis."""


@dataclass(frozen=True, slots=True)
class NextEvent:
    """An event that a turn causes, at once or later, in its own partition or another one of the same bot."""

    event: str
    key: str
    kind: str
    payload: str
    """JSON text."""
    turn: str
    user: str
    due_ms: int = 0
    """Milliseconds since the epoch, by the clock of Redis; 0: at once."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that one turn changes."""

    record: str
    """JSON of the turn for the conversation's history."""
    outputs: Sequence[str] = ()
    """Envelopes as JSON text, in order."""
    change: StateChange = "keep"
    state: Mapping[str, Any] | None = None
    made_by: Mapping[str, str] = field(default_factory=dict)
    """What wrote the state: {revision, schema}, kept beside it; see `Begun.made_by`."""
    records: Mapping[str, Any | None] = field(default_factory=dict)
    """Lasting records of the key to write; None removes one."""
    drop_records: bool = False
    """Remove all records: the session is over."""
    ends: str = "0"
    """`Begun.ends` of the run that commits."""
    events: Sequence[NextEvent] = ()
    dead: str | None = None
    """JSON of the dead letter when the event is given up."""
    now_ms: int = 0
    retention: Retention = field(default_factory=Retention)


@dataclass(frozen=True, slots=True)
class Committed:
    """What came of a commit."""

    last: int
    """The number of the conversation's last output."""
    following: Begun | None = None
    """What a run of the event that follows starts from, where it was to begin and nothing is in its way."""


class Turns:
    """Begins and commits turns under leases."""

    def __init__(self, redis: Redis) -> None:
        self._scripts = Scripts(redis)

    async def begin(self, lease: Lease, entry: Entry, *, run: str = "") -> Begun:
        """Count a run of `entry` and return what it starts from.

        Args:
            lease: Of the entry's partition.
            entry: The event.
            run: Names this run: it is counted once, also where it is begun again because the answer was lost. Empty:
                it is another one.

        Raises:
            StaleOwner: The lease was lost, or Redis came back with an older state.
            AlreadyCommitted: The event is not in the inbox any more.
            StillParked: It was put aside.
            ValueError: The stored state cannot be read.
        """
        partition = lease.partition
        answer = await self._scripts.run(
            "begin",
            keys=[
                keys.lease(partition),
                keys.inbox(partition),
                keys.attempts(partition),
                keys.state(partition, entry.key),
                keys.conversation(partition, entry.key),
                keys.journal(partition, entry.event),
                keys.parked(partition),
            ],
            args=[lease.owner, lease.epoch, entry.id, entry.turn, entry.key, run, lease.known.commits],
        )
        _raise_refusal(answer, lease, entry)
        if answer[0] == b"parked":
            raise StillParked(None if answer[1] < 0 else int(answer[1]) / 1000)
        return _begun(answer)

    async def commit(
        self, lease: Lease, entry: Entry, commit: Commit, *, following: Entry | None = None, run: str = ""
    ) -> Committed:
        """Write everything of `commit` and acknowledge `entry`, or nothing.

        Args:
            lease: Of the entry's partition.
            entry: The event whose turn ends.
            commit: What it did.
            following: The next event of the same key: a run of it begins with the commit, as `begin` would.
            run: Names that run; where the commit's answer is lost, `begin` with this name gives it.

        Raises:
            StaleOwner: The lease was lost, or Redis came back with an older state; nothing was written.
            AlreadyCommitted: This event was committed before; nothing was written.
            RecordsFull: The key would hold too many records; nothing was written.
            NotFlushed: Everything was written and is not known to be on disk; commit again.
            TypeError: The state or a record holds something that JSON cannot express.
        """
        partition, key = lease.partition, entry.key
        blob = codec.encode(commit.state or {}) if commit.change == "set" else b""
        packed = {
            "state": commit.change,
            "ends": commit.ends,
            "blob": blob,
            "versions": commit.retention.versions(len(blob)),
            "keep": commit.retention.of(key),
            "cap": commit.retention.outputs,
            "history_cap": commit.retention.history,
            "outputs": [envelope.encode() for envelope in commit.outputs],
            "record": commit.record,
            "revision": commit.made_by.get("revision", ""),
            "schema": commit.made_by.get("schema", ""),
            "events": [
                {"here": partition.bot.partition(event.key) == partition, **asdict(event)} for event in commit.events
            ],
            "now": commit.now_ms,
            "known": lease.known.commits,
        }
        if commit.records:
            packed["records"] = [
                (name, b"" if value is None else codec.encode_value(value)) for name, value in commit.records.items()
            ]
            packed["max_records"] = MAX_RECORDS
        if commit.drop_records:
            packed["drop_records"] = True
        if commit.dead is not None:
            packed["dead"] = commit.dead
        begins: list[str] = []
        begun: list[str] = []
        if following is not None:
            begins = [keys.journal(partition, following.event), keys.parked(partition)]
            begun = [following.id, following.turn, following.key, run]
        answer = await self._scripts.run_to_disk(
            "commit" if following is None else "commit_and_begin",
            keys=[
                keys.lease(partition),
                keys.inbox(partition),
                keys.attempts(partition),
                keys.state(partition, key),
                keys.conversation(partition, key),
                keys.open_turns(partition, key),
                keys.outputs(partition, key),
                keys.history(partition, key),
                keys.timers(partition),
                keys.journal(partition, entry.event),
                keys.outbox(partition),
                keys.dead_letters(partition),
                keys.versions(partition, key),
                keys.records(partition, key),
                keys.record_names(partition, key),
                *begins,
            ],
            args=[
                lease.owner,
                lease.epoch,
                entry.id,
                entry.turn,
                keys.live(partition, key),
                # Old-style strings: Redis's own msgpack knows neither the bin nor the str8 type.
                msgpack.packb(packed, use_bin_type=False),
                *begun,
            ],
        )
        _raise_refusal(answer, lease, entry)
        last = int(answer[1])
        lease.known.commits = max(lease.known.commits, int(answer[2]))
        if following is None or answer[3][0] != b"ok":
            return Committed(last)
        try:
            return Committed(last, _begun(answer[3]))
        except ValueError:
            # Whoever begins it for itself is told what is wrong with its state.
            return Committed(last)

    async def emit(
        self, lease: Lease, entry: Entry, envelopes: Sequence[str], *, number: int, retention: Retention
    ) -> None:
        """Send outputs of a turn before its commit.

        Args:
            lease: Of the entry's partition.
            entry: The event whose turn speaks.
            envelopes: JSON texts in order.
            number: Grows with every emission of this event, over all its runs.
            retention: How much is kept.

        Raises:
            StaleOwner: The lease was lost; nothing was sent.
        """
        partition = lease.partition
        answer = await self._scripts.run(
            "emit",
            keys=[
                keys.lease(partition),
                keys.conversation(partition, entry.key),
                keys.outputs(partition, entry.key),
                keys.attempts(partition),
            ],
            args=[
                lease.owner,
                lease.epoch,
                keys.live(partition, entry.key),
                retention.outputs,
                retention.of(entry.key),
                entry.id,
                number,
                *envelopes,
            ],
        )
        if answer == 0:
            raise StaleOwner(f"{lease.partition} has another owner")

    async def journal(self, lease: Lease, entry: Entry, ordinal: str, record: bytes, *, keep: int) -> bytes:
        """Keep the record of one step; return the record that stands, which is the first one written.

        Raises:
            StaleOwner: The lease or the event is gone.
        """
        partition = lease.partition
        answer = await self._scripts.run(
            "journal_put",
            keys=[keys.lease(partition), keys.inbox(partition), keys.journal(partition, entry.event)],
            args=[lease.owner, lease.epoch, entry.id, ordinal, record, keep],
        )
        if answer is None:
            raise StaleOwner(f"{lease.partition} has another owner")
        return bytes(answer)

    async def blame(self, lease: Lease, entry: Entry, attempt: int) -> int:
        """Note that a worker died of a run of `entry`, once; return how often by now (0: the lease was lost)."""
        return int(
            await self._scripts.run(
                "blame",
                keys=[keys.lease(lease.partition), keys.attempts(lease.partition)],
                args=[lease.owner, lease.epoch, entry.id, attempt],
            )
        )


def _begun(answer: list[Any]) -> Begun:
    """Return what begin.lua answered.

    Raises:
        ValueError: The stored state cannot be read.
    """
    flat = answer[5]
    return Begun(
        attempt=int(answer[1]),
        crashes=int(answer[2]),
        state=codec.decode(answer[3]) if answer[3] else None,
        ends=text(answer[4]),
        journal={text(flat[index]): flat[index + 1] for index in range(0, len(flat), 2)},
        parks=int(answer[7]),
        made_by={name: text(each) for name, each in zip(("revision", "schema"), answer[8:10], strict=False) if each},
        cancelled=bool(answer[6]),
        now_ms=int(answer[10]),
    )


def _raise_refusal(answer: list[Any], lease: Lease, entry: Entry) -> None:
    outcome = answer[0]
    if outcome == b"stale":
        raise StaleOwner(f"{lease.partition} has another owner")
    if outcome == b"full":
        raise RecordsFull(f"{entry.key!r} would hold more than {MAX_RECORDS} records; remove old ones")
    if outcome in (b"gone", b"duplicate"):
        # Also a commit whose answer was lost is known of.
        lease.known.commits = max(lease.known.commits, int(answer[1]))
        raise AlreadyCommitted(f"event {entry.event} was committed before")
