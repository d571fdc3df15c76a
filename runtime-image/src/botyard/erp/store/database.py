"""Connections to the databases of Personas: few, bounded, with a limit on everything that waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from botyard.erp.store.catalog import Catalog
from botyard.erp.store.errors import StoreError

MAX_CONNECTIONS = 4
"""To one database with one role, from one replica."""
MAX_WAITING = 200
WAITS = 10.0
"""Seconds for a connection."""
STATEMENT_MS, LOCK_MS, IDLE_MS = 15_000, 5_000, 30_000
MAX_POOLS = 100

_SETTINGS = {
    "statement_timeout": str(STATEMENT_MS),
    "lock_timeout": str(LOCK_MS),
    "idle_in_transaction_session_timeout": str(IDLE_MS),
    # Rows tell times in UTC, whatever the server's zone is.
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
}
_UNICODE = "und-x-icu"
"""Collation that knows all letters; servers built without ICU have none."""


@dataclass
class Database:
    """One database with one role.

    Attributes:
        pool: Its connections.
        catalog: What is known of its tables.
        any_case: Collation for comparisons without regard to case; empty: the database's own; None: not looked yet.
    """

    pool: AsyncConnectionPool[AsyncConnection[Any]]
    catalog: Catalog = field(default_factory=Catalog)
    any_case: str | None = None

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Give a connection; what is done on it in the block is one transaction.

        Raises:
            StoreError: There is none (`Unavailable`).
        """
        try:
            async with self.pool.connection() as connection:
                if self.any_case is None:
                    query = "SELECT 1 FROM pg_collation WHERE collname = %s"
                    found = await (await connection.execute(query, (_UNICODE,))).fetchone()
                    self.any_case = _UNICODE if found else ""
                yield connection
        except (PoolTimeout, TooManyRequests) as error:
            raise StoreError("Unavailable", "the database does not answer, or all connections are busy") from error


class Databases:
    """The databases that Personas of this replica use, by address."""

    def __init__(self) -> None:
        self._open: dict[str, Database] = {}
        self._lock = asyncio.Lock()

    async def at(self, address: str) -> Database:
        """Return the database at an address.

        Raises:
            StoreError: This is no address (`NoDatabase`).
        """
        async with self._lock:
            if (known := self._open.pop(address, None)) is None:
                known = Database(await _pool(address))
            self._open[address] = known  # The one used last is behind all others.
            while len(self._open) > MAX_POOLS:
                oldest = next(iter(self._open))
                await self._open.pop(oldest).pool.close(timeout=1.0)
            return known

    async def keep(self, addresses: Collection[str]) -> None:
        """Close the connections to all other addresses: nobody has them any more."""
        async with self._lock:
            for address in self._open.keys() - set(addresses):
                await self._open.pop(address).pool.close(timeout=STATEMENT_MS / 1000)

    async def close(self) -> None:
        """Close all connections."""
        await self.keep(())


async def _pool(address: str) -> AsyncConnectionPool[AsyncConnection[Any]]:
    try:
        known = conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        # What libpq says of it may hold the password.
        raise StoreError("NoDatabase", "the address of the Persona's database is none of PostgreSQL") from None
    given: dict[str, Any] = {"connect_timeout": 5, "application_name": "botyard", "keepalives_idle": 30} | known
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        make_conninfo(**given),
        min_size=0,
        max_size=MAX_CONNECTIONS,
        max_waiting=MAX_WAITING,
        timeout=WAITS,
        max_idle=60.0,
        reconnect_timeout=WAITS,
        open=False,
        configure=_configure,
        # Behind a pooler of transactions the next statement may meet another server process.
        kwargs={"prepare_threshold": None},
        name="erp",
    )
    await pool.open()
    return pool


async def _configure(connection: AsyncConnection[Any]) -> None:
    for name, value in _SETTINGS.items():
        await connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    await connection.commit()
