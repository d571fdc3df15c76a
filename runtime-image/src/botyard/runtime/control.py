"""Listens to what is said to a bot's replicas while they run."""

import asyncio
import logging
import random
from collections.abc import Callable

from redis.asyncio import Redis

from botyard.core import control, keys
from botyard.core.address import BotAddress
from botyard.core.connection import Unavailable

log = logging.getLogger("botyard.control")


async def listen(
    redis: Redis,
    bot: BotAddress,
    *,
    rebalance: Callable[[], None],
    cancel: Callable[[str], None],
    resume: Callable[[str], None],
    look: Callable[[], None],
) -> None:
    """Call `rebalance`, `cancel` (with a turn), `resume` (with a key) and `look` as told, until cancelled.

    Redis may go away and come back.

    What is said while nobody listens is not lost for good: placement is looked at every second anyway, and a turn to
    be cancelled is marked, which its next run finds, and parked turns are looked at every minute.
    """
    while True:
        try:
            # A cluster's client must know the cluster's nodes before it can subscribe.
            await redis.initialize()
            async with redis.pubsub(ignore_subscribe_messages=True) as channel:
                await channel.subscribe(keys.control(bot))
                while True:
                    message = await channel.get_message(timeout=5.0)
                    if message is None:
                        continue
                    said: bytes = message["data"]
                    if said == control.REBALANCE:
                        rebalance()
                    elif said == control.LOOK:
                        look()
                    elif said.startswith(control.CANCEL):
                        cancel(said.removeprefix(control.CANCEL).decode())
                    elif said.startswith(control.RESUME):
                        resume(said.removeprefix(control.RESUME).decode())
        except Unavailable as error:
            log.warning("not listening for a moment: %s", error)
            await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311
