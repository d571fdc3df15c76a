"""Rows of the company's database, as a bot's code reads and writes them: with its Persona's own role, typed, once.

    from botyard import erp

    contact = await erp.get("crm_contact", "c1")
    await erp.patch("crm_contact", "c1", {"contact_notes": "called"}, expected=contact)

In a handler each of these is a step of its turn: one that is run again after a crash gets the same rows again and does
not write twice. What was written stays written also where the turn fails afterwards. Between events they happen at
once.
"""

import asyncio
import base64
import dataclasses
import datetime as dt
import enum
import uuid
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from botyard import steps
from botyard.loop import effects
from botyard.loop.erp_schema import Row, table_class
from botyard.loop.errors import PlatformError

R = TypeVar("R", bound=Row)
Table = str | type[Row]
"""A table: its name, or the class of its rows."""


@dataclasses.dataclass(frozen=True)
class Batch:
    """What `batch` did: how many rows it added and how many it wrote over, and the keys of all, in order."""

    created: int
    updated: int
    ids: tuple[str, ...]


async def query(
    table: Table,
    where: Any = (),
    *,
    order: Sequence[str] = (),
    limit: int = 100,
    skip: int = 0,
    columns: Sequence[str] = (),
    workspace: str = "",
) -> list[Row]:
    """Return rows that pass a filter.

    Args:
        table: Whose rows.
        where: In the filter language: `"column:operator:value"`, a list (all must hold), `{"OR": […]}`, `{"NOT": …}`.
        order: Columns to sort by: `name`, `name:desc` or `-name`; the primary key decides between equal ones.
        limit: Most rows, 1 to 1,000.
        skip: Rows of this order to leave out first.
        columns: The columns that are wanted; empty: all that the role may read. Others have their defaults.
        workspace: Only rows of this `ws_id`, in tables that have one.

    Raises:
        PlatformError: The database refuses; `code` says why in one word.
    """
    asked = {"where": plain(where), "order": list(order), "limit": limit, "skip": skip, "columns": list(columns)}
    found = await ask("query", table, asked | {"workspace": workspace})
    return [_row(table, columns) for columns in found]


async def get(table: Table, id: str | int) -> Row | None:  # noqa: A002 - what everybody calls it
    """Return the row with a primary key; None: there is none.

    Raises:
        PlatformError: The database refuses.
    """
    found = await ask("get", table, {"id": id})
    return None if found is None else _row(table, found)


async def create(table: Table, row: Row | Mapping[str, Any], *, workspace: str = "") -> Row:
    """Add a row and return it as it is then, with what the database added.

    Args:
        table: Where.
        row: Its columns; of an object of a row's class those that are not the class's defaults.
        workspace: The row's `ws_id` where it has none, in tables that have such a column.

    Raises:
        PlatformError: There is such a row (`Exists`), or the database refuses.
    """
    return _row(table, (await ask("create", table, {"row": plain(columns_of(row)), "workspace": workspace}))["row"])


async def patch(
    table: Table,
    id: str | int,  # noqa: A002
    changes: Mapping[str, Any],
    *,
    expected: Row | Mapping[str, Any] | None = None,
) -> Row:
    """Change columns of a row and return it as it is then.

    Args:
        table: Where.
        id: The row's primary key.
        changes: New values; None is NULL. `{"$increment": n}`, `{"$decrement": n}`, `{"$append": value}` and
            `{"$remove": value}` change what the row has, whoever changes it at the same time.
        expected: Columns that must still have these values, or a row as it was read, whose version column is compared
            (`contact_modified_ts` and the like); None: whatever it is.

    Raises:
        PlatformError: There is no such row (`NotFound`), it was changed meanwhile (`Conflict`), or the database
            refuses.
    """
    asked = {"id": id, "changes": plain(changes), "expected": _expected(expected)}
    return _row(table, (await ask("patch", table, asked))["row"])


async def archive(table: Table, id: str | int, *, expected: Row | Mapping[str, Any] | None = None) -> Row:  # noqa: A002
    """Set a row's archive column to now, where it is not set yet, and return the row.

    Raises:
        ValueError: The table has no archive column.
        PlatformError: As for `patch`.
    """
    column = _class(table).archived
    if not column:
        raise ValueError(f"rows of {_name(table)} are not archived: the table has no archive column")
    asked = {"id": id, "column": column, "expected": _expected(expected)}
    return _row(table, (await ask("archive", table, asked))["row"])


async def delete(table: Table, id: str | int, *, expected: Row | Mapping[str, Any] | None = None) -> Row:  # noqa: A002
    """Delete a row for good and return what it was.

    Raises:
        PlatformError: As for `patch`.
    """
    return _row(table, (await ask("delete", table, {"id": id, "expected": _expected(expected)}))["row"])


async def batch(table: Table, key: str, rows: Collection[Row | Mapping[str, Any]], *, workspace: str = "") -> Batch:
    """Write rows over those that are there, or add them: all of them, or none.

    Args:
        table: Where.
        key: The column by whose value a row is found; each row has it.
        rows: 1,000 at most.
        workspace: The `ws_id` of rows that have none, in tables that have such a column.

    Raises:
        PlatformError: The database refuses one of them.
    """
    asked = {"key": key, "rows": [plain(columns_of(row)) for row in rows], "workspace": workspace}
    done = await ask("batch", table, asked)
    return Batch(done["created"], done["updated"], tuple(done["ids"]))


async def ask(do: str, table: Table, arguments: Mapping[str, Any]) -> Any:
    """Ask the database, as a step where a turn runs.

    Args:
        do: What to do (`botyard.erp.store.requests`).
        table: With which table.
        arguments: JSON-able.

    Raises:
        PlatformError: The database refuses; `code` says why in one word.
    """
    asked = {"table": _name(table), **arguments}
    try:
        turn = steps.current()
    except RuntimeError:
        return await effects.ask(f"erp.{do}", {"args": asked})

    async def call(asked: Mapping[str, Any]) -> Any:
        asking = turn.io.database(do, asked, steps.idempotence_key())
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asking, turn.loop))

    try:
        return await steps.step(f"erp.{do}", call, asked)
    except Exception as error:
        if (code := getattr(error, "code", "")) and not isinstance(error, PlatformError):
            raise PlatformError(str(error), str(code)) from error
        raise


def _name(table: Table) -> str:
    return table if isinstance(table, str) else table.table


def _class(table: Table) -> type[Row]:
    return table_class(table) if isinstance(table, str) else table


def _row(table: Table, columns: Mapping[str, Any]) -> Row:
    return _class(table).from_row(columns)


def columns_of(row: Row | Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that are written; what an object of a row's class leaves at its default is left out."""
    if isinstance(row, Mapping):
        return dict(row)
    defaults = type(row)().as_row()
    return {name: value for name, value in row.as_row().items() if name not in defaults or value != defaults[name]}


def _expected(expected: Row | Mapping[str, Any] | None) -> Any:
    """Return the columns that must not have changed.

    Raises:
        ValueError: The table of a row has no version column.
    """
    if expected is None:
        return {}
    if isinstance(expected, Mapping):
        return plain(expected)
    if not (version := expected.version):
        raise ValueError(f"rows of {expected.table} have no version column: say which columns are expected")
    return {version: plain(getattr(expected, version))}


def plain(value: Any) -> Any:
    """Return a value as JSON has it, exactly: numbers of many digits and times as texts."""
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [plain(inner) for inner in value]
    raise TypeError(f"no column takes a {type(value).__name__}")
