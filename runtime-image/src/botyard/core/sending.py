"""Connections to Redis that lose no cancellation.

redis-py sends inside of `asyncio.wait_for`. In Python 3.11 that swallows a cancellation which comes just as the sending
ends: a loop that was told to end goes on for ever, a call that nobody wants any more is made. It also costs a task for
each command. `asyncio.timeout` does neither.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

from redis.asyncio import ConnectionPool, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError


class _Sending(AbstractConnection):
    """Sends as redis-py does, but in the task that wants it."""

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """Send a command that is packed already.

        Raises:
            redis.exceptions.TimeoutError: The server does not take it.
            redis.exceptions.ConnectionError: The connection broke.
        """
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        packed = command.encode() if isinstance(command, str) else command
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command([packed] if isinstance(packed, bytes) else packed)
        except TimeoutError:
            await self.disconnect(nowait=True)
            raise RedisTimeoutError("Redis does not take what is sent to it") from None
        except OSError as error:
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"the connection to Redis broke: {error}") from error
        except BaseException:
            # Nobody knows how much of it was sent.
            await self.disconnect(nowait=True)
            raise


def _sending(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    return type(f"Sending{kind.__name__}", (_Sending, kind), {})


def mend_pool(pool: ConnectionPool) -> None:
    """Have all connections that `pool` makes from now on lose no cancellation."""
    pool.connection_class = _sending(pool.connection_class)


def mend_cluster(cluster: RedisCluster) -> None:
    """Have all connections that a cluster's client makes from now on lose no cancellation."""
    kwargs: dict[str, Any] = cluster.connection_kwargs
    kwargs["connection_class"] = _sending(kwargs["connection_class"])
    # Of the nodes that are found later it becomes a part by itself.
    for node in cluster.nodes_manager.startup_nodes.values():
        node.connection_class = kwargs["connection_class"]
