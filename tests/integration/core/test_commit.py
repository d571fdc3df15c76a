"""A commit writes everything of a turn or nothing, once, and only for the owner of the partition."""

import asyncio
import json
from dataclasses import replace

import pytest

from botyard.core import keys
from botyard.core.control import Cancellations
from botyard.core.conversations import Conversations
from botyard.core.dead_letters import DeadLetters
from botyard.core.deliveries import Deliveries
from botyard.core.errors import AlreadyCommitted, Expired, NotOwner, Overloaded, StaleOwner, StillParked
from botyard.core.forks import Forks
from botyard.core.leases import Lease, Leases
from botyard.core.parking import Parking
from botyard.core.retention import Retention
from botyard.core.turns import Commit, NextEvent
from tests.integration.core.world import BOT, World


async def test_commit_writes_state_outputs_and_history_and_takes_the_event_away(world: World) -> None:
    await world.say("hello")
    lease, (entry,) = await world.lease(), await world.waiting()
    begun = await world.turns.begin(lease, entry)
    assert (begun.attempt, begun.state) == (1, None)

    await world.turns.commit(
        lease,
        entry,
        Commit(record='{"turn":"t"}', outputs=["one", "two"], change="set", state={"n": 1}, ends=begun.ends),
    )

    assert await world.waiting() == []
    assert await world.said() == ["one", "two"]
    conversation = await Conversations(world.redis).describe(BOT, "c1")
    assert conversation is not None
    assert (conversation.user, conversation.turns) == ("ada", ({"turn": "t"},))
    await world.say("again")
    (following,) = await world.waiting()
    assert (await world.turns.begin(lease, following)).state == {"n": 1}


async def test_a_second_commit_of_the_same_event_writes_nothing(world: World) -> None:
    await world.say("hello")
    lease, (entry,) = await world.lease(), await world.waiting()
    await world.turns.commit(lease, entry, Commit(record="{}", outputs=["one"], change="set", state={"n": 1}))
    before = await world.dump()
    with pytest.raises(AlreadyCommitted):
        await world.turns.commit(lease, entry, Commit(record="{}", outputs=["again"], change="set", state={"n": 2}))
    assert await world.dump() == before


async def test_the_next_turn_begins_with_the_commit_of_the_one_before(world: World) -> None:
    for text in ("one", "two", "three"):
        await world.say(text)
    lease, (one, two, three) = await world.lease(), await world.waiting()
    begun = await world.turns.begin(lease, one)
    done = await world.turns.commit(
        lease,
        one,
        Commit(
            record="{}", outputs=["first"], change="set", state={"n": 1}, made_by={"revision": "r"}, ends=begun.ends
        ),
        following=two,
    )
    assert done.last == 1
    assert done.following is not None
    assert (done.following.attempt, done.following.state, done.following.made_by) == (1, {"n": 1}, {"revision": "r"})

    # It is that run's beginning as good as one of its own: another one is a second run.
    assert await world.turns.journal(lease, two, "0", b"paid", keep=60) == b"paid"
    again = await world.turns.begin(lease, two)
    assert (again.attempt, again.journal) == (2, {"0": b"paid"})
    await Cancellations(world.redis).request(BOT, "c1", three.turn)
    done = await world.turns.commit(lease, two, Commit(record="{}"), following=three)
    assert done.following is not None
    assert done.following.cancelled
    assert [entry.turn for entry in await world.waiting()] == [three.turn]


async def test_a_refused_commit_begins_nothing(world: World) -> None:
    for text in ("one", "two"):
        await world.say(text)
    stale, (one, two) = await world.lease("replica-a", lease_ms=1), await world.waiting()
    fresh = await world.lease("replica-b")
    with pytest.raises(StaleOwner):
        await world.turns.commit(stale, one, Commit(record="{}"), following=two)
    await world.turns.commit(fresh, one, Commit(record="{}"))
    with pytest.raises(AlreadyCommitted):
        await world.turns.commit(fresh, one, Commit(record="{}"), following=two)
    assert (await world.turns.begin(fresh, two)).attempt == 1


async def test_a_parked_turn_does_not_begin_with_the_commit_before_it(world: World) -> None:
    for text in ("one", "two"):
        await world.say(text)
    lease, (one, two) = await world.lease(), await world.waiting()
    await world.turns.begin(lease, two)
    await Parking(world.redis).park(lease, two, reason="over budget")
    assert (await world.turns.commit(lease, one, Commit(record="{}"), following=two)).following is None
    with pytest.raises(StillParked):
        await world.turns.begin(lease, two)


async def test_a_state_that_cannot_be_read_is_told_to_whoever_begins_for_itself(world: World) -> None:
    for text in ("one", "two"):
        await world.say(text)
    lease, (one, two) = await world.lease(), await world.waiting()
    await world.redis.set(keys.state(lease.partition, "c1"), b"?")
    assert (await world.turns.commit(lease, one, Commit(record="{}"), following=two)).following is None
    with pytest.raises(ValueError, match="unknown state encoding"):
        await world.turns.begin(lease, two)


async def test_an_owner_whose_lease_was_taken_is_refused_everywhere(world: World) -> None:
    await world.say("hello")
    stale, (entry,) = await world.lease("replica-a", lease_ms=1), await world.waiting()
    fresh = await world.lease("replica-b")
    assert fresh.epoch > stale.epoch
    before = await world.dump()
    with pytest.raises(StaleOwner):
        await world.turns.begin(stale, entry)
    with pytest.raises(StaleOwner):
        await world.turns.emit(stale, entry, ["delta"], number=1, retention=Retention())
    with pytest.raises(StaleOwner):
        await world.turns.journal(stale, entry, "0", b"result", keep=60)
    with pytest.raises(StaleOwner):
        await world.turns.commit(stale, entry, Commit(record="{}", outputs=["late"]))
    assert await world.turns.blame(stale, entry, 1) == 0
    assert not await Leases(world.redis, owner="replica-a").renew(stale)
    assert await world.dump() == before


async def test_a_lease_that_is_held_is_not_given_to_another(world: World) -> None:
    lease = await world.lease("replica-a")
    assert await Leases(world.redis, owner="replica-b").acquire(lease.partition) is None
    await Leases(world.redis, owner="replica-a").release(lease)
    assert await Leases(world.redis, owner="replica-b").acquire(lease.partition) is not None


async def test_a_lease_is_lost_where_redis_forgot_commits_under_it(world: World) -> None:
    await world.say("one")
    lease, (entry,) = await world.lease(), await world.waiting()
    leases = Leases(world.redis, owner=lease.owner)
    older = await world.redis.dump(keys.lease(lease.partition))
    assert await leases.renew(lease)
    await world.turns.commit(lease, entry, Commit(record="{}"))
    assert await leases.renew(lease)
    await world.redis.restore(keys.lease(lease.partition), 0, older, replace=True)
    with pytest.raises(StaleOwner):
        await world.turns.commit(lease, entry, Commit(record="{}"))
    assert not await leases.renew(lease)
    await world.say("two")
    (entry,) = await world.waiting()
    # What it forgot comes first.
    with pytest.raises(StaleOwner):
        await world.turns.begin(lease, entry)
    with pytest.raises(StaleOwner):
        await world.turns.commit(lease, entry, Commit(record="{}"))
    # Also where those that it forgot were found to be done before, their answers having been lost.
    other = Lease(lease.partition, lease.owner, lease.epoch)
    await world.redis.hset(keys.lease(lease.partition), "commits", 3)
    with pytest.raises(AlreadyCommitted):
        await world.turns.begin(other, replace(entry, id="1-0"))
    await world.redis.hset(keys.lease(lease.partition), "commits", 2)
    assert not await leases.renew(other)
    # Also where those that it forgot were another owner's.
    await world.redis.hset(keys.lease(lease.partition), "commits", 5)
    taken = await world.lease()
    assert await leases.renew(taken)
    await world.redis.hset(keys.lease(lease.partition), "commits", 4)
    assert not await leases.renew(taken)


async def test_an_epoch_never_comes_back_even_if_redis_forgot_it(world: World) -> None:
    before = await world.lease("replica-a", lease_ms=1)
    await world.redis.delete(keys.lease(before.partition))
    assert (await world.lease("replica-a")).epoch > before.epoch


async def test_runs_are_counted_and_steps_of_an_earlier_run_come_back(world: World) -> None:
    await world.say("hello")
    lease, (entry,) = await world.lease(), await world.waiting()
    await world.turns.begin(lease, entry)
    assert await world.turns.journal(lease, entry, "0", b"paid", keep=60) == b"paid"
    assert await world.turns.journal(lease, entry, "0", b"paid twice", keep=60) == b"paid"
    assert [await world.turns.blame(lease, entry, 1) for _ in range(2)] == [1, 1], "a death counts once"

    again = await world.turns.begin(lease, entry)
    assert (again.attempt, again.crashes, again.journal) == (2, 1, {"0": b"paid"})
    await world.turns.commit(lease, entry, Commit(record="{}"))
    leftovers = [key async for key in world.redis.scan_iter() if b":journal:" in key or b":attempts" in key]
    assert leftovers == []


async def test_a_step_is_not_kept_for_an_event_that_is_committed(world: World) -> None:
    await world.say("hello")
    lease, (entry,) = await world.lease(), await world.waiting()
    await world.turns.commit(lease, entry, Commit(record="{}"))
    with pytest.raises(StaleOwner):
        await world.turns.journal(lease, entry, "0", b"late", keep=60)


async def test_follow_up_events_enter_the_inbox_with_the_commit(world: World) -> None:
    await world.say("hello")
    lease, (entry,) = await world.lease(), await world.waiting()
    follow = NextEvent(event="e2", key="c1", kind="message", payload='{"text":"and"}', turn="t2", user="ada")
    await world.turns.commit(lease, entry, Commit(record="{}", events=[follow], now_ms=5))
    (entered,) = await world.waiting()
    assert (entered.event, entered.payload, entered.accepted_ms) == ("e2", '{"text":"and"}', 5)


async def test_ending_a_conversation_drops_its_state_even_while_a_turn_runs(world: World) -> None:
    await world.say("hello")
    lease, (entry,) = await world.lease(), await world.waiting()
    begun = await world.turns.begin(lease, entry)
    assert await Conversations(world.redis).end(BOT, "c1")
    await world.say("again")
    await world.turns.commit(lease, entry, Commit(record="{}", change="set", state={"n": 1}, ends=begun.ends))
    (following,) = await world.waiting()
    assert (await world.turns.begin(lease, following)).state is None


async def test_the_same_event_id_is_accepted_once_for_each_conversation(world: World) -> None:
    first = await world.inbox.accept(BOT, key="c1", kind="message", payload={}, user="ada", event_id="m-1")
    second = await world.inbox.accept(BOT, key="c1", kind="message", payload={}, user="ada", event_id="m-1")
    assert (second.turn, second.duplicate) == (first.turn, True)
    other = await world.inbox.accept(BOT, key="c2", kind="message", payload={}, user="ada", event_id="m-1")
    assert not other.duplicate
    assert await world.inbox.pending(BOT) == 2


async def test_a_conversation_belongs_to_its_first_sender(world: World) -> None:
    await world.say("hello")
    with pytest.raises(NotOwner):
        await world.inbox.accept(BOT, key="c1", kind="message", payload={}, user="bob")
    await world.inbox.accept(BOT, key="c1", kind="message", payload={}, user="bob", may_act_for_others=True)
    assert [entry.user for entry in await world.waiting()] == ["ada", "ada"]


async def test_a_full_inbox_refuses_and_keeps_nothing(world: World) -> None:
    await world.say("one")
    before = await world.dump()
    with pytest.raises(Overloaded) as caught:
        await world.inbox.accept(BOT, key="c1", kind="message", payload={}, user="ada", max_pending=1)
    assert caught.value.pending == 1
    assert await world.dump() == before


async def test_outputs_are_numbered_without_gaps_and_an_old_position_is_told_apart(world: World) -> None:
    lease = await world.lease()
    cap = Retention(outputs=10)
    for number in range(300):
        await world.say(str(number))
        (entry,) = await world.waiting()
        await world.turns.commit(lease, entry, Commit(record="{}", outputs=[str(number)], retention=cap))
    kept = await world.outputs.read(BOT, "c1")
    assert [stored.envelope for stored in kept] == [str(int(stored.id) - 1) for stored in kept]
    assert int(kept[-1].id) == 300
    assert 10 <= len(kept) < 300
    assert await world.outputs.read(BOT, "c1", after=kept[-1].id) == []
    with pytest.raises(Expired):
        await world.outputs.read(BOT, "c1", after="1")
    with pytest.raises(Expired):
        await world.outputs.read(BOT, "c1", after="301")


async def test_following_brings_what_is_kept_and_what_comes_without_gap_or_repetition(world: World) -> None:
    lease = await world.lease()
    heard: list[str] = []

    async def listen() -> None:
        async for stored in world.outputs.follow(BOT, "c1"):
            if stored is not None:
                heard.append(stored.envelope)
            if len(heard) == 200:
                return

    listening = asyncio.create_task(listen())
    for number in range(200):
        await world.say(str(number))
        (entry,) = await world.waiting()
        await world.turns.commit(lease, entry, Commit(record="{}", outputs=[str(number)]))
    async with asyncio.timeout(90):
        await listening
    assert heard == [str(number) for number in range(200)]


async def test_a_dead_letter_can_be_run_again_or_dropped(world: World) -> None:
    await world.say("poison")
    lease, (entry,) = await world.lease(), await world.waiting()
    record = {
        "event": entry.event, "key": entry.key, "kind": entry.kind, "payload": entry.payload,
        "turn": entry.turn, "user": entry.user, "at": "7", "error": {"kind": "DeadLetter", "message": "why"},
    }  # fmt: skip
    await world.turns.commit(lease, entry, Commit(record="{}", dead=json.dumps(record)))
    letters = DeadLetters(world.redis)
    (letter,) = await letters.list(BOT)
    assert letter.record["error"]["message"] == "why"
    assert await letters.requeue(BOT, letter.id)
    (again,) = await world.waiting()
    assert (again.event, again.payload) == (entry.event, entry.payload)
    assert not await letters.drop(BOT, letter.id)


async def test_a_timer_fires_once_when_it_is_due_and_tells_when_the_next_one_is(world: World) -> None:
    await world.say("hello")
    lease, (entry,) = await world.lease(), await world.waiting()
    now = (await world.redis.time())[0] * 1000
    due = NextEvent(event="due", key="c1", kind="timer", payload='{"n":1}', turn="t2", user="ada", due_ms=now - 1)
    later = NextEvent(event="later", key="c1", kind="timer", payload="{}", turn="t3", user="ada", due_ms=now + 60_000)
    await world.turns.commit(lease, entry, Commit(record="{}", events=[due, later]))
    assert await world.waiting() == []
    deliveries = Deliveries(world.redis)
    following = await deliveries.fire(lease)
    assert following is not None
    assert 55 < following <= 60
    await deliveries.fire(lease)
    (fired,) = await world.waiting()
    assert (fired.event, fired.kind, fired.payload) == ("due", "timer", '{"n":1}')


async def test_an_event_for_another_partition_arrives_once_however_often_it_is_brought(world: World) -> None:
    there = next(f"k{number}" for number in range(100) if BOT.partition(f"k{number}") != BOT.partition("c1"))
    await world.say("hello")
    lease, (entry,) = await world.lease(), await world.waiting()
    event = NextEvent(event="e2", key=there, kind="message", payload="{}", turn="t2", user="ada")
    await world.turns.commit(lease, entry, Commit(record="{}", events=[event]))
    outbox = await world.redis.dump(keys.outbox(lease.partition))
    assert await Deliveries(world.redis).send(lease) == [there]
    # A crash after the event was brought and before it left the outbox.
    await world.redis.restore(keys.outbox(lease.partition), 0, outbox, replace=True)
    assert await Deliveries(world.redis).send(lease) == [there]
    assert await Deliveries(world.redis).send(lease) == []
    assert [found.event for found in await world.waiting(there)] == ["e2"]


async def test_the_revision_and_the_schema_that_wrote_a_state_are_kept_beside_it(world: World) -> None:
    await world.say("hello")
    lease, (entry,) = await world.lease(), await world.waiting()
    assert (await world.turns.begin(lease, entry)).made_by == {}
    made_by = {"revision": "main@sha1:abc", "schema": "3"}
    await world.turns.commit(lease, entry, Commit(record="{}", change="set", state={"n": 1}, made_by=made_by))
    await world.say("again")
    (entry,) = await world.waiting()
    assert (await world.turns.begin(lease, entry)).made_by == made_by
    described = await Conversations(world.redis).describe(BOT, "c1")
    assert described is not None
    assert described.revision == "main@sha1:abc"
    fork = await Forks(world.redis).fork(BOT, "c1", user="ada")
    await world.say("on", fork)
    forked, (entry, *_) = await world.lease(key=fork), await world.waiting(fork)
    assert (await world.turns.begin(forked, entry)).made_by == made_by
