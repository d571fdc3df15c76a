"""What there is in the database for the role that asks: tables, their columns, what may be done with them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from psycopg import AsyncConnection, sql

from botyard.erp.store.errors import StoreError, nearest

KEPT = 60.0
"""Seconds that what was read is believed; a write that meets another schema is refused by the database."""
MAX_KEPT = 500
"""Tables that are remembered."""

Kind = Literal["text", "integer", "numeric", "boolean", "bytes", "other"]
_KINDS: Mapping[str, Kind] = {
    "text": "text",
    "varchar": "text",
    "int2": "integer",
    "int4": "integer",
    "int8": "integer",
    "numeric": "numeric",
    "bool": "boolean",
    "bytea": "bytes",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        name: Its name.
        type: As PostgreSQL writes it, such as `numeric(12,2)`.
        base: The type's own name, such as `numeric`; of a domain that of what it is made of, of an array `_numeric`.
        readable: The role may read it.
    """

    name: str
    type: str
    base: str
    readable: bool = True

    @property
    def kind(self) -> Kind:
        """What it holds, as far as filters tell it apart."""
        return _KINDS.get(self.base, "other")

    @property
    def identifier(self) -> sql.Identifier:
        """Its name, quoted; of the row `t`."""
        return sql.Identifier("t", self.name)

    def value(self) -> sql.Composable:
        """Return the SQL of its value as rows have it: exact numbers as texts, bytes in base64."""
        if self.base in ("numeric", "money"):
            return sql.SQL("{}::text").format(self.identifier)
        if self.base in ("_numeric", "_money"):
            return sql.SQL("{}::text[]").format(self.identifier)
        if self.base == "bytea":
            return sql.SQL("translate(encode({}, 'base64'), E'\\n', '')").format(self.identifier)
        return self.identifier


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view.

    Attributes:
        schema: Where it is.
        name: Its name.
        key: Columns of its primary key, in order.
        columns: By name, in order.
    """

    schema: str
    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]

    @property
    def identifier(self) -> sql.Identifier:
        """Its name, quoted."""
        return sql.Identifier(self.schema, self.name)

    @property
    def readable(self) -> list[Column]:
        """The columns that the role may read."""
        return [column for column in self.columns.values() if column.readable]

    def one_key(self) -> Column:
        """Return the column by whose value a row is found.

        Raises:
            StoreError: There is none, or several are needed.
        """
        if len(self.key) != 1:
            has = f"has the key {', '.join(self.key)}" if self.key else "has no primary key"
            raise StoreError("NoKey", f"{self.name} {has}: rows are found by a key of one column")
        return self.columns[self.key[0]]

    def column(self, name: str) -> Column:
        """Return a column.

        Raises:
            StoreError: There is none of this name, or the role may not read it.
        """
        if (found := self.columns.get(name)) is None:
            raise StoreError(
                "UnknownColumn", f"{self.name} has no column {name[:100]}: {nearest(name, list(self.columns))}"
            )
        if not found.readable:
            raise StoreError("NotAllowed", f"the Persona's role may not read {self.name}.{name}")
        return found


_TABLE = """
SELECT n.nspname, c.relname,
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place)
                   FROM pg_index i
                  CROSS JOIN unnest(i.indkey::int[]) WITH ORDINALITY AS k(number, place)
                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
                  WHERE i.indrelid = c.oid AND i.indisprimary), '{}')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = to_regclass(quote_ident(%s)) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), coalesce(b.typname, t.typname),
       has_column_privilege(a.attrelid, a.attnum, 'SELECT')
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_type b ON b.oid = t.typbasetype AND t.typtype = 'd'
 WHERE a.attrelid = to_regclass(quote_ident(%s)) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""
_NAMES = """
SELECT c.relname FROM pg_class c
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_table_is_visible(c.oid)
   AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
   AND has_any_column_privilege(c.oid, 'SELECT') LIMIT 1000
"""


@dataclass
class Catalog:
    """What is known of one database, for one role."""

    _tables: dict[str, tuple[float, Table]] = field(default_factory=dict)

    async def table(self, connection: AsyncConnection[Any], name: str) -> Table:
        """Return a table that the role's search path leads to.

        Raises:
            StoreError: There is none (`UnknownTable`), or the role may read nothing of it (`NotAllowed`).
        """
        known = self._tables.get(name)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        table = await self._read(connection, name)
        if len(self._tables) >= MAX_KEPT:
            self._tables.clear()
        self._tables[name] = (time.monotonic() + KEPT, table)
        return table

    def forget(self, name: str) -> None:
        """Read a table anew next time: the database says that it is another one."""
        self._tables.pop(name, None)

    async def _read(self, connection: AsyncConnection[Any], name: str) -> Table:
        if "\x00" in name or not 0 < len(name) <= 63:
            raise StoreError("UnknownTable", f"{name[:80]!r} is no name of a table")
        found = await (await connection.execute(_TABLE, (name,))).fetchone()
        if found is None:
            names = [row[0] for row in await (await connection.execute(_NAMES)).fetchall()]
            raise StoreError("UnknownTable", f"there is no table {name}: {nearest(name, names)}")
        rows = await (await connection.execute(_COLUMNS, (name,))).fetchall()
        columns = {row[0]: Column(row[0], row[1], row[2], bool(row[3])) for row in rows}
        table = Table(found[0], found[1], tuple(found[2]), columns)
        if not table.readable:
            raise StoreError("NotAllowed", f"the Persona's role may not read {name}: GRANT SELECT on it")
        return table
