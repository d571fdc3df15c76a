"""The scripts beside a plain model of what they promise, under any order of calls by any owner.

Hypothesis drives two replicas, three conversations and a clock of lease losses against a real Redis and against a
model in plain Python; after every step both must agree on what was accepted, committed, said and refused.
"""

import asyncio
import json
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from botyard.core import keys
from botyard.core.address import BotAddress
from botyard.core.connection import connect
from botyard.core.errors import AlreadyCommitted, StaleOwner
from botyard.core.inbox import Entry, Inbox, parse_entry
from botyard.core.leases import Lease, Leases
from botyard.core.outputs import Outputs
from botyard.core.turns import Commit, Turns
from tests.integration.redis.server import RedisServer

BOT = BotAddress("shop", "repairs", partitions=2)
KEYS = st.sampled_from(["c1", "c2", "c3"])
AGES = st.sampled_from([0, 0, 0, 1, 2])
OWNERS = st.sampled_from(["a", "b"])


@dataclass
class Model:
    """What must be true, in plain Python."""

    inbox: dict[str, list[str]] = field(default_factory=dict)
    """Key → events that are accepted and not committed, in order."""
    states: dict[str, dict[str, object]] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)
    holder: dict[int, str] = field(default_factory=dict)
    """Partition → owner whose lease counts."""
    journal: dict[str, dict[str, bytes]] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)


class CommitMachine(RuleBasedStateMachine):
    """Two replicas do what they like."""

    server: RedisServer

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.redis = connect(self.server.url)
        self.model = Model()
        self.inbox, self.turns, self.outputs = Inbox(self.redis), Turns(self.redis), Outputs(self.redis)
        self.leases: dict[int, list[Lease]] = {0: [], 1: []}
        """Every lease that anybody ever got, good or stale, by partition, oldest first."""

    def wait(self, work: "object") -> object:
        return self.loop.run_until_complete(work)  # type: ignore[arg-type]

    @initialize()
    def begin(self) -> None:
        self.wait(self.redis.flushall())
        for key in ("c1", "c2", "c3"):
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
        assert accepted.duplicate == known  # type: ignore[attr-defined]
        if not known:
            self.model.accepted.add(f"{key}-{event}")
            self.model.inbox.setdefault(key, []).append(f"{key}-{event}")

    @rule(owner=OWNERS, number=st.integers(0, 1))
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

    @rule(number=st.integers(0, 1))
    def lose(self, number: int) -> None:
        """The lease runs out: a pause, a partition of the network, a crash."""
        partition = BOT.all_partitions()[number]
        self.wait(self.redis.hset(keys.lease(partition), "until", 0))
        # Running out alone refuses nobody: only a new owner does.
        self.model.holder.pop(number, None)

    @rule(age=AGES, number=st.integers(0, 1))
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

    def entry(self, key: str) -> Entry | None:
        partition = BOT.partition(key)
        found = self.wait(self.redis.xrange(keys.inbox(partition)))
        entries = [parse_entry(partition, *item) for item in found]  # type: ignore[attr-defined]
        return next((entry for entry in entries if entry.key == key), None)

    @rule(age=AGES, key=KEYS, value=st.integers(), outputs=st.integers(0, 3), twice=st.booleans())
    def turn(self, age: int, key: str, value: int, outputs: int, twice: bool) -> None:
        lease, entry = self.lease(BOT.partition(key).number, age), self.entry(key)
        if entry is None:
            return
        good = self.current(lease)
        said = [json.dumps([entry.event, number]) for number in range(outputs)]
        try:
            begun = self.wait(self.turns.begin(lease, entry))
            assert good
            assert begun.state == self.model.states.get(key)  # type: ignore[attr-defined]
            assert begun.journal == (  # type: ignore[attr-defined]
                self.model.journal.get(entry.event, {}) if begun.attempt > 1 else {}  # type: ignore[attr-defined]
            )
            commit = Commit(record="{}", outputs=said, change="set", state={"v": value}, ends=begun.ends)  # type: ignore[attr-defined]
            self.wait(self.turns.commit(lease, entry, commit))
        except StaleOwner:
            assert not good
            return
        assert self.model.inbox[key].pop(0) == entry.event
        self.model.states[key] = {"v": value}
        self.model.said.setdefault(key, []).extend(said)
        if twice:
            with pytest.raises(AlreadyCommitted):
                self.wait(self.turns.commit(lease, entry, Commit(record="{}", outputs=["double"])))

    @rule(age=AGES, key=KEYS)
    def commit_after_a_pause(self, age: int, key: str) -> None:
        """A run that began long ago comes to its commit now, whoever owns the partition meanwhile."""
        lease, entry = self.lease(BOT.partition(key).number, age), self.entry(key)
        if entry is None:
            return
        good = self.current(lease)
        try:
            self.wait(self.turns.commit(lease, entry, Commit(record="{}", outputs=["late"])))
        except StaleOwner:
            assert not good
            return
        assert good
        self.model.inbox[key].pop(0)
        self.model.said.setdefault(key, []).append("late")

    @rule(age=AGES, key=KEYS, ordinal=st.sampled_from(["0", "1", "1.0"]), result=st.binary(min_size=1, max_size=4))
    def step(self, age: int, key: str, ordinal: str, result: bytes) -> None:
        """A run begins, takes a step and ends there."""
        lease, entry = self.lease(BOT.partition(key).number, age), self.entry(key)
        if entry is None:
            return
        good = self.current(lease)
        try:
            self.wait(self.turns.begin(lease, entry))
            stands = self.wait(self.turns.journal(lease, entry, ordinal, result, keep=600))
        except StaleOwner:
            assert not good
            return
        assert good
        assert stands == self.model.journal.setdefault(entry.event, {}).setdefault(ordinal, result)

    @invariant()
    def inboxes_agree(self) -> None:
        for key in ("c1", "c2", "c3"):
            partition = BOT.partition(key)
            found = self.wait(self.redis.xrange(keys.inbox(partition)))
            waiting = [parse_entry(partition, *item) for item in found]  # type: ignore[attr-defined]
            assert [entry.event for entry in waiting if entry.key == key] == self.model.inbox.get(key, [])

    @invariant()
    def outputs_agree(self) -> None:
        for key in ("c1", "c2", "c3"):
            stored = self.wait(self.outputs.read(BOT, key))
            assert [item.envelope for item in stored] == self.model.said.get(key, [])  # type: ignore[attr-defined]


def test_the_scripts_agree_with_a_plain_model(redis_server: RedisServer) -> None:
    CommitMachine.server = redis_server
    CommitMachine.TestCase.settings = settings(
        max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    CommitMachine.TestCase("runTest").runTest()
