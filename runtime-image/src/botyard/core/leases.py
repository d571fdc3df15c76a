"""Who may commit in a partition: leases with epochs."""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from botyard.core import control, keys
from botyard.core.address import BotAddress, Partition
from botyard.core.scripts import Scripts

LEASE_MS = 6000
"""Life of a lease without renewal. With a look every second, a dead replica is replaced within 7.5 s."""


@dataclass(slots=True)
class Known:
    """What the owner of a lease was told of its partition."""

    commits: int = 0
    """How many there were; Redis knows of fewer where it came back with an older state."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that was held when it was granted; only a script can tell whether it still is."""

    partition: Partition
    owner: str
    epoch: int
    known: Known = field(default_factory=Known, compare=False, repr=False)


class Leases:
    """Takes, prolongs and gives back leases for one replica."""

    def __init__(self, redis: Redis, *, owner: str, lease_ms: int = LEASE_MS) -> None:
        """Remember who asks.

        Args:
            redis: Where leases live.
            owner: Name of this incarnation of the replica; a restarted process must use another one.
            lease_ms: Milliseconds that a lease lives without renewal, by the clock of Redis.
        """
        self._redis = redis
        self._scripts = Scripts(redis)
        self._owner = owner
        self._lease_ms = lease_ms

    async def acquire(self, partition: Partition) -> Lease | None:
        """Return the lease of `partition`, or None while somebody else holds it."""
        answer = await self._scripts.run(
            "lease_acquire", keys=[keys.lease(partition)], args=[self._owner, self._lease_ms]
        )
        if answer[0] == 0:
            return None
        return Lease(partition, self._owner, int(answer[0]), Known(int(answer[1])))

    async def renew(self, lease: Lease) -> bool:
        """Prolong `lease`; False when it was lost.

        It counts as lost, too, where Redis came back with an older state: what its owner has committed may be in the
        inbox again, and is read again only by who takes the partition anew.
        """
        answer = await self._scripts.run(
            "lease_renew",
            keys=[keys.lease(lease.partition)],
            args=[lease.owner, lease.epoch, self._lease_ms, lease.known.commits],
        )
        return bool(answer == 1)

    async def release(self, lease: Lease) -> None:
        """Give `lease` back and wake the replicas that may want the partition."""
        await self._scripts.run("lease_release", keys=[keys.lease(lease.partition)], args=[lease.owner, lease.epoch])


class Replicas:
    """The live replicas of one bot, by their heartbeats."""

    def __init__(self, redis: Redis, bot: BotAddress, *, name: str, lease_ms: int = LEASE_MS) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._bot = bot
        self._name = name
        self._lease_ms = lease_ms

    async def heartbeat(self) -> list[str]:
        """Say that this replica lives; return the names of all that do."""
        answer = await self._scripts.run(
            "heartbeat", keys=[keys.replicas(self._bot)], args=[self._name, self._lease_ms]
        )
        return [name.decode() for name in answer]

    async def leave(self) -> None:
        """Stop being placed."""
        await self._redis.zrem(keys.replicas(self._bot), self._name)

    async def wake(self) -> None:
        """Make every replica look at the placement now."""
        await self._redis.publish(keys.control(self._bot), control.REBALANCE)
