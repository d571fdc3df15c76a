"""One source: who reads it, what has to be there first, and the way of its changes from PostgreSQL to Redis."""

import asyncio
import contextlib
import logging
import random
import time
from dataclasses import replace
from pathlib import Path

from redis.asyncio import Redis

from botyard.connector import catalog, problems
from botyard.connector.database import Database, Failed, Replication, foreign_slot
from botyard.connector.following import Follower, Renewed, tell
from botyard.connector.problems import Notice, Problem
from botyard.connector.progress import Progress, ProgressStore, home
from botyard.connector.reporting import Report
from botyard.connector.settings import Source, address
from botyard.connector.writing import Writer
from botyard.core.connection import Unavailable
from botyard.core.leases import LEASE_MS, Lease, Leases

log = logging.getLogger("botyard.connector")

LOOK_EVERY = 1.0
"""Seconds between looks whether nobody reads the source."""
CHECK_EVERY = 10.0
"""Seconds between looks at the slot and the tables."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
STEADY_SECONDS = 60.0
"""After which a stream that then ends begins with the first pause again."""
SNAPSHOTS_APART = 1_000_000
"""Numbers of rows that lie between two snapshots."""
_MAKING = "(being made)"
"""In the place of `renewed` while a slot is being made."""


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
            except Renewed:
                continue
            except Problem as error:
                found = error.notice
            except Unavailable as error:
                found = Notice("RedisUnavailable", f"Redis does not answer: {type(error).__name__}")
            except Failed as error:
                found = Notice("Failed", f"PostgreSQL refuses: {problems.text_of(error)}")
            except Exception as error:
                # The other sources go on.
                found = Notice("Failed", f"{type(error).__name__}: the connector's log has it")
                log.exception("%s: reading failed", self._source.name)
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
        try:
            where = await asyncio.to_thread(address, self._addresses, self._source)
        except ValueError as error:
            raise Problem("AccessDenied", str(error)) from None
        database = Database(where)
        replication: Replication | None = None
        try:
            found = await asyncio.to_thread(catalog.look, database, self._source)
            publication = await asyncio.to_thread(catalog.publish, database, self._source, found)
            tell(self._report, found)
            replication = await asyncio.to_thread(Replication, where)
            progress, start, exported = await self._slot(database, replication)
            follower = Follower(
                self._source,
                where,
                found,
                progress,
                store=self._progress,
                writer=self._writer,
                report=self._report,
                check_every=self._check_every,
            )
            if exported and progress.wanted:
                await follower.all_rows(database, start, exported)
            stream = await asyncio.to_thread(replication.stream, self._source.slot, publication, start)
            await follower.run(stream)
        finally:
            if replication is not None:
                await asyncio.to_thread(replication.close)
            await asyncio.to_thread(database.close)

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
            # More than a portion that was stored, and not yet counted.
            count = progress.count + (SNAPSHOTS_APART if wanted else 0)
            progress = replace(progress, wanted=wanted, table="", after="", count=count)
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
