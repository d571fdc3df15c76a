"""Events of one key follow each other; the next one may begin with the end of the one before it."""

import asyncio
from collections import defaultdict

from botyard.core.address import BotAddress
from botyard.core.inbox import Entry
from botyard.core.leases import Lease
from botyard.runtime.dispatcher import Dispatcher, Following, Job
from botyard.runtime.parking import Aside

BOT = BotAddress("shop", "repairs", partitions=1)
LEASE = Lease(BOT.all_partitions()[0], "a", 1)


def event(key: str, name: str) -> Entry:
    return Entry(f"{name}-0", LEASE.partition, name, key, "message", "{}", f"turn-{name}", "ada", 1)


class Runs:
    """Runs events when told, and notes what it was given."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ahead: dict[str, str | None] = {}
        self.goes: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.aside: set[str] = set()

    async def __call__(self, job: Job, following: Following) -> Aside | None:
        name = job.entry.event
        self.begun.append(name)
        await self.goes[name].wait()
        behind = following()
        self.ahead[name] = behind.entry.event if behind is not None else None
        # Asked again, as by a commit that has to be tried again, it says the same.
        assert following() is behind
        return Aside(None) if name in self.aside else None

    async def until_begun(self, *names: str) -> None:
        async with asyncio.timeout(60):
            while self.begun != list(names):
                await asyncio.sleep(0)


def made(runs: Runs, concurrency: int) -> Dispatcher:
    return Dispatcher(runs, concurrency=concurrency, again=lambda key: None)


async def test_a_run_is_told_what_follows_it_and_that_is_run_next() -> None:
    runs = Runs()
    dispatcher = made(runs, 4)
    for name in ("1", "2", "3"):
        dispatcher.offer(LEASE, event("c", name))
    for name in ("1", "2", "3"):
        runs.goes[name].set()
    await runs.until_begun("1", "2", "3")
    assert await dispatcher.drain(LEASE.partition, 60)
    assert runs.ahead == {"1": "2", "2": "3", "3": None}
    assert dispatcher.running == 0


async def test_keys_run_side_by_side_up_to_the_limit() -> None:
    runs = Runs()
    dispatcher = made(runs, 3)
    for number in range(10):
        dispatcher.offer(LEASE, event(f"c{number}", str(number)))
    await runs.until_begun("0", "1", "2")
    for _ in range(100):
        await asyncio.sleep(0)
    assert dispatcher.running == 3
    for number in range(10):
        runs.goes[str(number)].set()
    await runs.until_begun(*map(str, range(10)))


async def test_nothing_begins_ahead_while_another_key_waits_for_its_slot() -> None:
    runs = Runs()
    dispatcher = made(runs, 1)
    for key, name in (("c", "1"), ("c", "2"), ("d", "3")):
        dispatcher.offer(LEASE, event(key, name))
    await runs.until_begun("1")
    runs.goes["1"].set()
    await runs.until_begun("1", "3")
    assert runs.ahead == {"1": None}


async def test_what_began_ahead_is_run_although_the_rest_is_forgotten() -> None:
    runs = Runs()
    dispatcher = made(runs, 4)
    for name in ("1", "2", "3"):
        dispatcher.offer(LEASE, event("c", name))
    await runs.until_begun("1")
    runs.goes["1"].set()
    await runs.until_begun("1", "2")
    draining = asyncio.create_task(dispatcher.drain(LEASE.partition, 60))
    await asyncio.sleep(0)
    runs.goes["2"].set()
    assert await draining
    assert runs.begun == ["1", "2"]


async def test_what_was_to_follow_a_turn_that_is_put_aside_is_read_again_with_it() -> None:
    runs = Runs()
    dispatcher = made(runs, 4)
    one, two = event("c", "1"), event("c", "2")
    runs.aside = {"1"}
    for each in (one, two):
        dispatcher.offer(LEASE, each)
    runs.goes["1"].set()
    runs.goes["2"].set()
    await runs.until_begun("1")
    async with asyncio.timeout(60):
        while dispatcher.aside != ("c",):
            await asyncio.sleep(0)
    assert runs.ahead == {"1": "2"}
    runs.aside = set()
    dispatcher.take_up("c", LEASE, [one, two])
    await runs.until_begun("1", "1", "2")


async def test_reading_pauses_above_the_limit_and_what_is_put_aside_does_not_count() -> None:
    runs = Runs()
    dispatcher = made(runs, 1)
    for number in range(2048):
        dispatcher.offer(LEASE, event("c", str(number)))
    assert not dispatcher._room.is_set()
    runs.aside = {"0"}
    runs.goes["0"].set()
    async with asyncio.timeout(60):
        await dispatcher.room()
    assert dispatcher.oldest_accepted_ms() is None
