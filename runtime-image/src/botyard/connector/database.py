"""The connections to a PostgreSQL: one for questions, one for the stream. All of it blocks, but for `Stream`."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2
from psycopg2 import errors, extensions
from psycopg2.extras import LogicalReplicationConnection, ReplicationMessage

from botyard.connector import pgoutput, problems
from botyard.connector.problems import Problem

CONNECT_SECONDS = 10
STATEMENT_MS = 60_000
"""Milliseconds that one question may take; a chunk of a snapshot too."""
_STYLE = "-c datestyle=ISO -c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=3 -c bytea_output=hex"
"""How values are written, whatever the role's own settings are."""
Failed = psycopg2.Error
_RAW = extensions.new_type((), "RAW", lambda value, cursor: value)


def _options(more: str) -> dict[str, Any]:
    return {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "botyard-connector",
        "options": f"{_STYLE} {more}",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
        "tcp_user_timeout": 30_000,
    }


def _check_address(address: str) -> None:
    """Refuse an address that libpq cannot read, or in which a part of the password would be the server's name.

    Raises:
        Problem: It is one.
    """
    try:
        parts = extensions.parse_dsn(address)
    except (psycopg2.Error, ValueError):
        raise problems.malformed_address() from None
    if "@" in str(parts.get("host", "")):
        raise problems.malformed_address()


class Database:
    """Questions to one database, on a connection that is made when it is needed first.

    Args:
        address: postgresql://…, or what libpq takes.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: Any = None

    def ask(self, question: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of an answer.

        Raises:
            Problem: There is no connection.
            Failed: PostgreSQL refuses.
        """
        with self._cursor() as cursor:
            cursor.execute(question, tuple(values) or None)
            return list(cursor.fetchall()) if cursor.description is not None else []

    def ask_texts(self, question: str, values: Sequence[Any] = ()) -> tuple[list[tuple[str, int]], list[Any]]:
        """Return columns (name, type) and rows of an answer, each value as PostgreSQL writes it."""
        with self._cursor() as cursor:
            cursor.execute(question, tuple(values) or None)
            columns = [(column.name, column.type_code) for column in cursor.description]
            oids = tuple({oid for _, oid in columns})
            extensions.register_type(extensions.new_type(oids, "RAW", lambda value, _: value), cursor)
            return columns, list(cursor.fetchall())

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if self._connection.closed:
                raise problems.of_connecting(error) from error
            raise

    def _connect(self) -> Any:
        _check_address(self._address)
        try:
            connection = psycopg2.connect(self._address, **_options(f"-c statement_timeout={STATEMENT_MS}"))
        except (psycopg2.Error, ValueError, UnicodeError) as error:
            raise problems.of_connecting(error) from None
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def snapshot(self, exported: str = "") -> Iterator[None]:
        """Have all questions see the rows of one moment.

        Args:
            exported: The snapshot of a slot's beginning; empty: now.
        """
        self.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            if exported:
                self.ask("SET TRANSACTION SNAPSHOT %s", (exported,))
            yield
        finally:
            with contextlib.suppress(Failed, Problem):
                self.ask("ROLLBACK")

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()


class Replication:
    """The connection of the stream: makes and drops slots, then streams.

    Raises:
        Problem: It cannot be made.
    """

    def __init__(self, address: str) -> None:
        _check_address(address)
        try:
            self._connection: Any = psycopg2.connect(
                address, connection_factory=LogicalReplicationConnection, **_options("")
            )
        except (psycopg2.Error, ValueError, UnicodeError) as error:
            raise problems.of_connecting(error) from None

    def create_slot(self, slot: str, *, failover: bool = False) -> tuple[int, str]:
        """Make a slot; return where it begins, and the name of the snapshot of that moment.

        The snapshot lives as long as nothing else is asked of this connection.

        Raises:
            Problem: PostgreSQL refuses.
        """
        new_form = self._connection.server_version >= 150000
        options = "(SNAPSHOT 'export'" + (", FAILOVER true" if failover else "") + ")"
        with self._connection.cursor() as cursor:
            try:
                cursor.execute(
                    f'CREATE_REPLICATION_SLOT "{slot}" LOGICAL pgoutput {options if new_form else "EXPORT_SNAPSHOT"}'
                )
                _, start, snapshot, _ = cursor.fetchone()
            except errors.DuplicateObject:
                raise foreign_slot(slot) from None
            except psycopg2.Error as error:
                raise _of_slot(error) from None
        return pgoutput.lsn_number(start), snapshot

    def drop_slot(self, slot: str) -> None:
        """Drop a slot; nothing happens if it is not there."""
        with self._connection.cursor() as cursor, contextlib.suppress(errors.UndefinedObject):
            cursor.execute(f'DROP_REPLICATION_SLOT "{slot}"')

    def stream(self, slot: str, publication: str, start: int) -> "Stream":
        """Begin to stream.

        Args:
            slot: From which.
            publication: What.
            start: From where; 0, or before what the slot knows as confirmed: from there.

        Raises:
            Problem: PostgreSQL refuses.
        """
        cursor = self._connection.cursor()
        quoted = publication.replace('"', '""')
        try:
            cursor.start_replication(
                slot_name=slot,
                decode=False,
                start_lsn=start,
                options={"proto_version": pgoutput.PROTOCOL, "publication_names": f'"{quoted}"'},
            )
        except psycopg2.Error as error:
            raise of_streaming(error, slot) from None
        return Stream(cursor, slot)

    def close(self) -> None:
        """End the connection; its slot stays."""
        with contextlib.suppress(psycopg2.Error):
            self._connection.close()


class Stream:
    """What comes from a slot. Nothing here waits for the network but `fileno`'s readiness."""

    def __init__(self, cursor: Any, slot: str) -> None:
        self._cursor = cursor
        self._slot = slot

    def fileno(self) -> int:
        """Return what becomes readable when something has come."""
        return int(self._cursor.fileno())

    def next(self) -> ReplicationMessage | None:
        """Return the next message; None: nothing more has come yet.

        Raises:
            Problem: The stream has ended.
        """
        try:
            return self._cursor.read_message()
        except psycopg2.Error as error:
            raise of_streaming(error, self._slot) from None

    def confirm(self, lsn: int) -> None:
        """Tell that everything before `lsn` is kept; 0: that we live.

        Raises:
            Problem: The stream has ended.
        """
        try:
            self._cursor.send_feedback(flush_lsn=lsn, force=True) if lsn else self._cursor.send_feedback(force=True)
        except psycopg2.Error as error:
            raise of_streaming(error, self._slot) from None

    @property
    def seen(self) -> int:
        """Where the server's log was when it last told."""
        return int(self._cursor.wal_end)


def foreign_slot(slot: str) -> Problem:
    """Return what to do about a slot that somebody else made."""
    return Problem(
        "SlotForeign",
        f"the replication slot {slot} is there, and this installation did not make it. If nobody needs it: SELECT "
        f"pg_drop_replication_slot('{slot}'). If it is ours, and Redis has lost its data: set the source's `adopt`",
    )


def _of_slot(error: psycopg2.Error) -> Problem:
    text = problems.text_of(error)
    if "wal_level" in text or "logical decoding requires" in text:
        return problems.wal_level("too low")
    if isinstance(error, errors.ConfigurationLimitExceeded) or "all replication slots are in use" in text:
        return Problem("TooManySlots", "all replication slots are in use: raise max_replication_slots, or drop some")
    if isinstance(error, errors.InsufficientPrivilege):
        return Problem(
            "MissingPrivileges", f"the role may not make a replication slot: ALTER ROLE … REPLICATION ({text})"
        )
    return Problem("Failed", f"PostgreSQL makes no replication slot: {text}")


def of_streaming(error: psycopg2.Error, slot: str) -> Problem:
    """Return what an end of the stream means."""
    text = problems.text_of(error)
    if isinstance(error, errors.UndefinedObject) and "replication slot" in text:
        return problems.slot_lost(slot, "is gone (dropped, or lost with a failover)")
    if isinstance(error, errors.ObjectInUse):
        return Problem("SlotBusy", f"somebody else reads the replication slot {slot}: {text}")
    if isinstance(error, errors.ObjectNotInPrerequisiteState) or "can no longer get changes" in text:
        return problems.slot_lost(slot, f"cannot be read any more ({text})")
    if "publication" in text and "does not exist" in text:
        return Problem("PublicationIncomplete", f"{text}: it was dropped after changes that are still to be read")
    if error.pgcode is None:
        return problems.of_connecting(error)
    return Problem("Failed", f"the stream ended: {text}")
