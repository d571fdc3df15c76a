"""Connections to Redis: one way to make them, with time-outs everywhere.

A URL says what kind of Redis it is:

    redis://[user:password@]host:port/db                  one server (rediss:// with TLS, unix://path)
    redis+sentinel://[user:password@]host:port,…/name/db  the primary that the sentinels agree on
    redis+cluster://[user:password@]host:port,…           a Redis Cluster

`?acknowledge=fsync[&replicas=N]` at the end: see `botyard.core.acknowledgement`.
"""

import asyncio
from typing import Any, cast
from urllib.parse import SplitResult, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from botyard.core import acknowledgement, sending
from botyard.core.lane import LaneRedis

SOCKET_TIMEOUT = 10.0
LANE_TIMEOUT = 4.0
"""Seconds for the answer to a script. All share one connection: a broken one is replaced before leases run out."""
"""Seconds for one answer. Blocking reads ask for less than this."""
MAX_CONNECTIONS = 64
"""Connections of one client; who needs another one waits for it."""
MAX_NODE_CONNECTIONS = 1024
"""Connections to one node of a cluster or to a sentinels' primary, where the library cannot wait for one."""

Unavailable = (RedisError, RedisClusterException)
"""What a client raises when Redis cannot answer now: no connection, a failover, a slot without a node."""


def connect(url: str, *, max_connections: int = MAX_CONNECTIONS) -> Redis:
    """Return a client for `url`; it connects lazily.

    Connection errors are retried three times within about a second: every script of this package is safe to run
    again, since it answers what it had done before. A cluster's client is returned as a `Redis` too: it has the same
    commands, and this package keeps the keys of each script and each read in one slot.

    Raises:
        ValueError: `url` has another form.
    """
    url, flushing_replicas = acknowledgement.split(url)
    parts = urlsplit(url)
    client: Redis
    if parts.scheme == "redis+cluster":
        client = _cluster(parts, RedisCluster if flushing_replicas is None else acknowledgement.FlushingCluster)
    else:
        client = _sentinel(parts) if parts.scheme == "redis+sentinel" else _single(url, max_connections)
        if flushing_replicas is not None:
            flushing = acknowledgement.FlushingRedis(connection_pool=client.connection_pool)
            client.auto_close_connection_pool, flushing.auto_close_connection_pool = False, True
            client = flushing
    if isinstance(client, acknowledgement.Flushing):
        client.replicas, client.room = flushing_replicas or 0, asyncio.Semaphore(max(1, max_connections // 2))
    return client


def _single(url: str, max_connections: int) -> Redis:
    pool = BlockingConnectionPool.from_url(
        url, timeout=SOCKET_TIMEOUT, max_connections=max_connections, retry=_retry(), **_TIMEOUTS
    )
    sending.mend_pool(pool)
    return LaneRedis(pool, timeout=LANE_TIMEOUT, retry=_retry())


def in_cluster(redis: Redis) -> bool:
    """Return whether keys of several slots cannot be asked for together."""
    return isinstance(redis, RedisCluster)


_TIMEOUTS: dict[str, Any] = {
    "socket_timeout": SOCKET_TIMEOUT,
    "socket_connect_timeout": 3.0,
    "health_check_interval": 30,
    "retry_on_error": [RedisConnectionError, RedisTimeoutError],
}


def _retry() -> Retry:
    return Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 3)


def _cluster(parts: SplitResult, kind: type[RedisCluster]) -> Redis:
    nodes = [ClusterNode(host, port) for host, port in _hosts(parts, 6379)]
    client = kind(
        startup_nodes=nodes, max_connections=MAX_NODE_CONNECTIONS, retry=_retry(), **_TIMEOUTS, **_login(parts)
    )
    sending.mend_cluster(client)
    return cast("Redis", client)


def _sentinel(parts: SplitResult) -> Redis:
    name, _, db = parts.path.lstrip("/").partition("/")
    if not name:
        raise ValueError("a sentinel URL must end with the primary's name: redis+sentinel://host:26379/name")
    sentinel = Sentinel(_hosts(parts, 26379), sentinel_kwargs={"socket_timeout": 1.0})  # type: ignore[no-untyped-call]
    client: Redis = sentinel.master_for(
        name, db=int(db or 0), max_connections=MAX_NODE_CONNECTIONS, retry=_retry(), **_TIMEOUTS, **_login(parts)
    )
    sending.mend_pool(client.connection_pool)
    return client


def _hosts(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    hosts = []
    for place in parts.netloc.rpartition("@")[2].split(","):
        host, _, port = place.rpartition(":") if ":" in place else (place, "", "")
        hosts.append((host, int(port or default_port)))
    if not all(host for host, _ in hosts):
        raise ValueError("a host is missing in the URL of Redis")
    return hosts


def _login(parts: SplitResult) -> dict[str, Any]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    found = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in found.items() if value}
