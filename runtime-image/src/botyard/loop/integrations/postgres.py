"""The integration `postgres`: an expert asks a PostgreSQL database in SQL.

The address is the setup's `POSTGRES_URI`, else the Bot's credential of that name. Statements read only, unless the
setup says `postgres_writes`; each runs in a transaction of its own, within a time and a number of rows.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from botyard.loop.context import RobotContext
from botyard.loop.errors import PlatformError
from botyard.loop.integrations.registry import Integration, Settings
from botyard.loop.tools import CloudTool, FCloudtoolCall

ADDRESS = "POSTGRES_URI"
WRITES = "postgres_writes"
STATEMENT_SECONDS = 30
CONNECT_SECONDS = 10
MAX_ROWS = 500
_LOST = ("08", "57P")
"""Classes of errors after which a connection is of no use."""
MAX_CHARACTERS = 100_000
TOOL = CloudTool(
    strict=True,
    name="postgres",
    description="Ask the database in SQL (PostgreSQL). Answers are JSON: columns, rows, and whether there are more.",
    parameters={
        "type": "object",
        "properties": {"query": {"type": "string", "description": "One SQL statement."}},
        "required": ["query"],
        "additionalProperties": False,
    },
)
SETUP: list[dict[str, Any]] = [
    {
        "bs_name": ADDRESS,
        "bs_type": "string_short",
        "bs_default": "",
        "bs_group": "postgres",
        "bs_description": "postgresql://user:password@host:5432/database",
    },
    {
        "bs_name": WRITES,
        "bs_type": "bool",
        "bs_default": False,
        "bs_group": "postgres",
        "bs_description": "Statements may change the database.",
    },
]


def integration(settings: Settings) -> Integration:
    """Return the integration."""
    del settings

    async def start(rcx: RobotContext, setup: dict[str, Any]) -> Postgres:
        made = Postgres(str(setup.get(ADDRESS) or ""), writes=bool(setup.get(WRITES)))

        @rcx.on_tool_call(TOOL.name)
        async def called(toolcall: FCloudtoolCall, args: dict[str, Any]) -> str:
            return await made.called_by_model(toolcall, args)

        return made

    return Integration("postgres", [TOOL], start, setup=list(SETUP))


class Postgres:
    """One database."""

    def __init__(self, address: str = "", *, writes: bool = False) -> None:
        """Prepare; the connection is made by the first question.

        Args:
            address: `postgresql://…`; empty: the Bot's credential.
            writes: Whether statements may change anything.
        """
        self._address = address or os.environ.get(ADDRESS, "")
        self._writes = writes
        self._connection: Any = None
        self._busy = asyncio.Lock()

    async def called_by_model(self, toolcall: Any, args: Mapping[str, Any] | None) -> str:
        """Return what a model is told of its question."""
        given = args or {}
        inner = given.get("args")
        query = str(given.get("query") or (inner.get("query") if isinstance(inner, Mapping) else "") or "")
        if not query.strip():
            return "Error: query is empty; write one SQL statement."
        try:
            return json.dumps(await self.ask(query), ensure_ascii=False, default=str)
        except PlatformError as error:
            return f"Error: {error}"

    async def ask(self, query: str) -> dict[str, Any]:
        """Return {columns, rows, more}, or {status} of a statement without rows.

        Raises:
            PlatformError: The database is not declared, cannot be reached or refuses; the message says why.
        """
        import asyncpg

        if not self._address:
            raise PlatformError(
                f"postgres is not connected: write {ADDRESS} into the Persona's setup or the Bot's credentials",
                "NotConnected",
            )
        async with self._busy:
            try:
                connection = await self._connected()
                async with asyncio.timeout(STATEMENT_SECONDS), connection.transaction(readonly=not self._writes):
                    statement = await connection.prepare(query)
                    columns = [attribute.name for attribute in statement.get_attributes()]
                    if not columns:
                        await statement.fetch()
                        return {"status": statement.get_statusmsg()}
                    rows: list[list[Any]] = []
                    size = 0
                    async for record in statement.cursor(prefetch=MAX_ROWS):
                        row = [_plain(value) for value in record]
                        size += len(json.dumps(row, default=str))
                        if len(rows) >= MAX_ROWS or size > MAX_CHARACTERS:
                            return {"columns": columns, "rows": rows, "more": True}
                        rows.append(row)
                    return {"columns": columns, "rows": rows, "more": False}
            except TimeoutError:
                await self.close()
                raise PlatformError(f"the database did not answer within {STATEMENT_SECONDS} s", "TimedOut") from None
            except asyncpg.PostgresError as error:
                if str(error.sqlstate).startswith(_LOST):
                    await self.close()
                raise PlatformError(f"{type(error).__name__}: {error}", "Refused") from error
            except (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                await self.close()
                raise PlatformError(f"the database cannot be reached: {error}", "NotReachable") from error

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.terminate()

    async def _connected(self) -> Any:
        import asyncpg

        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._address,
                timeout=CONNECT_SECONDS,
                server_settings={"statement_timeout": str(STATEMENT_SECONDS * 1000), "application_name": "botyard"},
            )
        return self._connection


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
