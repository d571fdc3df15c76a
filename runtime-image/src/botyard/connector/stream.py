"""Reads a stream in portions: what has come, up to a limit, without holding up anything else."""

import asyncio
from collections.abc import Callable

from botyard.connector import pgoutput
from botyard.connector.database import Stream
from botyard.connector.pgoutput import Relation
from botyard.connector.problems import Problem
from botyard.connector.transactions import Told, Transactions

MOST_CHANGES = 1000
"""Changes that are held in memory and stored together."""
MOST_BYTES = 4 * 1_048_576
"""Bytes of messages after which a portion ends; one message may be larger."""
ALIVE_SECONDS = 5.0
"""Between words to PostgreSQL, which ends a stream after `wal_sender_timeout` of silence (60 s)."""
YIELD_EVERY = 128
"""Messages after which others get their turn."""


class PortionReader:
    """Reads one stream.

    Args:
        stream: It.
        transactions: What its messages are held against.
        learn: Finds out what types are; it may block.
    """

    def __init__(self, stream: Stream, transactions: Transactions, *, learn: Callable[[set[int]], None]) -> None:
        self._stream = stream
        self._transactions = transactions
        self._learn = learn
        self.held: pgoutput.Begin | None = None
        """The transaction before which the last portion ended."""
        self.stop_before: Callable[[pgoutput.Begin], bool] = lambda begin: False
        """Asked before each transaction; True: the portion ends there, and the transaction is the next one's first."""
        self.stopped = False
        """The last portion ended before a transaction."""

    async def read(self, timeout: float) -> Told:
        """Return what has come; nothing after `timeout` seconds without anything.

        Raises:
            Problem: The stream has ended, or holds what cannot be read.
        """
        told = Told()
        self.stopped = False
        if self.held is not None:
            begin, self.held = self.held, None
            self._transactions.take(begin, told)
        count = 0
        while len(told.changes) < MOST_CHANGES and told.size < MOST_BYTES:
            # Asked twice: the first answer may be that of a keep-alive, with more behind it that was read already.
            message = self._stream.next() or self._stream.next()
            if message is None:
                if told.size or not await self._readable(timeout):
                    break
                timeout = 0.0
                continue
            told.size += len(message.payload)
            count += 1
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if not await self._take(message.payload, told):
                break
        return told

    async def _take(self, payload: bytes, told: Told) -> bool:
        """Add what a message tells; False where the portion ends before it."""
        try:
            message = pgoutput.decode(payload)
            if isinstance(message, Relation) and (types := self._transactions.types_of(message)):
                await asyncio.to_thread(self._learn, types)
            if isinstance(message, pgoutput.Begin) and self.stop_before(message):
                self.held, self.stopped = message, True
                return False
            self._transactions.take(message, told)
        except pgoutput.DecodeError as error:
            raise Problem("Unreadable", f"PostgreSQL sent what cannot be read: {error}") from error
        return True

    async def _readable(self, timeout: float) -> bool:
        """Return whether something came within `timeout` seconds."""
        if timeout <= 0:
            return False
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        descriptor = self._stream.fileno()
        loop.add_reader(descriptor, ready.set)
        try:
            async with asyncio.timeout(timeout):
                await ready.wait()
        except TimeoutError:
            return False
        finally:
            loop.remove_reader(descriptor)
        return True


async def keep_alive(stream: Stream) -> None:
    """Tell PostgreSQL that we live, until cancelled or the stream ends: storing may take longer than it waits."""
    while True:
        await asyncio.sleep(ALIVE_SECONDS)
        try:
            stream.confirm(0)
        except Problem:
            # Whoever reads is told the same.
            return
