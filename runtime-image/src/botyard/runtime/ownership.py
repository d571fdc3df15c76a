"""Which partitions this replica owns: joins, takes, prolongs, hands over."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis

from botyard.core.address import BotAddress, Partition
from botyard.core.connection import Unavailable
from botyard.core.errors import StaleOwner
from botyard.core.leases import LEASE_MS, Lease, Leases, Replicas
from botyard.core.placement import place

log = logging.getLogger("botyard.ownership")

LOOK_EVERY = 1.0
"""Seconds between looks at placement when nobody wakes us."""
MARGIN = 1 / 3
"""Part of a lease's life for which it no longer counts as sure: clocks run at different speeds, and a process may be
stopped between its look at the clock and what it does next."""
SURE_PAUSE = 0.05
"""Seconds between looks whether a lease has been renewed."""
HANDOVER_TIMEOUT = 30.0
"""Seconds that running turns get before a partition is handed over all the same (they are run again there)."""


class Ownership:
    """Keeps the leases of this replica in line with the placement that all replicas compute."""

    def __init__(
        self,
        redis: Redis,
        bot: BotAddress,
        *,
        name: str,
        acquired: Callable[[Lease], None],
        lost: Callable[[Partition], None],
        drain: Callable[[Partition, float], Awaitable[bool]],
        lease_ms: int = LEASE_MS,
    ) -> None:
        """Prepare; `run` joins.

        Args:
            redis: Where leases live.
            bot: Whose partitions.
            name: This incarnation of the replica.
            acquired: Told of each new lease; reading may begin.
            lost: Told of each partition that is no longer ours; reading must end.
            drain: Waits until nothing of a partition runs, at most so many seconds.
            lease_ms: Milliseconds that a lease lives.
        """
        self._redis = redis
        self._bot = bot
        self._leases = Leases(redis, owner=name, lease_ms=lease_ms)
        self._replicas = Replicas(redis, bot, name=name, lease_ms=lease_ms)
        self._name = name
        self._acquired = acquired
        self._lost = lost
        self._drain = drain
        self._owned: dict[Partition, Lease] = {}
        self._releasing: dict[Partition, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self._until: dict[Partition, float] = {}
        """When a lease can have run out at the earliest, by the local clock that never stops."""
        self._lease_seconds = lease_ms / 1000
        self._renewed = 0.0
        self._renew_every = lease_ms / 3000
        self._pause = min(LOOK_EVERY, lease_ms / 4000)
        self.last_look = 0.0
        """Loop time of the last look that reached Redis."""

    @property
    def owned(self) -> dict[Partition, Lease]:
        """The leases held now."""
        return self._owned

    async def settled(self) -> None:
        """Return when this replica owns what the placement gives it."""
        await self._settled.wait()

    async def sure(self, lease: Lease) -> float:
        """Return when nobody else can hold `lease`: at once, unless its last renewal is too long ago.

        The answer is for how many seconds from now on that is so at least.

        Commits do not need it, since their script looks. What is paid for outside does: a process that was stopped
        beyond its lease wakes up in the midst of turns that another one has run meanwhile.

        Raises:
            StaleOwner: It was lost.
        """
        while self._owned.get(lease.partition) is lease:
            left = self._until[lease.partition] - time.monotonic()
            if left > MARGIN * self._lease_seconds:
                return left
            self.wake()
            await asyncio.sleep(SURE_PAUSE)
        raise StaleOwner(f"{lease.partition} has another owner")

    async def run(self) -> None:
        """Join the replicas and keep the leases until cancelled. Redis may go away and come back."""
        await self._announce()
        while True:
            try:
                await self._look()
                self.last_look = asyncio.get_running_loop().time()
            except Unavailable as error:
                log.warning("Redis cannot be reached, leases may run out: %s", error)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause * random.uniform(0.8, 1.0)):  # noqa: S311
                    await self._wake.wait()

    def wake(self) -> None:
        """Look at the placement now."""
        self._wake.set()

    async def _announce(self) -> None:
        with contextlib.suppress(*Unavailable):
            await self._replicas.heartbeat()
            await self._replicas.wake()

    async def _look(self) -> None:
        wanted = {
            Partition(self._bot, number)
            for number, owner in place(await self._replicas.heartbeat(), self._bot.partitions).items()
            if owner == self._name
        }
        if (now := asyncio.get_running_loop().time()) - self._renewed >= self._renew_every:
            await self._renew()
            self._renewed = now
        for partition in [p for p in self._owned if p not in wanted and p not in self._releasing]:
            self._releasing[partition] = asyncio.create_task(self._release(partition))
        missing, asked = [p for p in wanted if p not in self._owned], time.monotonic()
        for lease in await asyncio.gather(*(self._leases.acquire(partition) for partition in missing)):
            if lease is not None:
                self._owned[lease.partition] = lease
                self._until[lease.partition] = asked + self._lease_seconds
                self._acquired(lease)
                log.info("owns %s since epoch %s", lease.partition, lease.epoch)
        if wanted <= self._owned.keys():
            self._settled.set()

    async def _renew(self) -> None:
        held, asked = list(self._owned.values()), time.monotonic()
        for lease, still in zip(
            held, await asyncio.gather(*(self._leases.renew(lease) for lease in held)), strict=True
        ):
            if still:
                self._until[lease.partition] = asked + self._lease_seconds
            elif self._owned.get(lease.partition) is lease:
                del self._owned[lease.partition]
                self._lost(lease.partition)
                log.warning("lost %s: its lease ran out or was taken", lease.partition)

    async def _release(self, partition: Partition) -> None:
        """Hand a partition over: stop reading it, let what runs finish, give the lease back, wake the next owner."""
        try:
            self._lost(partition)
            if not await self._drain(partition, HANDOVER_TIMEOUT):
                log.warning("%s is handed over with turns that still run; they are run again there", partition)
            lease = self._owned.pop(partition, None)
            if lease is not None:
                await self._leases.release(lease)
                await self._replicas.wake()
        except Unavailable as error:
            log.warning("%s was not given back, its lease runs out: %s", partition, error)
        finally:
            self._releasing.pop(partition, None)

    async def leave(self, timeout: float) -> None:
        """Leave the replicas and hand everything over, within `timeout` seconds. Call after `run` was cancelled."""
        try:
            await self._replicas.leave()
            await self._replicas.wake()
        except Unavailable as error:
            log.warning("Redis cannot be reached, the leases run out by themselves: %s", error)
        renewing = asyncio.create_task(self._renew_until_released())
        releases = [
            self._releasing.setdefault(partition, asyncio.create_task(self._release(partition)))
            for partition in list(self._owned)
        ]
        if releases:
            await asyncio.wait(releases, timeout=timeout)
        renewing.cancel()

    async def _renew_until_released(self) -> None:
        while self._owned:
            with contextlib.suppress(*Unavailable):
                await self._renew()
            await asyncio.sleep(self._pause)
