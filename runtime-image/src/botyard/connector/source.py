"""One source: who reads it, what has to be there first, and the way of its changes from PostgreSQL to Redis."""

import asyncio
import contextlib
import logging
import random
import time
from dataclasses import replace
from pathlib import Path

from redis.asyncio import Redis

from botyard.connector import catalog, problems, snapshot
from botyard.connector.catalog import Found
from botyard.connector.database import Database, Failed, Replication, Stream, foreign_slot
from botyard.connector.problems import Notice, Problem
from botyard.connector.progress import Progress, ProgressStore, home
from botyard.connector.reporting import Report
from botyard.connector.settings import Source, address
from botyard.connector.snapshot import Moment
from botyard.connector.stream import PortionReader, keep_alive
from botyard.connector.transactions import Told, Transactions, place
from botyard.connector.values import Converters
from botyard.connector.writing import Writer
from botyard.core.connection import Unavailable
from botyard.core.leases import LEASE_MS, Lease, Leases

log = logging.getLogger("botyard.connector")

LOOK_EVERY = 1.0
"""Seconds between looks whether nobody reads the source."""
CHECK_EVERY = 10.0
"""Seconds between looks at the slot and the tables."""
IDLE_SECONDS = 1.0
"""That one read waits for news."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY_SECONDS = 60.0
"""After which a stream that then ends begins with the first pause again."""
FALLS_BEHIND = 0.2
"""Part of `max_slot_wal_keep_size` that is left when it is told."""
_MAKING = "(being made)"
"""In the place of `renewed` while a slot is being made."""


class _Renewed(Exception):
    """The tables changed: look at everything again, at once."""


class SourceReader:
    """Reads one source while it holds the source's lease.

    Args:
        redis: Where changes, progress and the lease live.
        source: What is declared of it.
        addresses: Folder of the files that hold the databases' addresses.
        writer: Stores changes.
        report: Is kept up to date.
        name: This incarnation of the process.
        lease_ms: Milliseconds that the lease lives without renewal.
        check_every: Seconds between looks at the slot and the tables.
    """

    def __init__(
        self,
        redis: Redis,
        source: Source,
        *,
        addresses: Path,
        writer: Writer,
        report: Report,
        name: str,
        lease_ms: int = LEASE_MS,
        check_every: float = CHECK_EVERY,
    ) -> None:
        self._source = source
        self._addresses = addresses
        self._writer = writer
        self._report = report
        self._progress = ProgressStore(redis, source)
        self._leases = Leases(redis, owner=name, lease_ms=lease_ms)
        self._renew_every = lease_ms / 3000
        self._check_every = check_every
        self._converters = Converters()

    async def run(self) -> None:
        """Read until cancelled; whatever goes wrong is told, and tried again."""
        while True:
            try:
                lease = await self._leases.acquire(home(self._source))
            except Unavailable as error:
                self._report.enter(
                    "failing", Notice("RedisUnavailable", f"Redis does not answer: {type(error).__name__}")
                )
                lease = None
            else:
                if lease is None:
                    self._report.notices = ()
                    self._report.enter("standby")
            if lease is None:
                await asyncio.sleep(LOOK_EVERY * random.uniform(0.7, 1.3))  # noqa: S311 - jitter
                continue
            try:
                await self._while_held(lease)
            finally:
                with contextlib.suppress(*Unavailable):
                    await asyncio.shield(self._leases.release(lease))

    async def _while_held(self, lease: Lease) -> None:
        """Read until the lease is lost."""
        reading = asyncio.create_task(self._again_and_again(), name=f"source {self._source.name}")
        try:
            while True:
                done, _ = await asyncio.wait((reading,), timeout=self._renew_every)
                if done:
                    reading.result()
                    return
                try:
                    if not await self._leases.renew(lease):
                        log.warning("%s: another replica reads it now", self._source.name)
                        return
                except Unavailable:
                    # Nothing can be stored either; who takes the lease when Redis is back reads on from what is known.
                    continue
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _again_and_again(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            try:
                await self._read()
            except _Renewed:
                continue
            except Problem as error:
                found = error.notice
            except Unavailable as error:
                found = Notice("RedisUnavailable", f"Redis does not answer: {type(error).__name__}")
            except Failed as error:
                found = Notice("Failed", f"PostgreSQL refuses: {problems.text_of(error)}")
            except ValueError as error:
                found = Notice("AccessDenied", str(error))
            if self._report.failure != found:
                log.error("%s: %s: %s", self._source.name, found.reason, found.message)
            self._report.waits = None
            self._report.enter("failing", found)
            if time.monotonic() - began > STEADY_SECONDS:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause * random.uniform(0.7, 1.0))  # noqa: S311 - jitter
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _read(self) -> None:
        """Read from where it stopped, until something ends it.

        Raises:
            Problem: Something has to be done first, or the stream ended.
        """
        where = await asyncio.to_thread(address, self._addresses, self._source)
        database = Database(where)
        replication: Replication | None = None
        try:
            found = await asyncio.to_thread(catalog.look, database, self._source)
            publication = await asyncio.to_thread(catalog.publish, database, self._source, found)
            self._tell(found)
            replication = await asyncio.to_thread(Replication, where)
            progress, start, exported = await self._slot(database, replication)
            if exported and progress.wanted:
                progress = await self._all_rows(database, found, progress, start, exported)
            stream = await asyncio.to_thread(replication.stream, self._source.slot, publication, start)
            await self._stream(database, found, progress, stream)
        finally:
            if replication is not None:
                await asyncio.to_thread(replication.close)
            await asyncio.to_thread(database.close)

    def _tell(self, found: Found) -> None:
        notices = tuple(found.notices)
        for notice in notices:
            if notice not in self._report.notices:
                log.warning("%s: %s: %s", self._source.name, notice.reason, notice.message)
        self._report.notices = notices
        self._report.show()

    async def _slot(self, database: Database, replication: Replication) -> tuple[Progress, int, str]:
        """Make sure that there is a slot of ours; return what is known, where to begin, and a new slot's snapshot."""
        source, name = self._source, self._source.slot
        progress = await self._progress.read()
        renew = source.renew != progress.renewed and progress.made
        try:
            there = await asyncio.to_thread(catalog.slot, database, name)
        except Problem as problem:
            if problem.notice.reason != "SlotLost" or not renew:
                raise
            there = None
        if there is not None and not progress.made and not source.adopt:
            raise foreign_slot(name)
        if there is None and progress.made and not renew and progress.generation > 0 and progress.renewed != _MAKING:
            raise problems.slot_lost(name, "is gone (dropped, or lost with a failover)")
        if renew:
            await asyncio.to_thread(replication.drop_slot, name)
            there = None
        wanted = source.snapshot if source.snapshot != progress.sent else ""
        if wanted != progress.wanted:
            progress = replace(progress, wanted=wanted, table="", after="")
        if there is not None:
            if progress.renewed == _MAKING or not progress.made:
                progress = replace(progress, made=True, renewed=source.renew, generation=max(1, progress.generation))
            await self._progress.write(progress)
            return progress, there.confirmed, ""
        # Known before it is there: a crash between leaves a slot that is known as ours.
        progress = replace(progress, generation=progress.generation + 1, made=True, renewed=_MAKING, table="", after="")
        await self._progress.write(progress)
        start, exported = await asyncio.to_thread(replication.create_slot, name, failover=source.failover)
        progress = replace(progress, renewed=source.renew)
        await self._progress.write(progress)
        log.info("%s: made the replication slot %s", source.name, name)
        return progress, start, exported

    async def _all_rows(
        self, database: Database, found: Found, progress: Progress, start: int, exported: str
    ) -> Progress:
        """Send every row as it was when the slot began."""
        entered = contextlib.ExitStack()
        await asyncio.to_thread(entered.enter_context, database.snapshot(exported))
        try:
            return await self._send_rows(database, found, progress, place(progress.generation, start, 0))
        finally:
            await asyncio.to_thread(entered.close)

    async def _send_rows(self, database: Database, found: Found, progress: Progress, at: str) -> Progress:
        self._report.enter("snapshot")
        count = 0
        rows = snapshot.portions(
            database, found, progress, self._converters, start=at, now_us=lambda: int(time.time() * 1_000_000)
        )
        async for changes, reached in rows:
            await self._writer.write(changes)
            await self._progress.write(reached)
            count += len(changes)
            self._count()
        done = replace(progress, wanted="", sent=progress.wanted, table="", after="")
        await self._progress.write(done)
        log.info("%s: sent all %d rows of %d tables", self._source.name, count, len(found.tables))
        return done

    async def _stream(self, database: Database, found: Found, progress: Progress, stream: Stream) -> None:
        transactions = Transactions(progress.generation, found.tables, self._converters)
        reader = PortionReader(
            stream, transactions, learn=lambda oids: catalog.learn_types(database, self._converters, oids)
        )
        self._report.enter("streaming")
        alive = asyncio.create_task(keep_alive(stream), name="keep alive")
        try:
            if progress.wanted:
                await self._rows_between(found, progress, stream, reader, transactions)
            checked = time.monotonic()
            while True:
                await self._portion(stream, reader)
                if time.monotonic() - checked >= self._check_every:
                    await self._check(database, found)
                    checked = time.monotonic()
        finally:
            alive.cancel()

    async def _portion(self, stream: Stream, reader: PortionReader) -> Told:
        told = await reader.read(IDLE_SECONDS)
        metrics, name = self._report.metrics, self._source.name
        if told.changes:
            await self._writer.write(told.changes)
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

    async def _rows_between(
        self, found: Found, progress: Progress, stream: Stream, reader: PortionReader, transactions: Transactions
    ) -> None:
        """Send every row as it is now, at its place between the transactions of the stream."""
        where = await asyncio.to_thread(address, self._addresses, self._source)
        database, entered = Database(where), contextlib.ExitStack()
        try:
            await asyncio.to_thread(entered.enter_context, database.snapshot())
            seen: Moment = await asyncio.to_thread(snapshot.moment, database)
            reader.stop_before = lambda begin: not seen.sees(begin)
            at = place(progress.generation, 0, 0)
            while not reader.stopped:
                told = await self._portion(stream, reader)
                at = transactions.last_place or at
                if not told.size and stream.seen >= seen.lsn:
                    break
            if not reader.stopped:
                at = max(at, place(progress.generation, seen.lsn, 0))
            await self._send_rows(database, found, progress, at)
            reader.stop_before = lambda begin: False
            transactions.skips = seen.sees
        finally:
            await asyncio.to_thread(entered.close)
            await asyncio.to_thread(database.close)
        self._report.enter("streaming")

    async def _check(self, database: Database, found: Found) -> None:
        """Look at the slot and the tables.

        Raises:
            Problem: The slot is gone, or lost.
            _Renewed: A table came or went.
        """
        name, metrics = self._source.name, self._report.metrics
        there = await asyncio.to_thread(catalog.slot, database, self._source.slot)
        if there is None:
            raise problems.slot_lost(self._source.slot, "is gone (dropped, or lost with a failover)")
        metrics.lag_bytes.labels(name).set(there.lag)
        metrics.slot_room.labels(name).set(-1 if there.room is None else there.room)
        looked = await asyncio.to_thread(catalog.look, database, self._source)
        if self._source.publication:
            await asyncio.to_thread(catalog.publish, database, self._source, looked)
        if looked.tables != found.tables:
            raise _Renewed
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
        self._tell(looked)

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
