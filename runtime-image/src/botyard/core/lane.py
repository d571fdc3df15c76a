"""One connection for all scripts of a client: each is sent without waiting for the answers of those before it.

Scripts never block, so none is held up for long by another one's. Redis answers in the order of asking; what many turns
want at the same moment goes out together and comes back together. A connection from the pool for each script, as
redis-py takes it, costs several times the processor time.
"""

import asyncio
import contextlib
from collections import deque
from typing import Any

import hiredis
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse
from redis.exceptions import TimeoutError as RedisTimeoutError

_INCOMPLETE = object()


class LaneRedis(Redis):
    """A client of one server that runs its scripts on one connection."""

    def __init__(self, connection_pool: ConnectionPool, *, timeout: float, retry: Retry) -> None:
        """Prepare; it connects when it is asked.

        Args:
            connection_pool: Closed together with the client.
            timeout: Seconds for one answer.
            retry: How often a script whose connection broke is sent again.
        """
        super().__init__(connection_pool=connection_pool)
        self.auto_close_connection_pool = True
        self.lane = Lane(connection_pool, timeout=timeout, retry=retry)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections."""
        self.lane.close()
        await super().aclose(close_connection_pool)


class _NotOpened(Exception):
    """There is no connection to be had: the pool has tried again already, so that nobody else needs to."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Lane:
    """Sends commands on one connection of a pool, which is replaced when it breaks."""

    def __init__(self, pool: ConnectionPool, *, timeout: float, retry: Retry) -> None:
        self._pool = pool
        self._timeout = timeout
        self._retry = retry
        self._answers: _Answers | None = None
        self._opening: asyncio.Task[_Answers] | None = None
        self._closed = False

    async def ask(self, *command: str | bytes | int) -> Any:
        """Send a command that does not block and return its answer; it may be sent again when a connection breaks.

        Raises:
            redis.exceptions.RedisError: Redis refuses it, or does not answer.
        """
        packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
        try:
            try:
                return await self._ask(packed)
            except (RedisConnectionError, RedisTimeoutError) as error:
                await self._dropped(error)
                return await self._retry.call_with_retry(lambda: self._ask(packed), self._dropped)
        except _NotOpened as failed:
            raise failed.error from failed

    async def _ask(self, packed: bytes) -> Any:
        answers = self._answers
        if answers is None or answers.lost:
            answers = await self._open()
        return await answers.to(packed)

    async def _open(self) -> "_Answers":
        """Connect; all who ask meanwhile wait for the same try, and are told the same when it fails."""
        if self._closed:
            raise _NotOpened(RedisConnectionError("the client is closed"))
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._connect(), name="lane")
            # Also where nobody who asked is left to be told.
            self._opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(self._opening)

    async def _connect(self) -> "_Answers":
        if (former := self._answers) is not None:
            self._answers = None
            await former.connection.disconnect(nowait=True)
            await self._pool.release(former.connection)
        try:
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        except (RedisConnectionError, RedisTimeoutError) as error:
            raise _NotOpened(error) from error
        self._answers = _Answers(connection, self._timeout)
        return self._answers

    def close(self) -> None:
        """Connect no more; the pool closes what there is."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()

    async def _dropped(self, error: Exception) -> None:
        """Leave it to the next try to connect again: others may be under way on a new connection already."""


class _Answers(asyncio.Protocol):
    """Gives the answers that come on a connection to those who asked, in the order of asking."""

    def __init__(self, connection: AbstractConnection, timeout: float) -> None:
        """Take over a connection of redis-py that is open, and on which nobody waits for anything."""
        assert connection._writer is not None
        self.connection = connection
        self.lost = False
        """Nothing can be asked here any more."""
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._writer = connection._writer
        self._transport = self._writer.transport
        # redis-py's own: who closes the connection, or waits until more can be written, relies on it.
        self._stream: Any = self._transport.get_protocol()
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=connection._parser.parse_error, notEnoughData=_INCOMPLETE
        )
        self._asked: deque[tuple[asyncio.Future[Any], float]] = deque()
        """Who waits, and since when."""
        self._watch: asyncio.TimerHandle | None = None
        self._full = False
        self._transport.set_protocol(self)

    async def to(self, packed: bytes) -> Any:
        """Return the answer to a packed command."""
        if self.lost:
            raise RedisConnectionError("the connection to Redis broke")
        answer = self._loop.create_future()
        self._asked.append((answer, self._loop.time()))
        self._transport.write(packed)
        if self._watch is None:
            self._watch = self._loop.call_later(self._timeout, self._look)
        if self._full:
            with contextlib.suppress(OSError):
                await self._writer.drain()
        return await answer

    def data_received(self, data: bytes) -> None:
        """Take in a part of what Redis says."""
        self._reader.feed(data)
        try:
            while (said := self._reader.gets()) is not _INCOMPLETE:
                if isinstance(said, hiredis.PushNotification):
                    continue
                answer, _ = self._asked.popleft()
                # Who asked may not want it any more.
                if answer.done():
                    continue
                if isinstance(said, Exception):
                    answer.set_exception(said)
                else:
                    answer.set_result(said)
        except (InvalidResponse, IndexError) as error:
            self._lose(RedisConnectionError(f"Redis said what nobody asked for: {error}"))

    def pause_writing(self) -> None:
        """Have those who ask wait until Redis has read more."""
        self._full = True
        self._stream.pause_writing()

    def resume_writing(self) -> None:
        """Redis has read."""
        self._full = False
        self._stream.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell all who wait."""
        self._lose(RedisConnectionError(f"the connection to Redis broke: {error or 'it was closed'}"))
        self._stream.connection_lost(error)

    def _look(self) -> None:
        """Give up a connection whose oldest question is too old."""
        self._watch = None
        if not self._asked:
            return
        left = self._asked[0][1] + self._timeout - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
        else:
            self._lose(RedisTimeoutError(f"Redis did not answer within {self._timeout:g} s"))

    def _lose(self, error: Exception) -> None:
        self.lost = True
        if self._watch is not None:
            self._watch.cancel()
        self._transport.abort()
        while self._asked:
            answer, _ = self._asked.popleft()
            if not answer.done():
                answer.set_exception(type(error)(*error.args))
