"""The record of what bots wrote: in the same database and transaction as what they wrote, once for each write.

Its key is the step's that writes, so it also tells that a step which is run again has written already.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from psycopg import errors as sqlstate

from botyard.erp.store.errors import StoreError

TABLE = "botyard_audit"

SETUP = """\
-- Once, as a superuser or the owner of the database: where is kept what bots wrote.
CREATE TABLE IF NOT EXISTS public.botyard_audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    written_at timestamptz NOT NULL DEFAULT now(),
    db_role    name        NOT NULL DEFAULT current_user,
    key        text        COLLATE "C" NOT NULL,
    namespace  text        NOT NULL,
    bot        text        NOT NULL,
    persona    text        NOT NULL,
    thread     text        NOT NULL,
    task       text        NOT NULL,
    turn       text        NOT NULL,
    event      text        NOT NULL,
    action     text        NOT NULL,
    table_name text        NOT NULL,
    row_id     text        NOT NULL,
    before     jsonb,
    after      jsonb,
    UNIQUE (db_role, key)
);
CREATE INDEX IF NOT EXISTS botyard_audit_row ON public.botyard_audit (table_name, row_id, written_at);
-- A role sees and adds its own records, and changes none.
ALTER TABLE public.botyard_audit ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS botyard_audit_own ON public.botyard_audit;
CREATE POLICY botyard_audit_own ON public.botyard_audit
    USING (db_role = current_user) WITH CHECK (db_role = current_user);
REVOKE ALL ON public.botyard_audit FROM PUBLIC;
"""
"""SQL that a database's administrator runs once."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes. What is not known is empty: code between events has no turn.

    Attributes:
        namespace: Of the Bot.
        bot: Its name.
        persona: Whose role it is.
        thread: Thread whose call writes.
        task: Task that the thread works on.
        turn: The turn.
        event: The event that the turn runs.
    """

    namespace: str
    bot: str
    persona: str
    thread: str = ""
    task: str = ""
    turn: str = ""
    event: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """One row that was written, with its columns as rows have them; None where it was not, or is no more."""

    action: str
    row_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def claim(connection: AsyncConnection[Any], key: str) -> list[Written]:
    """Make the transaction the only one that writes for `key`, and return what was written for it before.

    Raises:
        StoreError: The database has no record to write into (`NoAudit`).
    """
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))
    try:
        found = await connection.execute(
            "SELECT action, row_id, before::text, after::text FROM public.botyard_audit "
            "WHERE db_role = current_user AND (key = %s OR key >= %s AND key < %s) ORDER BY id",
            (key, f"{key}#", f"{key}$"),
        )
    except (sqlstate.UndefinedTable, sqlstate.InsufficientPrivilege) as error:
        raise StoreError(
            "NoAudit",
            "this database keeps no record of what bots write, or the Persona's role may not add to it: have its "
            "administrator run what `botyard erp sql --role ROLE` prints",
        ) from error
    return [Written(row[0], row[1], _row(row[2]), _row(row[3])) for row in await found.fetchall()]


async def record(connection: AsyncConnection[Any], key: str, actor: Actor, table: str, written: list[Written]) -> None:
    """Keep what was written, in the transaction that writes it."""
    insert = (
        "INSERT INTO public.botyard_audit (key, namespace, bot, persona, thread, task, turn, event, action, "
        "table_name, row_id, before, after) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb)"
    )
    who = (actor.namespace, actor.bot, actor.persona, actor.thread, actor.task, actor.turn, actor.event)
    rows = [
        (
            key if number == 0 else f"{key}#{number}",
            *who,
            one.action,
            table,
            one.row_id,
            _json(one.before),
            _json(one.after),
        )
        for number, one in enumerate(written)
    ]
    async with connection.cursor() as cursor:
        await cursor.executemany(insert, rows)


def grants(role: str, tables: Mapping[str, str] | None = None) -> str:
    """Return the SQL that lets a role write.

    Args:
        role: Name of the role of a Persona.
        tables: What it may do with which table, such as `{"crm_contact": "SELECT, INSERT, UPDATE"}`.
    """
    name = _quoted(role)
    lines = [
        f"-- For the role of a Persona: CREATE ROLE {name} LOGIN PASSWORD '…';",
        f"GRANT SELECT, INSERT ON public.botyard_audit TO {name};",
    ]
    lines += [f"GRANT {what} ON {_quoted(table)} TO {name};" for table, what in (tables or {}).items()]
    return "\n".join(lines) + "\n"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _row(text: str | None) -> dict[str, Any] | None:
    return None if text is None else dict(json.loads(text))


def _json(row: dict[str, Any] | None) -> str | None:
    return None if row is None else json.dumps(row, ensure_ascii=False)
