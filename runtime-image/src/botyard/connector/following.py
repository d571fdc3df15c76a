"""The way of a source's changes from its slot to Redis, with a look at the slot beside."""

import asyncio
import contextlib
import logging
import time
from dataclasses import replace

from botyard.connector import catalog, problems, snapshot
from botyard.connector.catalog import Found
from botyard.connector.database import Database, Stream
from botyard.connector.problems import Notice
from botyard.connector.progress import Progress, ProgressStore
from botyard.connector.reporting import Report
from botyard.connector.settings import Source
from botyard.connector.snapshot import Moment
from botyard.connector.stream import PortionReader, keep_alive
from botyard.connector.transactions import Told, Transactions, place
from botyard.connector.values import Converters
from botyard.connector.writing import Writer

log = logging.getLogger("botyard.connector")

IDLE_SECONDS = 1.0
"""That one read waits for news."""
FALLS_BEHIND = 0.2
"""Part of `max_slot_wal_keep_size` that is left when it is told."""


class Renewed(Exception):
    """The tables changed: look at everything again, at once."""


class Follower:
    """Follows one source from where it stopped.

    Args:
        source: What is declared of it.
        where: The address of its database.
        found: What there is to follow.
        progress: What is remembered.
        store: Keeps that.
        writer: Stores changes.
        report: Is kept up to date.
        check_every: Seconds between looks at the slot and the tables.
    """

    def __init__(
        self,
        source: Source,
        where: str,
        found: Found,
        progress: Progress,
        *,
        store: ProgressStore,
        writer: Writer,
        report: Report,
        check_every: float,
    ) -> None:
        self._source = source
        self._where = where
        self._found = found
        self._progress = progress
        self._store = store
        self._writer = writer
        self._report = report
        self._check_every = check_every
        self._converters = Converters()
        self._oldest_us: int | None = None
        """When the oldest change was committed that is being stored, in microseconds since 1970."""

    async def all_rows(self, database: Database, start: int, exported: str) -> None:
        """Send every row as it was when the slot began."""
        entered = contextlib.ExitStack()
        await asyncio.to_thread(entered.enter_context, database.snapshot(exported))
        try:
            await self._send_rows(database, self._before(start))
        finally:
            await asyncio.to_thread(entered.close)

    def _before(self, lsn: int) -> str:
        """Return a place behind all commits before `lsn`, and before one that is exactly there."""
        return place(self._progress.generation, max(0, lsn - 1), 0)

    async def _send_rows(self, database: Database, at: str) -> None:
        self._report.enter("snapshot")
        count = 0
        rows = snapshot.portions(
            database,
            self._found,
            self._progress,
            self._converters,
            start=at,
            now_us=lambda: int(time.time() * 1_000_000),
        )
        async for changes, reached in rows:
            await self._writer.write(changes)
            await self._store.write(reached)
            count += len(changes)
            self._progress = reached
            self._count()
        self._progress = replace(self._progress, wanted="", sent=self._progress.wanted, table="", after="")
        await self._store.write(self._progress)
        log.info("%s: sent all %d rows of %d tables", self._source.name, count, len(self._found.tables))

    async def run(self, stream: Stream) -> None:
        """Read, and look at the slot beside: also while what was read waits for room."""
        database, beside = Database(self._where), Database(self._where)
        self._report.enter("streaming")
        tasks = [
            asyncio.create_task(self._portions(database, stream), name="portions"),
            asyncio.create_task(self._checks(beside), name="checks"),
            asyncio.create_task(keep_alive(stream), name="keep alive"),
        ]
        try:
            done, _ = await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(database.close)
            await asyncio.to_thread(beside.close)

    async def _portions(self, database: Database, stream: Stream) -> None:
        transactions = Transactions(self._progress.generation, self._found.tables, self._converters)
        reader = PortionReader(
            stream, transactions, learn=lambda oids: catalog.learn_types(database, self._converters, oids)
        )
        if self._progress.wanted:
            await self._rows_between(stream, reader, transactions)
        while True:
            await self._portion(stream, reader)

    async def _checks(self, database: Database) -> None:
        while True:
            await self._check(database)
            await asyncio.sleep(self._check_every)

    async def _portion(self, stream: Stream, reader: PortionReader) -> Told:
        told = await reader.read(IDLE_SECONDS)
        metrics, name = self._report.metrics, self._source.name
        if told.changes:
            self._oldest_us = told.changes[0].commit_us
            await self._writer.write(told.changes)
            self._oldest_us = None
            metrics.lag_seconds.labels(name).set(max(0.0, time.time() - told.changes[-1].commit_us / 1_000_000))
            self._count()
        elif not told.size:
            metrics.lag_seconds.labels(name).set(0)
        for table in told.truncated:
            log.warning("%s: %s was truncated: no Persona is told of single rows", name, table)
            metrics.truncated.labels(name).inc()
        if told.confirmable:
            # Only here: Redis has everything before it.
            stream.confirm(told.confirmable)
        return told

    async def _rows_between(self, stream: Stream, reader: PortionReader, transactions: Transactions) -> None:
        """Send every row as it is now, at its place between the transactions of the stream."""
        database, entered = Database(self._where), contextlib.ExitStack()
        try:
            await asyncio.to_thread(entered.enter_context, database.snapshot())
            seen: Moment = await asyncio.to_thread(snapshot.moment, database)
            reader.stop_before = lambda begin: not seen.sees(begin)
            while not reader.stopped:
                told = await self._portion(stream, reader)
                if not told.size and stream.seen >= seen.lsn:
                    break
            border = seen.lsn if reader.held is None else reader.held.commit_lsn
            await self._send_rows(database, self._before(border))
            reader.stop_before = lambda begin: False
            transactions.skips = seen.sees
        finally:
            await asyncio.to_thread(entered.close)
            await asyncio.to_thread(database.close)
        self._report.enter("streaming")

    async def _check(self, database: Database) -> None:
        """Look at the slot and the tables.

        Raises:
            Problem: The slot is gone, or lost.
            Renewed: A table came or went.
        """
        name, metrics = self._source.name, self._report.metrics
        there = await asyncio.to_thread(catalog.slot, database, self._source.slot)
        if there is None:
            raise problems.slot_lost(self._source.slot, "is gone (dropped, or lost with a failover)")
        metrics.lag_bytes.labels(name).set(there.lag)
        if self._oldest_us is not None:
            metrics.lag_seconds.labels(name).set(max(0.0, time.time() - self._oldest_us / 1_000_000))
        metrics.slot_room.labels(name).set(-1 if there.room is None else there.room)
        looked = await asyncio.to_thread(catalog.look, database, self._source)
        if self._source.publication:
            await asyncio.to_thread(catalog.publish, database, self._source, looked)
        if looked.tables != self._found.tables:
            raise Renewed
        if there.status == "unreserved" or (
            there.room is not None and there.room < FALLS_BEHIND * (there.room + max(0, there.lag))
        ):
            looked.notices.append(
                Notice(
                    "SlotFallsBehind",
                    f"the slot {self._source.slot} is {there.lag} bytes behind, and PostgreSQL gives it up after "
                    f"{there.room} more: look at why changes are not taken, or raise max_slot_wal_keep_size",
                )
            )
        tell(self._report, looked)

    def _count(self) -> None:
        sums, metrics, name = self._writer.sums, self._report.metrics, self._source.name
        for counter, value in (
            (metrics.changes, sums.changes),
            (metrics.deliveries, sums.deliveries),
            (metrics.events, sums.events),
            (metrics.repeated, sums.known),
            (metrics.left_out, sums.omitted),
        ):
            counter.labels(name).inc(value)
        sums.clear()


def tell(report: Report, found: Found) -> None:
    """Note what a person should know of what was found."""
    notices = tuple(found.notices)
    for notice in notices:
        if notice not in report.notices:
            log.warning("%s: %s: %s", report.name, notice.reason, notice.message)
    report.notices = notices
    report.show()
