"""A parked turn stays where it is, for whichever replica owns its partition, until it is told or its time comes."""

import pytest

from botyard.core import keys
from botyard.core.control import Cancellations
from botyard.core.conversations import Conversations
from botyard.core.errors import AlreadyCommitted, StaleOwner, StillParked
from botyard.core.inbox import Entry
from botyard.core.leases import Lease
from botyard.core.parking import Parking
from botyard.core.turns import Commit
from tests.integration.core.world import BOT, World

SOON = 1
"""A time that has passed: 1970."""


async def begun(world: World) -> tuple[Lease, Entry]:
    await world.say("buy")
    lease, (entry,) = await world.lease(), await world.waiting()
    await world.turns.begin(lease, entry)
    return lease, entry


async def test_a_parked_turn_is_not_run_until_it_is_told(world: World) -> None:
    parking = Parking(world.redis)
    lease, entry = await begun(world)
    assert await parking.park(lease, entry, reason="over budget", data={"need": 5, "list": []}) is None
    with pytest.raises(StillParked) as still:
        await world.turns.begin(lease, entry)
    assert still.value.seconds is None
    parked = await parking.of(BOT, "c1")
    assert parked is not None
    assert (parked.turn, parked.reason, parked.data) == (entry.turn, "over budget", {"need": 5, "list": []})
    assert await parking.list(BOT) == [parked]

    assert not await parking.resume(BOT, "c1", turn="turn_other")
    assert await parking.resume(BOT, "c1", turn=entry.turn)
    assert not await parking.resume(BOT, "c1")
    again = await world.turns.begin(lease, entry)
    # It counts as another run, whose outputs are told from the first one's, but not as one that failed.
    assert (again.attempt, again.parks, again.crashes) == (2, 1, 0)
    await world.turns.commit(lease, entry, Commit(record="{}"))
    assert await parking.list(BOT) == []


async def test_it_goes_on_by_itself_when_its_time_has_come(world: World) -> None:
    parking = Parking(world.redis)
    lease, entry = await begun(world)
    assert await parking.park(lease, entry, reason="tomorrow", until_ms=SOON) == 0
    assert (await world.turns.begin(lease, entry)).parks == 1
    seconds, _ = await world.redis.time()
    left = await parking.park(lease, entry, reason="later", until_ms=(seconds + 3600) * 1000)
    assert left is not None
    assert 3000 < left <= 3601
    with pytest.raises(StillParked) as still:
        await world.turns.begin(lease, entry)
    assert still.value.seconds is not None
    assert still.value.seconds <= left


async def test_another_replica_leaves_it_alone_too(world: World) -> None:
    lease, entry = await begun(world)
    await Parking(world.redis).park(lease, entry, reason="over budget")
    await world.redis.hset(keys.lease(lease.partition), "until", 0)
    other = await world.lease("replica-b")
    with pytest.raises(StillParked):
        await world.turns.begin(other, entry)
    with pytest.raises(StaleOwner):
        await Parking(world.redis).park(lease, entry, reason="late")
    await Parking(world.redis).resume(BOT, "c1")
    await world.turns.commit(other, entry, Commit(record="{}"))
    with pytest.raises(AlreadyCommitted):
        await world.turns.begin(other, entry)
    with pytest.raises(StaleOwner):
        await Parking(world.redis).park(other, entry, reason="too late")


async def test_a_parked_turn_can_be_cancelled_and_a_conversation_interrupted(world: World) -> None:
    lease, entry = await begun(world)
    await Parking(world.redis).park(lease, entry, reason="over budget")
    assert await Cancellations(world.redis).request(BOT, "c1", entry.turn)
    assert (await world.turns.begin(lease, entry)).cancelled

    await Parking(world.redis).park(lease, entry, reason="over budget")
    await world.say("second")
    turns = await Cancellations(world.redis).interrupt(BOT, "c1")
    assert set(turns) == {each.turn for each in await world.waiting()}
    assert len(turns) == 2
    for each in await world.waiting():
        assert (await world.turns.begin(lease, each)).cancelled
    await world.say("third")
    assert not (await world.turns.begin(lease, (await world.waiting())[-1])).cancelled
    assert await Cancellations(world.redis).interrupt(BOT, "none") == ()


async def test_the_conversation_says_what_waits_and_why(world: World) -> None:
    lease, entry = await begun(world)
    await world.say("second")
    await Parking(world.redis).park(lease, entry, reason="over budget")
    described = await Conversations(world.redis).describe(BOT, "c1")
    assert described is not None
    assert [(turn["state"], turn.get("reason")) for turn in described.turns] == [
        ("parked", "over budget"),
        ("open", None),
    ]
