"""When a write counts as done: at once, or only after Redis has written it to disk (`?acknowledge=fsync`).

Without the policy Redis's answer is enough, and `appendfsync` decides what a crash can lose. With it an acceptance and
a commit are answered only after WAITAOF has told that the server, and as many replicas as asked for, have flushed them.
WAITAOF speaks of what its own connection wrote, so it is sent with the script; a script that finds its work done by an
earlier try writes something, too, as the earlier try's flush may not have been waited for.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import PipelineCommand
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    NoScriptError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

log = logging.getLogger("botyard.redis")

RETRY_SECONDS = 1.0
"""Between looks at a server that does not answer."""
PARAMETER, REPLICAS = "acknowledge", "replicas"
"""What the URL of Redis says of it."""
MAX_REPLICAS = 16
WAIT_MS = 5_000
"""Milliseconds that one try waits for a flush; less than a connection's time-out for an answer."""


class NotFlushed(RedisError):
    """Redis has the write in memory and did not say in time that it is on disk: ask again."""


class Unsupported(ValueError):
    """The server cannot do what its URL asks for."""


class Flushing:
    """What a client whose acceptances and commits wait for the disk knows."""

    replicas: int = 0
    """So many replicas have to flush, too."""
    wait_ms: int = WAIT_MS
    """Milliseconds that one try waits for a flush."""
    room: asyncio.Semaphore
    """As many may wait at once: each wait holds a connection, and leases must be renewed meanwhile."""

    def flush(self) -> tuple[Any, ...]:
        """Return the command that waits for a flush of what its connection wrote."""
        return ("WAITAOF", 1, self.replicas, self.wait_ms)

    async def flushed(self, command: tuple[Any, ...], key: str, again: tuple[Any, ...]) -> list[Any]:
        """Send `command` and `flush` on one connection; return both answers, which may be exceptions.

        Args:
            command: What writes.
            key: One of those that it writes.
            again: The same as `command`, for a server that may know nothing yet.

        Raises:
            RedisError: Redis did not answer.
        """
        raise NotImplementedError

    async def try_flush(self) -> None:
        """Ask all servers that accept writes whether they can.

        Raises:
            RedisError: One did not answer, or cannot.
        """
        raise NotImplementedError


class FlushingRedis(Flushing, Redis):  # type: ignore[misc]
    """One server, or the primary behind sentinels."""

    async def flushed(self, command: tuple[Any, ...], key: str, again: tuple[Any, ...]) -> list[Any]:
        """See `Flushing`."""
        # One pipeline is one connection and one round trip; without MULTI, in which WAITAOF does not wait.
        async with self.room, self.pipeline(transaction=False) as pipe:
            pipe.execute_command(*command)
            pipe.execute_command(*self.flush())
            return list(await pipe.execute(raise_on_error=False))

    async def try_flush(self) -> None:
        """See `Flushing`."""
        execute: Any = self.execute_command
        await execute("WAITAOF", 1, 0, self.wait_ms)


_ELSEWHERE = (
    MovedError,
    AskError,
    TryAgainError,
    ClusterDownError,
    RedisClusterException,
    RedisConnectionError,
    RedisTimeoutError,
)
"""What says that the client may not know the cluster as it is now."""


class FlushingCluster(Flushing, RedisCluster):  # type: ignore[misc]
    """A Redis Cluster."""

    async def flushed(self, command: tuple[Any, ...], key: str, again: tuple[Any, ...]) -> list[Any]:
        """See `Flushing`."""
        async with self.room:
            await self.initialize()
            both = [PipelineCommand(0, *command), PipelineCommand(1, *self.flush())]
            try:
                # Not a pipeline of the client, which follows redirections on connections of their own.
                node: Any = self.get_node_from_key(key)
                await node.execute_pipeline(both)
                if isinstance(both[0].result, _ELSEWHERE):
                    raise both[0].result
            except _ELSEWHERE as error:
                # The client finds out where it is, and knows it when it is asked again.
                execute: Any = self.execute_command
                await execute(*again)
                raise NotFlushed(f"the cluster has changed: {type(error).__name__} {error}") from error
            return [each.result for each in both]

    async def try_flush(self) -> None:
        """See `Flushing`."""
        execute: Any = self.execute_command
        await execute("WAITAOF", 1, 0, self.wait_ms, target_nodes=RedisCluster.PRIMARIES)


def split(url: str) -> tuple[str, int | None]:
    """Return `url` without the policy, and how many replicas have to flush; None: no flush is waited for.

    Raises:
        ValueError: The policy is none that there is.
    """
    base, _, asked = url.partition("?")
    query = dict(parse_qsl(asked, keep_blank_values=True))
    policy, count = query.pop(PARAMETER, None), query.pop(REPLICAS, None)
    if policy is None and count is None:
        return url, None
    if policy != "fsync":
        raise ValueError(f"the URL of Redis must say {PARAMETER}=fsync, or leave it and {REPLICAS} out")
    if count is not None and not (count.isascii() and count.isdigit() and int(count) <= MAX_REPLICAS):
        raise ValueError(f"the URL of Redis must give {REPLICAS} as a number from 0 to {MAX_REPLICAS}")
    return f"{base}?{urlencode(query)}" if query else base, int(count or 0)


async def run(redis: Flushing, source: str, digest: str, *, keys: list[str], args: list[Any]) -> Any:
    """Run a script and wait until what it wrote is on disk; return its answer.

    Args:
        redis: Where.
        source: Text of the script; it writes something whatever it answers, but for refusals.
        digest: Its SHA-1.
        keys: All in one slot.
        args: As the script takes them.

    Raises:
        NotFlushed: It is not known to be on disk.
        RedisError: Redis did not answer, or refused.
    """
    known = ("EVALSHA", digest, len(keys), *keys, *args)
    whole = ("EVAL", source, len(keys), *keys, *args)
    answer, flushed = await redis.flushed(known, keys[0], whole)
    if isinstance(answer, NoScriptError):
        answer, flushed = await redis.flushed(whole, keys[0], whole)
    for found in (answer, flushed):
        if isinstance(found, Exception):
            raise found
    local, replicas = flushed
    if local < 1 or replicas < redis.replicas:
        raise NotFlushed(f"flushed by the primary: {local} of 1, by replicas: {replicas} of {redis.replicas}")
    return answer


async def confirm(redis: Redis) -> None:
    """Find out whether the server can do what its URL asks for.

    Raises:
        Unsupported: It is too old, or keeps no append-only file; the message says what to do.
        RedisError: It did not answer.
    """
    if not isinstance(redis, Flushing):
        return
    try:
        await redis.try_flush()
    except ResponseError as error:
        about = await redis.info("server")
        name = "Valkey" if "valkey_version" in about else "Redis"
        version = about.get("valkey_version") or about.get("redis_version")
        way_out = (
            "use Redis 7.2 or Valkey"
            if "unknown command" in str(error).lower()
            else "set `appendonly yes` and allow WAITAOF"
        )
        raise Unsupported(
            f"{PARAMETER}=fsync in the URL of Redis needs WAITAOF, and {name} {version} refuses it ({error}): "
            f"{way_out}, or leave {PARAMETER} out and set `appendfsync always`"
        ) from None


def confirming(redis: Redis, *, otherwise: Callable[[], None]) -> asyncio.Task[None]:
    """Start to `confirm` as soon as Redis answers; the task raises Unsupported after calling `otherwise`."""
    task = asyncio.create_task(_confirm_when_it_answers(redis), name="confirming")
    task.add_done_callback(lambda done: otherwise() if unsuited(done) else None)
    return task


def unsuited(confirmation: asyncio.Task[None]) -> BaseException | None:
    """Return why Redis cannot do what its URL asks for, as far as it is known."""
    if not confirmation.done() or confirmation.cancelled():
        return None
    return confirmation.exception()


async def _confirm_when_it_answers(redis: Redis) -> None:
    while True:
        try:
            return await confirm(redis)
        except RedisError as error:
            log.warning("Redis does not answer, trying again: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
