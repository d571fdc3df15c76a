"""Lasting records beside the state: written with the commit or not at all, read in pieces."""

from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from botyard.core import keys, records
from botyard.core.address import BotAddress
from botyard.core.conversations import Conversations
from botyard.core.errors import StaleOwner
from botyard.core.forks import Forks, NotForkable
from botyard.core.records import MAX_RECORD, MAX_WRITTEN, Records, RecordsFull, Selection
from botyard.core.turns import Commit
from tests.integration.core.world import BOT, World

ALL = Selection(limit=1000)


async def write(world: World, written: dict[str, Any], key: str = "c1", **fields: Any) -> None:
    """One turn that writes records."""
    await world.say("go", key)
    lease, (entry, *_) = await world.lease(key=key), await world.waiting(key)
    begun = await world.turns.begin(lease, entry)
    commit = Commit(record="{}", change="set", state={"n": 1}, records=written, ends=begun.ends)
    await world.turns.commit(lease, entry, replace(commit, **fields))


async def read(redis: Redis, selection: Selection = ALL, key: str = "c1") -> dict[str, Any]:
    return await Records(redis).read(BOT, key, selection)


async def test_a_commit_writes_changes_and_removes_records(world: World) -> None:
    await write(world, {"b": {"n": 1}, "a": [1, "ü"], "c": "x" * 5000, "d": False})
    assert list((await read(world.redis)).items()) == [
        ("a", [1, "ü"]),
        ("b", {"n": 1}),
        ("c", "x" * 5000),
        ("d", False),
    ]
    await write(world, {"b": {"n": 2}, "a": None, "unknown": None, "e": 0})
    assert await read(world.redis) == {"b": {"n": 2}, "c": "x" * 5000, "d": False, "e": 0}


async def test_a_refused_commit_writes_none(world: World) -> None:
    await world.say("go")
    stale, (entry,) = await world.lease(lease_ms=1), await world.waiting()
    await world.lease("replica-b")
    with pytest.raises(StaleOwner):
        await world.turns.commit(stale, entry, Commit(record="{}", records={"a": 1}))
    assert await read(world.redis) == {}


async def test_a_conversation_that_was_ended_while_the_turn_ran_keeps_none(world: World) -> None:
    await write(world, {"a": 1})
    await world.say("go")
    lease, (entry,) = await world.lease(), await world.waiting()
    begun = await world.turns.begin(lease, entry)
    await Conversations(world.redis).end(BOT, "c1")
    assert await read(world.redis) == {}
    await world.turns.commit(lease, entry, Commit(record="{}", records={"b": 1}, ends=begun.ends))
    assert await read(world.redis) == {}


async def test_a_session_that_ends_drops_its_records(world: World) -> None:
    await write(world, {"a": 1})
    await write(world, {}, change="drop", drop_records=True)
    assert await read(world.redis) == {}


async def test_records_are_read_by_name_by_prefix_and_page_by_page(world: World) -> None:
    await write(world, {f"t1/{number:04}": number for number in range(250)} | {"t10/x": 0, "t2/x": 0, "t1": 0})
    assert await read(world.redis, Selection(names=("t2/x", "none", "t1/0007"))) == {"t2/x": 0, "t1/0007": 7}
    found: list[int] = []
    after = ""
    while page := await read(world.redis, Selection(prefix="t1/", after=after, limit=100)):
        found += page.values()
        after = list(page)[-1]
    assert found == list(range(250))
    newest = await read(world.redis, Selection(prefix="t1/", limit=3, newest_first=True))
    assert list(newest) == ["t1/0249", "t1/0248", "t1/0247"]
    following = Selection(prefix="t1/", limit=2, newest_first=True, after="t1/0247")
    assert list(await read(world.redis, following)) == ["t1/0246", "t1/0245"]
    assert await read(world.redis, replace(following, after="t1/0000")) == {}


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("after", ["", "a", "b", "b/", "b/2", "b/9", "c", "é"])
async def test_memory_and_redis_select_the_same(world: World, after: str, newest_first: bool) -> None:
    held = {name: name for name in ("a", "b", "b/1", "b/2", "b/3", "b0", "c", "é")}
    await write(world, held)
    for prefix in ("", "b/", "é", "z"):
        selection = Selection(prefix=prefix, after=after, newest_first=newest_first, limit=5)
        assert list((await read(world.redis, selection)).items()) == list(selection.of_all(held).items())


async def test_a_page_ends_before_it_grows_too_large(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "PAGE_BYTES", 1000)
    await write(world, {f"{number}": f"{number}" * 600 for number in range(5)})
    assert list(await read(world.redis)) == ["0"]
    assert list(await read(world.redis, Selection(after="0"))) == ["1"]


async def test_a_key_that_is_full_refuses_the_whole_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botyard.core.turns.MAX_RECORDS", 3)
    await write(world, {"a": 1, "b": 1})
    with pytest.raises(RecordsFull):
        await write(world, {"c": 1, "d": 1}, state={"n": 2})
    assert list(await read(world.redis)) == ["a", "b"]
    # The event is still there: a commit without records takes it.
    lease, (entry,) = await world.lease(), await world.waiting()
    await world.turns.commit(lease, entry, Commit(record="{}"))
    await write(world, {"a": 2, "b": None, "c": 1})
    await write(world, {"d": 1})
    assert list(await read(world.redis)) == ["a", "c", "d"]


def test_what_one_turn_may_write_is_bounded() -> None:
    assert records.excess({"a": "x" * 1000}) == ""
    assert "may write 1000 records" in records.excess({str(n): 0 for n in range(MAX_WRITTEN + 1)})
    assert "record 'a' has" in records.excess({"a": "x" * MAX_RECORD})
    assert "in one turn" in records.excess({str(n): "x" * (MAX_RECORD - 2) for n in range(9)})
    for name in ("", "x" * 201, "a\nb"):
        assert "a record's name has" in records.excess({name: 1})
    with pytest.raises(TypeError):
        records.excess({"a": object()})


@pytest.mark.parametrize("args", [{"limit": 0}, {"limit": 1001}, {"names": ["a\n"]}, {"names": ["a"] * 1001}])
def test_what_cannot_be_asked_is_refused(args: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="record"):
        Selection.of(args)


async def test_a_fork_takes_the_records_of_its_moment(world: World) -> None:
    await write(world, {"m1": "one"})
    (first,) = await Forks(world.redis).turns(BOT, "c1")
    await write(world, {"m2": "two"})
    fork = await Forks(world.redis).fork(BOT, "c1", after=first)
    assert await read(world.redis, key=fork) == {"m1": "one"}
    fork = await Forks(world.redis).fork(BOT, "c1", user="ada")
    assert await read(world.redis, key=fork) == {"m1": "one", "m2": "two"}
    await write(world, {"m3": "three"}, key=fork)
    assert await read(world.redis) == {"m1": "one", "m2": "two"}


async def test_a_moment_whose_records_were_changed_since_cannot_be_forked(world: World) -> None:
    await write(world, {"m1": "one"})
    (first,) = await Forks(world.redis).turns(BOT, "c1")
    await write(world, {"m1": "rewritten"})
    with pytest.raises(NotForkable) as refused:
        await Forks(world.redis).fork(BOT, "c1", after=first)
    assert len(refused.value.turns) == 1
    fork = await Forks(world.redis).fork(BOT, "c1", user="ada")
    assert await read(world.redis, key=fork) == {"m1": "rewritten"}


async def test_records_live_as_long_as_what_they_belong_to(world: World) -> None:
    await write(world, {"a": 1})
    await write(world, {"a": 1}, key=":nora")
    day = 24 * 3600
    for key, most in (("c1", 30 * day), (":nora", 3650 * day)):
        names = (keys.records(BOT.partition(key), key), keys.record_names(BOT.partition(key), key))
        lives = [await world.redis.ttl(name) for name in (*names, keys.state(BOT.partition(key), key))]
        assert all(most - 3600 < life <= most for life in lives)


def test_a_persona_and_its_threads_share_a_partition() -> None:
    bot = BotAddress("shop", "clerk", 16)
    assert {bot.partition(key).number for key in (":nora", "nora~t1", "nora~t2", "nora")} == {
        bot.partition("nora").number
    }
    assert len({bot.partition(f"{name}~t").number for name in "abcdefghij"}) > 1
