"""Writes rows: once for each key, whole or not at all, with the record of who did it in the same transaction."""

from collections.abc import Mapping
from typing import Any

from psycopg.sql import Composed

from botyard.erp.filter_sql import Parameters
from botyard.erp.store import audit, changes, statements
from botyard.erp.store.audit import Actor, Written
from botyard.erp.store.catalog import Table
from botyard.erp.store.database import Database
from botyard.erp.store.errors import StoreError
from botyard.erp.store.requests import Archive, Batch, Create, Delete, Patch, Write
from botyard.erp.store.rows import WORKSPACE, Connection, attempt, find, row_of


async def write(database: Database, asked: Write, actor: Actor, key: str) -> dict[str, Any]:
    """Write what is asked, unless it was written for this key before, and return what that brought.

    Args:
        database: Where, and with which role.
        asked: What.
        actor: Who, for the record.
        key: The same whenever the same is tried again, and for nothing else.

    Returns:
        `{"id", "row"}`; of a batch `{"created", "updated", "ids"}`.

    Raises:
        StoreError: It was not written.
    """

    async def work(connection: Connection, table: Table) -> dict[str, Any]:
        written = await audit.claim(connection, key)
        if not written:
            written = await _do(connection, table, asked)
            await audit.record(connection, key, actor, table.name, written)
        return _answer(asked, written)

    return await attempt(database, asked.table, work)


def _answer(asked: Write, written: list[Written]) -> dict[str, Any]:
    if isinstance(asked, Batch):
        rows = [one for one in written if one.row_id or one.after]
        created = sum(one.action == "INSERT" for one in rows)
        return {"created": created, "updated": len(rows) - created, "ids": [one.row_id for one in rows]}
    (one,) = written
    return {"id": one.row_id, "row": one.after if one.after is not None else one.before}


async def _do(connection: Connection, table: Table, asked: Write) -> list[Written]:
    if isinstance(asked, Create):
        return [await _create(connection, table, asked.row, asked.workspace)]
    if isinstance(asked, Batch):
        return await _batch(connection, table, asked)
    key = table.one_key()
    # A DELETE needs no right to lock a row, and gives back what it deleted.
    if isinstance(asked, Delete):
        parameters = Parameters()
        gone = await _returning(connection, statements.delete(table, key, asked.id, parameters), parameters, table)
        if gone is None:
            raise _not_found(table, asked.id)
        await _check(connection, table, gone[1], asked.expected, gone[0])
        return [Written("DELETE", gone[1], gone[0], None)]
    found = await find(connection, table, key.name, asked.id, lock=True)
    if found is None:
        raise _not_found(table, asked.id)
    before, row_id = found
    await _check(connection, table, row_id, asked.expected, before)
    parameters = Parameters()
    if isinstance(asked, Archive):
        sets = statements.archive(table, key, asked.id, table.column(asked.column), parameters)
        action = "ARCHIVE"
    else:
        sets = statements.update(table, key, asked.id, _changes(table, asked, before), parameters)
        action = "UPDATE"
    done = await _returning(connection, sets, parameters, table)
    if done is None:
        raise _not_found(table, asked.id)
    return [Written(action, done[1], before, done[0])]


def _changes(table: Table, asked: Patch, before: Mapping[str, Any]) -> dict[str, Any]:
    for name in asked.changes:
        table.column(name)
    return changes.resolved(asked.changes, before)


async def _create(connection: Connection, table: Table, row: Mapping[str, Any], workspace: str) -> Written:
    if workspace and WORKSPACE in table.columns:
        row = {WORKSPACE: workspace, **row}
    for name in row:
        _known(table, name)
    parameters = Parameters()
    made = await _returning(connection, statements.insert(table, row, parameters), parameters, table)
    if made is None:
        raise StoreError("Refused", f"the database took no row into {table.name}")
    return Written("INSERT", made[1], None, made[0])


async def _batch(connection: Connection, table: Table, asked: Batch) -> list[Written]:
    """Write over rows that are there, or add them; bots do so one after another in one table."""
    column = table.column(asked.key)
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", (table.name,))
    written = []
    for row in asked.rows:
        for name in row:
            _known(table, name)
        found = await find(connection, table, column.name, row[asked.key], lock=True)
        if found is None:
            written.append(await _create(connection, table, row, asked.workspace))
            continue
        parameters = Parameters()
        sets = statements.update(table, column, row[asked.key], changes.resolved(row, found[0]), parameters)
        done = await _returning(connection, sets, parameters, table)
        if done is None:
            raise _not_found(table, row[asked.key])
        written.append(Written("UPDATE", done[1], found[0], done[0]))
    # Also a batch of nothing is kept, so that a second run finds that it was written.
    return written or [Written("BATCH", "", None, None)]


def _known(table: Table, name: str) -> None:
    """Refuse a column that there is not; one that may be written but not read is fine."""
    if name not in table.columns:
        table.column(name)


async def _check(
    connection: Connection, table: Table, row_id: str, expected: Mapping[str, Any], row: Mapping[str, Any]
) -> None:
    """Refuse to write over a row that is another one by now.

    Raises:
        StoreError: It is (`Conflict`).
    """
    if not expected:
        return
    for name in expected:
        table.column(name)
    parameters = Parameters()
    found = await (
        await connection.execute(statements.typed(table, expected, parameters), parameters.values)
    ).fetchone()
    assert found is not None
    if (problem := changes.conflict(table.name, row_id, row_of(table, found[0]), row)) is not None:
        raise problem


async def _returning(
    connection: Connection, statement: Composed, parameters: Parameters, table: Table
) -> tuple[dict[str, Any], str] | None:
    found = await (await connection.execute(statement, parameters.values)).fetchone()
    return None if found is None else (row_of(table, found[0]), str(found[1]))


def _not_found(table: Table, row_id: Any) -> StoreError:
    return StoreError("NotFound", f"{table.name} has no row {str(row_id)[:100]}")
