"""Connections to Redis: one way to make them, with time-outs everywhere."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

SOCKET_TIMEOUT = 10.0
"""Seconds for one answer. Blocking reads ask for less than this."""
MAX_CONNECTIONS = 64
"""Connections of one client; who needs another one waits for it."""


def connect(url: str, *, max_connections: int = MAX_CONNECTIONS) -> Redis:
    """Return a client for `url` (redis://, rediss:// or unix://); it connects lazily.

    Connection errors are retried three times within about a second: every script of this package is safe to run
    again, since it answers what it had done before.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        timeout=SOCKET_TIMEOUT,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=3.0,
        health_check_interval=30,
        max_connections=max_connections,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 3),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
    return Redis.from_pool(pool)
