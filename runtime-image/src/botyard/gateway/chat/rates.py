"""How often one user writes: counted in Redis, so that all gateways count together."""

import time
from dataclasses import dataclass

from redis.asyncio import Redis

from botyard.gateway.chat.users import Allowance

HOUR, MINUTE = 3600, 60


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that was reached."""

    window: str
    """`hourly` or `burst`."""
    limit: int
    retry_after: int
    """Seconds."""


class UserRates:
    """Counts messages of users by hour and by minute."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def take(self, namespace: str, user: str, allowance: Allowance) -> Exceeded | None:
        """Count a message; return the limit that it exceeds, if one is."""
        now = int(time.time())
        tag = f"by:{{chat/{namespace}/{user}}}:rate"
        hour, minute = f"{tag}:h:{now // HOUR}", f"{tag}:m:{now // MINUTE}"
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.incr(minute)
            pipe.expire(minute, MINUTE * 2)
            pipe.incr(hour)
            pipe.expire(hour, HOUR * 2)
            in_minute, _, in_hour, _ = await pipe.execute()
        if in_minute > allowance.burst:
            return Exceeded("burst", allowance.burst, MINUTE - now % MINUTE)
        if allowance.hourly is not None and in_hour > allowance.hourly:
            return Exceeded("hourly", allowance.hourly, HOUR - now % HOUR)
        return None
