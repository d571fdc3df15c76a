"""Every row of a source's tables, once: in portions by primary key, so that another connector can go on with it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from botyard.connector import catalog, pgoutput
from botyard.connector.catalog import Found, Place
from botyard.connector.database import Database, Failed
from botyard.connector.problems import Problem, text_of
from botyard.connector.progress import Progress
from botyard.connector.transactions import Placed, row
from botyard.connector.values import Converters
from botyard.erp.changes import Change

PORTION = 500
"""Rows that are read, held in memory and stored together."""


class Moment:
    """What a snapshot sees: the transactions that had ended.

    Args:
        text: `xmin:xmax:running,…`, as `pg_current_snapshot()` writes it.
        lsn: A place in the log behind the commits of all of them.
    """

    def __init__(self, text: str, lsn: int) -> None:
        low, high, running = text.split(":")
        self._low, self._high = int(low), int(high)
        self._running = {int(xid) for xid in running.split(",") if xid}
        self.lsn = lsn

    def sees(self, begin: pgoutput.Begin) -> bool:
        """Tell whether the snapshot has what a transaction did."""
        if begin.commit_lsn > self.lsn:
            return False
        # The stream tells the lower half of a transaction's number; what is near in the log is near in number.
        xid = (self._high & ~0xFFFFFFFF) | begin.xid
        if xid > self._high + 0x80000000:
            xid -= 1 << 32
        return xid < self._low or (xid < self._high and xid not in self._running)


def moment(database: Database) -> Moment:
    """Return what the snapshot of this transaction sees."""
    [(text, lsn)] = database.ask("SELECT pg_current_snapshot()::text, (pg_current_wal_insert_lsn() - '0/0')::bigint")
    return Moment(text, lsn)


async def portions(
    database: Database,
    found: Found,
    progress: Progress,
    converters: Converters,
    *,
    start: str,
    now_us: Callable[[], int],
) -> AsyncIterator[tuple[list[Placed], Progress]]:
    """Yield rows as INSERTs, and what to remember once they are stored.

    Args:
        database: Within a snapshot.
        found: The tables.
        progress: How far an earlier one came.
        converters: How values are read.
        start: The place in the log that the rows follow.
        now_us: The time, in microseconds since 1970.

    Raises:
        Problem: The rows of a table cannot be read.
    """
    number = progress.count
    for name, where in sorted((f"{schema}.{table}", (schema, table)) for schema, table in found.tables):
        if progress.table and name < progress.table:
            continue
        after = progress.after if name == progress.table else ""
        while True:
            try:
                rows, last = await asyncio.to_thread(_portion, database, where, found.keys[where], after, converters)
            except Failed as error:
                raise _unreadable(error, name) from None
            if rows:
                placed = []
                for values in rows:
                    change = Change.model_construct(action="INSERT", new=dict(values), old=None)
                    placed.append(Placed(found.tables[where], change, f"{start}+{number:010X}", now_us()))
                    number += 1
                progress = replace(progress, table=name, after=last, count=number)
                yield placed, progress
            after = last
            if len(rows) < PORTION or not last:
                break


def _portion(
    database: Database, where: Place, key: tuple[str, ...], after: str, converters: Converters
) -> tuple[list[Mapping[str, object]], str]:
    """Return the next rows, and the key of the last one as JSON; of a table without key all rows, and nothing."""
    values = json.loads(after) if key and after else []
    # A percent sign stands for a value where values are given.
    percent = "%%" if values else "%"
    table = ".".join(_quoted(part, percent) for part in where)
    question = f"SELECT * FROM {table}"  # noqa: S608 - the catalog's names, quoted
    if key:
        columns = ", ".join(_quoted(column, percent) for column in key)
        if values:
            question += f" WHERE ({columns}) > ({', '.join(['%s'] * len(values))})"
        question += f" ORDER BY {columns} LIMIT {PORTION}"
    described, rows = database.ask_texts(question, values)
    if unknown := converters.unknown({oid for _, oid in described}):
        catalog.learn_types(database, converters, unknown)
    columns_read = [(name, converters.of(oid), True) for name, oid in described]
    last = ""
    if key and rows:
        names = [name for name, _ in described]
        last = json.dumps([rows[-1][names.index(column)] for column in key])
    return [row(columns_read, values) for values in rows], last


def _quoted(name: str, percent: str) -> str:
    return '"' + name.replace('"', '""').replace("%", percent) + '"'


def _unreadable(error: Failed, table: str) -> Problem:
    if error.pgcode == "42501":
        return Problem(
            "MissingPrivileges", f"the snapshot needs to read {table}: GRANT SELECT ON {table} ({text_of(error)})"
        )
    return Problem("Failed", f"the rows of {table} cannot be read: {text_of(error)}")
