"""The database of one bot: its tables, made where they are missing, and queries whose errors say what to do."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from botyard.workflow.database.schema import LOCK, STATEMENTS

CREDENTIALS = ("DATABASE_URL", "POSTGRES_URL")
"""Credentials of a Bot, one of which names its PostgreSQL."""
MAX_CONNECTIONS = 8
CONNECT_TIMEOUT = 10.0
QUERY_TIMEOUT = 30.0
"""Seconds, each."""


class DatabaseError(RuntimeError):
    """PostgreSQL does not answer, or refuses; the message says why, without credentials."""


async def open_pool(environment: Mapping[str, str] | None = None) -> Any:
    """Return a pool of connections to the PostgreSQL that a credential names, or None; nothing is connected yet."""
    env = os.environ if environment is None else environment
    url = next((env[name] for name in CREDENTIALS if env.get(name)), None)
    if url is None:
        return None
    import asyncpg

    return await asyncpg.create_pool(
        url, min_size=0, max_size=MAX_CONNECTIONS, timeout=CONNECT_TIMEOUT, command_timeout=QUERY_TIMEOUT
    )


class Database:
    """One bot's part of a database."""

    def __init__(self, pool: Any, *, tenant: str, project: str) -> None:
        """Prepare; nothing is connected before the first query.

        Args:
            pool: Of asyncpg.
            tenant: Whose rows these are.
            project: The same, within the tenant.
        """
        self._pool = pool
        self.scope = f"{tenant}:{project}"
        self._ready = False
        self._making = asyncio.Lock()

    async def fetch(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """Return the rows of a query.

        Raises:
            DatabaseError: PostgreSQL does not answer, or refuses.
        """
        await self._prepare()
        try:
            rows = await self._pool.fetch(query, *arguments)
        except Exception as error:
            raise _told(error) from error
        return [dict(row) for row in rows]

    async def write(self, statements: Sequence[tuple[str, Sequence[Any]]]) -> None:
        """Run statements, all or none.

        Raises:
            DatabaseError: As for `fetch`.
        """
        await self._prepare()
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                for statement, arguments in statements:
                    await connection.execute(statement, *arguments)
        except Exception as error:
            raise _told(error) from error

    async def _prepare(self) -> None:
        if self._ready:
            return
        async with self._making:
            if self._ready:
                return
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    # Several replicas begin at once; tables that are made twice at the same time make an error.
                    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
                    for statement in STATEMENTS:
                        await connection.execute(statement)
            except Exception as error:
                raise _told(error) from error
            self._ready = True


def vector(values: Sequence[float]) -> str:
    """Return a vector as pgvector reads it."""
    return "[" + ",".join(repr(float(value)) for value in values) + "]"


def _told(error: Exception) -> DatabaseError:
    if isinstance(error, DatabaseError):
        return error
    if isinstance(error, TimeoutError):
        return DatabaseError("PostgreSQL did not answer in time")
    if isinstance(error, OSError):
        return DatabaseError(f"PostgreSQL cannot be reached: {error.strerror or type(error).__name__}")
    if getattr(error, "sqlstate", "") in ("0A000", "58P01") or 'type "vector" does not exist' in str(error):
        return DatabaseError("this PostgreSQL has no extension `vector`: install pgvector on its server")
    return DatabaseError(f"PostgreSQL refuses: {error}")


_MOST = 64
_databases: OrderedDict[tuple[int, str], Database] = OrderedDict()
"""Those that were used last: their tables are looked at once, not in every turn. Each holds its pool, so that no other
pool has its number."""


def database_of(pool: Any, tenant: str, project: str) -> Database:
    """Return the part of a database that belongs to a tenant's project."""
    key = id(pool), f"{tenant}:{project}"
    if key not in _databases:
        _databases[key] = Database(pool, tenant=tenant, project=project)
    _databases.move_to_end(key)
    while len(_databases) > _MOST:
        _databases.popitem(last=False)
    return _databases[key]
