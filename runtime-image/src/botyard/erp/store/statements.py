"""The statements by which rows are read and written. Names come from the catalog only, values travel beside them.

Values go in as one JSON document whose types the database makes of it, and come out as one: what a column's type can
hold is the database's to say.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql
from psycopg.sql import SQL, Composable, Composed

from botyard.erp.filter_language import Expression
from botyard.erp.filter_sql import Parameters, Translation
from botyard.erp.store.catalog import Column, Table
from botyard.erp.store.errors import StoreError

MAX_ROW = 1_048_576
"""Bytes of one row as JSON; a larger one comes as NULL."""


def row(columns: Sequence[Column]) -> Composed:
    """Return the SQL of a row of `t` as JSON text; NULL where it is larger than `MAX_ROW`."""
    values = SQL(", ").join(SQL("{} AS {}").format(column.value(), sql.Identifier(column.name)) for column in columns)
    return SQL(
        "(SELECT CASE WHEN octet_length(j) <= {} THEN j END "
        "FROM (SELECT to_jsonb(x)::text AS j FROM (SELECT {}) AS x) AS y)"
    ).format(sql.Literal(MAX_ROW), values)


def select(
    table: Table,
    columns: Sequence[Column],
    where: Expression,
    order: Sequence[str],
    limit: int,
    skip: int,
    parameters: Parameters,
    *,
    any_case: str,
) -> Composed:
    """Return the query of rows.

    Args:
        table: Whose rows.
        columns: Which columns of them.
        where: What must hold.
        order: Columns to sort by, `name`, `name:desc` or `-name`; the key decides between equal ones.
        limit: Most rows.
        skip: Rows of the order to leave out first.
        parameters: Gets the values.
        any_case: See `Translation`.

    Raises:
        StoreError: There is no such column.
    """
    condition = Translation(table.column, parameters, any_case=any_case).condition(where)
    sorting = [_sorting(table, one) for one in order]
    sorting += [table.columns[name].identifier for name in table.key if table.columns[name].readable]
    statement = SQL("SELECT {} FROM {} AS t WHERE {}").format(row(columns), table.identifier, condition)
    if sorting:
        statement = SQL("{} ORDER BY {}").format(statement, SQL(", ").join(sorting))
    return SQL("{} LIMIT {} OFFSET {}").format(statement, parameters.add(limit), parameters.add(skip))


def _sorting(table: Table, written: str) -> Composable:
    name, _, direction = written.partition(":")
    down = direction.lower() == "desc" or name.startswith("-")
    if direction.lower() not in ("", "asc", "desc"):
        raise StoreError("BadFilter", f"{written!r} sorts nothing: write column, column:desc or -column")
    column = table.column(name.removeprefix("-"))
    return SQL("{} DESC NULLS LAST" if down else "{} ASC NULLS LAST").format(column.identifier)


def find(table: Table, column: Column, value: Any, parameters: Parameters, *, lock: bool) -> Composed:
    """Return the query of the row whose `column` has `value`; two where there are several."""
    locked = SQL(" FOR UPDATE") if lock else SQL("")
    return SQL("SELECT {}, {}::text FROM {} AS t WHERE {} = {} LIMIT 2{}").format(
        row(table.readable),
        _key_text(table, column),
        table.identifier,
        column.identifier,
        parameters.add(str(value)),
        locked,
    )


def _key_text(table: Table, column: Column) -> Composable:
    return table.columns[table.key[0]].identifier if len(table.key) == 1 else column.identifier


def typed(table: Table, values: Mapping[str, Any], parameters: Parameters) -> Composed:
    """Return the query of `values` as the table's types have them: what comparisons with a row are made with."""
    columns = [table.column(name) for name in values]
    given = _given(table, values, parameters)
    return SQL("SELECT {} FROM {}").format(row(columns), given.named("t"))


def insert(table: Table, values: Mapping[str, Any], parameters: Parameters) -> Composed:
    """Return the INSERT of a row, which gives back the row and its key."""
    key = _key_of(table)
    if not values:
        return SQL("INSERT INTO {} AS t DEFAULT VALUES RETURNING {}, {}").format(
            table.identifier, row(table.readable), key
        )
    given = _given(table, values, parameters)
    return SQL("INSERT INTO {} AS t ({}) SELECT {} FROM {} RETURNING {}, {}").format(
        table.identifier,
        SQL(", ").join(map(sql.Identifier, values)),
        SQL(", ").join(given.value(table.columns[name]) for name in values),
        given.named("r"),
        row(table.readable),
        key,
    )


def update(table: Table, column: Column, value: Any, changes: Mapping[str, Any], parameters: Parameters) -> Composed:
    """Return the UPDATE of the row whose `column` has `value`, which gives back the row and its key."""
    given = _given(table, changes, parameters)
    return SQL("UPDATE {} AS t SET {} FROM {} WHERE {} = {} RETURNING {}, {}").format(
        table.identifier,
        SQL(", ").join(
            SQL("{} = {}").format(sql.Identifier(name), given.value(table.columns[name])) for name in changes
        ),
        given.named("r"),
        column.identifier,
        parameters.add(str(value)),
        row(table.readable),
        _key_of(table),
    )


def archive(table: Table, key: Column, value: Any, column: Column, parameters: Parameters) -> Composed:
    """Return the UPDATE that sets a row's archive column to now where it is not set yet."""
    if column.kind in ("integer", "numeric") or column.base in ("float4", "float8"):
        now, unset = SQL("extract(epoch FROM clock_timestamp())"), SQL("coalesce({}, 0) <= 0").format(column.identifier)
    elif column.base in ("timestamptz", "timestamp", "date"):
        now, unset = SQL("clock_timestamp()"), SQL("{} IS NULL").format(column.identifier)
    else:
        raise StoreError("BadValue", f"{table.name}.{column.name} is no time: it is of the type {column.type}")
    return SQL("UPDATE {} AS t SET {} = CASE WHEN {} THEN {} ELSE {} END WHERE {} = {} RETURNING {}, {}").format(
        table.identifier,
        sql.Identifier(column.name),
        unset,
        now,
        column.identifier,
        key.identifier,
        parameters.add(str(value)),
        row(table.readable),
        _key_of(table),
    )


def delete(table: Table, column: Column, value: Any, parameters: Parameters) -> Composed:
    """Return the DELETE of the row whose `column` has `value`, which gives back the row and its key."""
    return SQL("DELETE FROM {} AS t WHERE {} = {} RETURNING {}, {}").format(
        table.identifier, column.identifier, parameters.add(str(value)), row(table.readable), _key_of(table)
    )


def _key_of(table: Table) -> Composable:
    if not table.key:
        return SQL("''")
    return SQL("concat_ws(',', {})").format(SQL(", ").join(table.columns[name].identifier for name in table.key))


class _Given:
    """Values as a row of the table's type, made of the JSON document `values` by the database."""

    def __init__(self, table: Table, document: Composable) -> None:
        self._table = table
        self._document = document

    def named(self, name: str) -> Composable:
        """Return it for FROM, under a name."""
        return SQL("jsonb_populate_record(NULL::{}, {}::jsonb) AS {}").format(
            self._table.identifier, self._document, sql.Identifier(name)
        )

    def value(self, column: Column) -> Composable:
        """Return the value of a column, of the row `r`."""
        if column.kind == "bytes":
            return SQL("decode({}::jsonb ->> {}, 'base64')").format(self._document, sql.Literal(column.name))
        return sql.Identifier("r", column.name)


def _given(table: Table, values: Mapping[str, Any], parameters: Parameters) -> _Given:
    return _Given(table, parameters.add(json.dumps(values, ensure_ascii=False)))
