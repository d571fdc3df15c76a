"""The scripts beside a plain model of what they promise, under any order of calls by any owner.

Hypothesis drives two replicas, three conversations and a clock of lease losses against a real Redis and against a
model in plain Python; after every step both must agree on what was accepted, begun, journaled, committed, recorded,
put aside, said, forked and refused. BOTYARD_MODEL_EXAMPLES sets how many walks are tried.
"""

import asyncio
import json
import os
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.control import Cancellations
from botyard.core.conversations import Conversations
from botyard.core.deliveries import Deliveries
from botyard.core.errors import AlreadyCommitted, StaleOwner, StillParked
from botyard.core.forks import Forks, NotForkable
from botyard.core.inbox import Entry, Inbox, parse_entry
from botyard.core.leases import Lease, Leases
from botyard.core.outputs import Outputs
from botyard.core.parking import Parking
from botyard.core.records import Records, Selection
from botyard.core.retention import Retention
from botyard.core.turns import Begun, Commit, NextEvent, Turns
from tests.integration.redis.server import RedisServer

BOT = BotAddress("shop", "repairs", partitions=2)
NAMES = ("c1", "c2", "c3")
KEYS = st.sampled_from(NAMES)
NUMBERS = st.integers(0, 1)
AGES = st.sampled_from([0, 0, 0, 1, 2])
OWNERS = st.sampled_from(["a", "b"])
RECORDS = st.dictionaries(st.sampled_from(["m1", "m2", "m3"]), st.none() | st.integers(0, 9), max_size=3)
EXAMPLES = int(os.environ.get("BOTYARD_MODEL_EXAMPLES", "40"))
PAST = 1
"""A due time that has come: 1970."""

T = TypeVar("T")


def envelope(*said: object) -> str:
    return json.dumps({"said": said, "conversation": {}})


@dataclass(frozen=True)
class Version:
    """What a conversation was after a turn."""

    turn: str
    commit: int
    state: dict[str, object]
    records: dict[str, int]
    said: tuple[str, ...]


@dataclass
class Model:
    """What must be true, in plain Python."""

    inbox: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    """Key → events that are accepted and not committed, in order."""
    states: dict[str, dict[str, object]] = field(default_factory=dict)
    records: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in NAMES})
    said: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    holder: dict[int, str] = field(default_factory=dict)
    """Partition → owner whose lease counts."""
    versions: dict[str, list[Version]] = field(default_factory=lambda: {name: [] for name in NAMES})
    numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    rewritten: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    """Key → number of the last commit that changed or removed a record."""
    journal: dict[str, dict[str, bytes]] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)
    """Event → runs that began."""
    parks: dict[str, int] = field(default_factory=dict)
    """Event → runs that were put aside."""
    parked: dict[str, str] = field(default_factory=dict)
    """Key → its event that is put aside."""
    cancelled: set[str] = field(default_factory=set)
    """Events whose turns are to be cancelled."""
    accepted: set[str] = field(default_factory=set)
    timers: dict[int, set[tuple[str, str]]] = field(default_factory=lambda: {0: set(), 1: set()})
    """Partition → (key, event) that are due."""
    outbox: dict[int, list[tuple[str, str]]] = field(default_factory=lambda: {0: [], 1: []})
    """Partition → (key, event) on their way."""

    def begins(self, key: str, event: str) -> None:
        """A run begins: what was put aside of its key no longer is."""
        self.runs[event] = self.runs.get(event, 0) + 1
        self.parked.pop(key, None)

    def waits(self, key: str) -> bool:
        """Whether the first event of a key is put aside and stays so."""
        event = self.parked.get(key)
        return event is not None and event not in self.cancelled

    def commits(self, key: str) -> str:
        """The first event of a key is over."""
        event = self.inbox[key].pop(0)
        self.numbers[key] += 1
        self.cancelled.discard(event)
        for kept in (self.runs, self.parks, self.journal):
            kept.pop(event, None)  # type: ignore[attr-defined]
        return event

    def writes(self, key: str, turn: str, state: dict[str, object], written: dict[str, int | None]) -> None:
        """The turn that was committed last changes state and records of a key."""
        before = self.records[key]
        if before.keys() & written.keys():
            self.rewritten[key] = self.numbers[key]
        self.states[key] = state
        self.records[key] = {name: each for name, each in {**before, **written}.items() if each is not None}
        version = Version(turn, self.numbers[key], state, self.records[key], tuple(self.said[key]))
        self.versions[key] = [*self.versions[key], version][-Retention().versions(100) :]

    def forkable(self, key: str) -> list[Version]:
        return [version for version in self.versions[key] if version.commit >= self.rewritten[key]]


class CommitMachine(RuleBasedStateMachine):
    """Two replicas do what they like."""

    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.redis = connect(self.server.url)
        self.model = Model()
        self.inbox, self.turns, self.outputs = Inbox(self.redis), Turns(self.redis), Outputs(self.redis)
        self.parking, self.deliveries = Parking(self.redis), Deliveries(self.redis)
        self.conversations, self.records = Conversations(self.redis), Records(self.redis)
        self.forks, self.forked = Forks(self.redis), 0
        self.leases: dict[int, list[Lease]] = {0: [], 1: []}
        """Every lease that anybody ever got, good or stale, by partition, oldest first."""

    def wait(self, work: Awaitable[T]) -> T:
        async def waited() -> T:
            return await work

        return self.loop.run_until_complete(waited())

    @initialize()
    def begin(self) -> None:
        self.wait(self.redis.flushall())
        for key in NAMES:
            self.accept_event(key, "first")
        for number in (0, 1):
            self.take("a", number)

    def teardown(self) -> None:
        self.wait(self.outputs.close())
        self.wait(self.redis.aclose())
        self.loop.close()

    @rule(key=KEYS, event=st.sampled_from(["e1", "e2", "e3", "e4"]))
    def accept(self, key: str, event: str) -> None:
        self.accept_event(key, event)

    def accept_event(self, key: str, event: str) -> None:
        accepted = self.wait(
            self.inbox.accept(BOT, key=key, kind="message", payload={"n": 1}, user="ada", event_id=f"{key}-{event}")
        )
        known = f"{key}-{event}" in self.model.accepted
        assert accepted.duplicate == known
        if not known:
            self.model.accepted.add(f"{key}-{event}")
            self.model.inbox[key].append(f"{key}-{event}")

    @rule(owner=OWNERS, number=NUMBERS)
    def acquire(self, owner: str, number: int) -> None:
        self.take(owner, number)

    def take(self, owner: str, number: int) -> None:
        partition = BOT.all_partitions()[number]
        lease = self.wait(Leases(self.redis, owner=owner, lease_ms=60_000).acquire(partition))
        holder = self.model.holder.get(number)
        assert (lease is not None) == (holder in (None, owner))
        if isinstance(lease, Lease):
            assert lease.epoch > max((other.epoch for other in self.leases[number]), default=0)
            self.model.holder[number] = owner
            self.leases[number].append(lease)

    @rule(number=NUMBERS)
    def lose(self, number: int) -> None:
        """The lease runs out: a pause, a partition of the network, a crash."""
        partition = BOT.all_partitions()[number]
        self.wait(self.redis.hset(keys.lease(partition), "until", 0))
        # Running out alone refuses nobody: only a new owner does.
        self.model.holder.pop(number, None)

    @rule(age=AGES, number=NUMBERS)
    def release(self, age: int, number: int) -> None:
        lease = self.lease(number, age)
        was_ours = self.current(lease)
        self.wait(Leases(self.redis, owner=lease.owner).release(lease))
        if was_ours:
            self.model.holder.pop(number, None)

    def lease(self, number: int, age: int) -> Lease:
        """Return the newest lease of a partition (age 0) or an older one."""
        return self.leases[number][-1 - age % len(self.leases[number])]

    def current(self, lease: Lease) -> bool:
        """Whether the scripts must accept `lease`: it is the newest of its partition and was not given back."""
        held = self.wait(self.redis.hmget(keys.lease(lease.partition), "owner", "epoch"))
        return held == [lease.owner.encode(), str(lease.epoch).encode()]

    def waiting(self, key: str) -> list[Entry]:
        partition = BOT.partition(key)
        found = self.wait(self.redis.xrange(keys.inbox(partition)))
        return [entry for entry in (parse_entry(partition, *item) for item in found) if entry.key == key]

    def subject(self, key: str, age: int) -> tuple[Lease, list[Entry], bool]:
        """Return a lease on a key, what waits of it, and whether the scripts must accept the lease."""
        lease = self.lease(BOT.partition(key).number, age)
        return lease, self.waiting(key), self.current(lease)

    def begins(self, lease: Lease, entry: Entry, good: bool) -> Begun | None:
        """Begin a run; None where the model says that this must be refused, and it was."""
        try:
            begun = self.wait(self.turns.begin(lease, entry))
        except StaleOwner:
            assert not good
            return None
        except StillParked:
            assert good
            assert self.model.waits(entry.key)
            return None
        assert good
        assert not self.model.waits(entry.key)
        self.judge(begun, entry)
        return begun

    def judge(self, begun: Begun, entry: Entry) -> None:
        """What a run starts from is what the model says."""
        self.model.begins(entry.key, entry.event)
        assert begun.attempt == self.model.runs[entry.event]
        assert begun.parks == self.model.parks.get(entry.event, 0)
        assert begun.state == self.model.states.get(entry.key)
        assert begun.cancelled == (entry.event in self.model.cancelled)
        assert begun.journal == (self.model.journal.get(entry.event, {}) if begun.attempt > 1 else {})

    @rule(
        age=AGES,
        key=KEYS,
        value=st.integers(),
        outputs=st.integers(0, 3),
        written=RECORDS,
        causes=st.sampled_from(["nothing", "event", "timer"]),
        whom=KEYS,
        ended_meanwhile=st.sampled_from([False, False, False, True]),
        ahead=st.booleans(),
        twice=st.booleans(),
        unheard=st.booleans(),
    )
    def turn(
        self,
        age: int,
        key: str,
        value: int,
        outputs: int,
        written: dict[str, int | None],
        causes: str,
        whom: str,
        ended_meanwhile: bool,
        ahead: bool,
        twice: bool,
        unheard: bool,
    ) -> None:
        """A run from its beginning to its commit, which may begin the next one."""
        lease, entries, good = self.subject(key, age)
        if not entries:
            return
        entry, following = entries[0], entries[1] if ahead and len(entries) > 1 else None
        if (begun := self.begins(lease, entry, good)) is None:
            return
        if ended_meanwhile:
            self.end(key)
        said = [envelope(entry.event, number) for number in range(outputs)]
        due = PAST if causes == "timer" else 0
        caused = NextEvent(f"{entry.event}.0", whom, "timer", "{}", f"turn {entry.event}.0", "ada", due)
        commit = Commit(
            record="{}",
            outputs=said,
            change="set",
            state={"v": value},
            records=written,
            ends=begun.ends,
            events=[] if causes == "nothing" else [caused],
        )
        done = self.wait(self.turns.commit(lease, entry, commit, following=following, run=f"after {entry.event}"))
        assert self.model.commits(key) == entry.event
        self.model.said[key] += said
        if not ended_meanwhile:
            self.model.writes(key, entry.turn, {"v": value}, written)
        if causes != "nothing":
            self.cause(lease.partition.number, whom, caused)
        if following is not None:
            assert done.following is not None
            self.judge(done.following, following)
            if unheard:
                # Whoever did not hear that it began begins it again: it is the same run.
                again = self.wait(self.turns.begin(lease, following, run=f"after {entry.event}"))
                assert replace(again, now_ms=0) == replace(done.following, now_ms=0)
        if twice:
            with pytest.raises(AlreadyCommitted):
                self.wait(self.turns.commit(lease, entry, Commit(record="{}", outputs=["double"]), following=following))
            with pytest.raises(StaleOwner):
                self.wait(self.turns.journal(lease, entry, "0", b"too late", keep=600))
            with pytest.raises(StaleOwner):
                self.wait(self.parking.park(lease, entry, reason="too late"))

    def cause(self, number: int, target: str, event: NextEvent) -> None:
        if BOT.partition(target).number != number:
            self.model.outbox[number].append((target, event.event))
        elif event.due_ms:
            self.model.timers[number].add((target, event.event))
        else:
            self.model.inbox[target].append(event.event)

    @rule(age=AGES, key=KEYS)
    def commit_after_a_pause(self, age: int, key: str) -> None:
        """A run that began long ago comes to its commit now, whoever owns the partition meanwhile."""
        lease, entries, good = self.subject(key, age)
        if not entries or key in self.model.parked:
            return
        try:
            self.wait(self.turns.commit(lease, entries[0], Commit(record="{}", outputs=[envelope("late")])))
        except StaleOwner:
            assert not good
            return
        assert good
        assert self.model.commits(key) == entries[0].event
        self.model.said[key].append(envelope("late"))

    @rule(age=AGES, key=KEYS, ordinal=st.sampled_from(["0", "1", "1.0"]), result=st.binary(min_size=1, max_size=4))
    def step(self, age: int, key: str, ordinal: str, result: bytes) -> None:
        """A run begins, takes a step and ends there."""
        lease, entries, good = self.subject(key, age)
        if not entries or self.begins(lease, entry := entries[0], good) is None:
            return
        stands = self.wait(self.turns.journal(lease, entry, ordinal, result, keep=600))
        assert stands == self.model.journal.setdefault(entry.event, {}).setdefault(ordinal, result)

    @rule(age=AGES, key=KEYS)
    def journal_after_a_pause(self, age: int, key: str) -> None:
        """A run that began long ago wants to keep a step's result now."""
        lease, entries, good = self.subject(key, age)
        if not entries:
            return
        try:
            stands = self.wait(self.turns.journal(lease, entries[0], "7", b"late", keep=600))
        except StaleOwner:
            assert not good
            return
        assert good
        assert stands == self.model.journal.setdefault(entries[0].event, {}).setdefault("7", b"late")

    @rule(age=AGES, key=KEYS)
    def park(self, age: int, key: str) -> None:
        """A run begins and is put aside until it is told to go on."""
        lease, entries, good = self.subject(key, age)
        if not entries or self.begins(lease, entry := entries[0], good) is None:
            return
        assert self.wait(self.parking.park(lease, entry, reason="over budget")) is None
        self.model.parked[key] = entry.event
        self.model.parks[entry.event] = self.model.parks.get(entry.event, 0) + 1

    @rule(key=KEYS)
    def resume(self, key: str) -> None:
        assert self.wait(self.parking.resume(BOT, key)) == (key in self.model.parked)
        self.model.parked.pop(key, None)

    @rule(key=KEYS)
    def cancel(self, key: str) -> None:
        entries = self.waiting(key)
        # Only what somebody sent is an open turn; what a turn caused cannot be cancelled by name.
        sent = [entry for entry in entries if not entry.event.endswith(".0")]
        if not sent:
            return
        assert self.wait(Cancellations(self.redis).request(BOT, key, sent[0].turn))
        self.model.cancelled.add(sent[0].event)
        if self.model.parked.get(key) == sent[0].event:
            self.model.parked.pop(key)

    @rule(key=KEYS)
    def end(self, key: str) -> None:
        """The conversation begins afresh with its next turn."""
        assert self.wait(self.conversations.end(BOT, key))
        self.model.states.pop(key, None)
        self.model.records[key] = {}
        self.model.versions[key] = []

    @rule(key=KEYS, which=st.integers(0, 9), value=st.integers())
    def fork(self, key: str, which: int, value: int) -> None:
        """A second conversation begins with what the first one was after a turn, and goes on by itself."""
        versions = self.model.forkable(key)
        assert list(self.wait(self.forks.turns(BOT, key))) == [version.turn for version in versions]
        if not versions:
            with pytest.raises(NotForkable):
                self.wait(self.forks.fork(BOT, key, user="bob"))
            return
        version = versions[which % len(versions)]
        target = self.wait(self.forks.fork(BOT, key, after=version.turn, user="bob"))
        assert self.wait(self.records.read(BOT, target, Selection(limit=1000))) == version.records
        said = [json.loads(item.envelope)["said"] for item in self.wait(self.outputs.read(BOT, target))]
        assert said == [json.loads(each)["said"] for each in version.said]
        self.forked += 1
        event = f"fork {self.forked}"
        self.wait(self.inbox.accept(BOT, key=target, kind="message", payload={}, user="bob", event_id=event))
        lease, (entry,), good = self.subject(target, 0)
        if not good:
            return
        begun = self.wait(self.turns.begin(lease, entry))
        assert (begun.attempt, begun.state, begun.ends) == (1, version.state, "0")
        commit = Commit(record="{}", outputs=["{}"], change="set", state={"v": value}, records={"m1": value})
        assert self.wait(self.turns.commit(lease, entry, commit)).last == len(said) + 1

    @rule(age=AGES, number=NUMBERS)
    def deliver(self, age: int, number: int) -> None:
        """The timers of a partition are fired, and its outbox is emptied."""
        lease = self.lease(number, age)
        good = self.current(lease)
        try:
            self.wait(self.deliveries.fire(lease))
        except StaleOwner:
            assert not good
            return
        assert good
        fired = self.model.timers[number]
        self.model.timers[number] = set()
        for key in NAMES:
            # Those that are due at the same time come in any order.
            news = [entry.event for entry in self.waiting(key)][len(self.model.inbox[key]) :]
            assert sorted(news) == sorted(event for target, event in fired if target == key)
            self.model.inbox[key] += news
        sent = self.model.outbox[number]
        assert self.wait(self.deliveries.send(lease)) == [target for target, _ in sent]
        self.model.outbox[number] = []
        for target, event in sent:
            place = BOT.partition(target)
            timers = self.wait(self.redis.zrange(keys.timers(place), 0, -1))
            if event in [json.loads(timer)["event"] for timer in timers]:
                self.model.timers[place.number].add((target, event))
            else:
                self.model.inbox[target].append(event)

    @invariant()
    def inboxes_agree(self) -> None:
        for key in NAMES:
            assert [entry.event for entry in self.waiting(key)] == self.model.inbox[key]

    @invariant()
    def outputs_agree(self) -> None:
        for key in NAMES:
            stored = self.wait(self.outputs.read(BOT, key))
            assert [item.envelope for item in stored] == self.model.said[key]

    @invariant()
    def records_agree(self) -> None:
        for key in NAMES:
            assert self.wait(self.records.read(BOT, key, Selection(limit=1000))) == self.model.records[key]

    @invariant()
    def what_is_put_aside_agrees(self) -> None:
        parked = {each.key: each.event for each in self.wait(self.parking.list(BOT))}
        assert parked == self.model.parked


@pytest.mark.timeout(60 + 10 * EXAMPLES)
def test_the_scripts_agree_with_a_plain_model(redis_server: RedisServer) -> None:
    CommitMachine.server = redis_server
    CommitMachine.TestCase.settings = settings(
        max_examples=EXAMPLES, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
    )
    CommitMachine.TestCase("runTest").runTest()
