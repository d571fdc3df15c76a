"""Reads and writes rows of one database: what was asked, checked against what there is, in one transaction."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg import errors as sqlstate

from botyard.erp import filter_language
from botyard.erp.filter_language import FilterError
from botyard.erp.filter_sql import Parameters
from botyard.erp.store import audit, statements
from botyard.erp.store.catalog import Table
from botyard.erp.store.database import Database
from botyard.erp.store.errors import AGAIN, NOT_AGAIN, StoreError, told
from botyard.erp.store.requests import Get, Query

T = TypeVar("T")
Connection = AsyncConnection[Any]

TRIES = 4
FIRST_PAUSE = 0.1
MAX_ANSWER = 2_097_152
"""Bytes of the rows of one answer, as JSON."""
WORKSPACE = "ws_id"
"""Column by which tables of the kit tell workspaces apart."""
AT_ONCE = 100
"""Rows that are fetched together."""


async def attempt(database: Database, table: str, work: Callable[[Connection, Table], Awaitable[T]]) -> T:
    """Do `work` in a transaction; again where another try may go well.

    Raises:
        StoreError: It was not done; or it is of the record of what bots wrote (`NotAllowed`).
    """
    if table == audit.TABLE:
        raise StoreError("NotAllowed", "the record of what bots wrote is not theirs to read or to write")
    pause = FIRST_PAUSE
    for tries in range(TRIES):
        try:
            async with database.connection() as connection:
                return await work(connection, await database.catalog.table(connection, table))
        except psycopg.Error as error:
            if isinstance(error, sqlstate.UndefinedTable | sqlstate.UndefinedColumn):
                database.catalog.forget(table)
            elif not isinstance(error, AGAIN) or isinstance(error, NOT_AGAIN):
                raise told(error) from error
            if tries + 1 == TRIES:
                raise told(error) from error
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311
        pause *= 3
    raise AssertionError("the last try returns or raises")


async def query(database: Database, asked: Query) -> list[dict[str, Any]]:
    """Return rows.

    Raises:
        StoreError: The question cannot be answered, or only with more than `MAX_ANSWER` bytes.
    """
    try:
        where = filter_language.read(asked.where)
    except FilterError as error:
        raise StoreError("BadFilter", str(error)) from None

    async def work(connection: Connection, table: Table) -> list[dict[str, Any]]:
        parameters = Parameters()
        columns = [table.column(name) for name in asked.columns] or table.readable
        whole = where
        if asked.workspace and WORKSPACE in table.columns:
            mine = filter_language.Condition((WORKSPACE,), "=", asked.workspace)
            whole = filter_language.Joined(True, (mine, where))
        statement = statements.select(
            table,
            columns,
            whole,
            asked.order,
            asked.limit,
            asked.skip,
            parameters,
            any_case=database.any_case or "",
        )
        rows, size = [], 0
        # A cursor of the server's: rows that are too much are never sent.
        async with connection.cursor("rows") as cursor:
            cursor.itersize = AT_ONCE
            await cursor.execute(statement, parameters.values)
            async for (text,) in cursor:
                size += len(text or "")
                if text is None or size > MAX_ANSWER:
                    raise StoreError(
                        "TooLarge", f"these rows of {table.name} are too large together: ask for fewer, or for columns"
                    )
                rows.append(json.loads(text))
        return rows

    return await attempt(database, asked.table, work)


async def get(database: Database, asked: Get) -> dict[str, Any] | None:
    """Return a row by its key; None: there is none.

    Raises:
        StoreError: The question cannot be answered.
    """

    async def work(connection: Connection, table: Table) -> dict[str, Any] | None:
        found = await find(connection, table, table.one_key().name, asked.id, lock=False)
        return None if found is None else found[0]

    return await attempt(database, asked.table, work)


async def find(
    connection: Connection, table: Table, column: str, value: Any, *, lock: bool
) -> tuple[dict[str, Any], str] | None:
    """Return the row whose column has a value, and its key; None: there is none.

    Raises:
        StoreError: There are several (`BadValue`), or it is too large.
    """
    parameters = Parameters()
    statement = statements.find(table, table.column(column), value, parameters, lock=lock)
    found = await (await connection.execute(statement, parameters.values)).fetchall()
    if len(found) > 1:
        raise StoreError("BadValue", f"several rows of {table.name} have this {column}: it tells none of them apart")
    if not found:
        return None
    return row_of(table, found[0][0]), str(found[0][1])


def row_of(table: Table, text: str | None) -> dict[str, Any]:
    """Return a row as the database gave it.

    Raises:
        StoreError: It is larger than `statements.MAX_ROW`.
    """
    if text is None:
        raise StoreError("TooLarge", f"this row of {table.name} has more than {statements.MAX_ROW} bytes as JSON")
    return dict(json.loads(text))
