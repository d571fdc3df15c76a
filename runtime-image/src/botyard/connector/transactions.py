"""From messages of a replication stream to changes, each with its place: pure, in the order of the log.

A place is a text that sorts as the log does: the slot's generation, where the transaction's commit is, and the number
of the change in it. It is the same whenever the change is sent, so that what a restart repeats is known by it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botyard.connector import pgoutput
from botyard.connector.pgoutput import UNCHANGED, Begin, Commit, Delete, Insert, Relation, Truncate, Tuple, Update
from botyard.connector.values import Convert, Converters
from botyard.erp.changes import Change
from botyard.loop.erp_schema import TABLES


@dataclass(frozen=True, slots=True)
class Placed:
    """A change of a row, and where it stands in the log.

    Attributes:
        table: Whose row it is, as subscriptions name it.
        change: What happened.
        place: Sorts as the log does.
        commit_us: When it was committed, in microseconds since 1970.
        unchanged: Columns whose large values PostgreSQL did not send, because the UPDATE left them alone.
    """

    table: str
    change: Change
    place: str
    commit_us: int
    unchanged: tuple[str, ...] = ()


class Received(Protocol):
    """A message as it came."""

    payload: bytes


@dataclass(slots=True)
class Told:
    """What some messages told.

    Attributes:
        changes: In the order of the log.
        confirmable: Everything before this place in the log is in `changes` or was before; 0: no commit was among them.
        truncated: Tables whose rows are all gone; nobody is told of single rows.
        size: Bytes of the messages.
    """

    changes: list[Placed] = field(default_factory=list)
    confirmable: int = 0
    truncated: list[str] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class _Table:
    """A relation that is followed."""

    name: str
    columns: tuple[tuple[str, Convert | None, bool], ...]
    archived: str


def place(generation: int, commit_lsn: int, index: int) -> str:
    """Return a place in the log as a text that sorts."""
    return f"{generation:06X}.{commit_lsn:016X}.{index:08X}"


class Transactions:
    """Reads the messages of one stream.

    Args:
        generation: Of the slot.
        tables: Name in subscriptions by (schema, table) of those that are followed.
        converters: How values are read.
        skips: Tells by its number whether a transaction is known already, by the snapshot that was read.
    """

    def __init__(
        self,
        generation: int,
        tables: Mapping[tuple[str, str], str],
        converters: Converters,
        *,
        skips: Callable[[Begin], bool] = lambda begin: False,
    ) -> None:
        self.tables = tables
        self.skips = skips
        self._generation = generation
        self._converters = converters
        self._relations: dict[int, _Table | None] = {}
        self._begin: Begin | None = None
        self._skipped = False
        self._index = 0
        self.changed_columns: dict[str, tuple[str, ...]] = {}
        """Columns of each followed table, as they were last told."""

    def types_of(self, relation: Relation) -> set[int]:
        """Return the types of a relation that have to be learned before its rows are read."""
        if (relation.schema, relation.name) not in self.tables:
            return set()
        return self._converters.unknown({column.type_oid for column in relation.columns})

    def take(self, message: pgoutput.Message | None, told: Told) -> None:
        """Add what a message tells to `told`.

        Raises:
            DecodeError: It does not fit to those before.
        """
        if isinstance(message, Insert | Update | Delete):
            self._row(message, told)
        elif isinstance(message, Begin):
            self._begin, self._index = message, 0
            self._skipped = self.skips(message)
        elif isinstance(message, Commit):
            self._begin = None
            told.confirmable = message.end_lsn
        elif isinstance(message, Relation):
            self._relations[message.oid] = self._followed(message)
        elif isinstance(message, Truncate) and not self._skipped:
            tables = [self._relations.get(oid) for oid in message.relations]
            told.truncated += [table.name for table in tables if table is not None]

    def _followed(self, relation: Relation) -> _Table | None:
        name = self.tables.get((relation.schema, relation.name))
        if name is None:
            return None
        self.changed_columns[name] = pgoutput.names(relation.columns)
        known = TABLES.get(name)
        columns = tuple(
            (column.name, self._converters.of(column.type_oid), column.key or relation.identity == "f")
            for column in relation.columns
        )
        return _Table(name, columns, known.archived if known is not None else "")

    def _row(self, message: Insert | Update | Delete, told: Told) -> None:
        if self._begin is None:
            raise pgoutput.DecodeError("a row came outside of a transaction")
        try:
            table = self._relations[message.relation]
        except KeyError:
            raise pgoutput.DecodeError(f"a row of the unknown relation {message.relation} came") from None
        index = self._index
        # Counted also where nobody is told: the place of a change does not depend on what is followed now.
        self._index += 1
        if table is None or self._skipped:
            return
        unchanged: tuple[str, ...] = ()
        if isinstance(message, Insert):
            change = Change.model_construct(action="INSERT", new=row(table.columns, message.new), old=None)
        elif isinstance(message, Delete):
            change = Change.model_construct(
                action="DELETE", new=None, old=row(table.columns, message.old, keys_only=not message.whole)
            )
        else:
            change, unchanged = _update(table, message)
        at = place(self._generation, self._begin.commit_lsn, index)
        told.changes.append(Placed(table.name, change, at, self._begin.commit_us, unchanged))


def _update(table: _Table, message: Update) -> tuple[Change, tuple[str, ...]]:
    old = None
    new = message.new
    if message.old is not None:
        old = row(table.columns, message.old, keys_only=not message.whole)
        if message.whole:
            new = tuple(was if value is UNCHANGED else value for value, was in zip(new, message.old, strict=True))
    found = row(table.columns, new)
    change = Change.model_construct(action="UPDATE", new=found, old=old)
    unchanged: tuple[str, ...] = ()
    if len(found) < len(table.columns):
        unchanged = tuple(name for name, _, _ in table.columns if name not in found)
    return change.told_apart(table.archived), unchanged


def row(
    columns: Iterable[tuple[str, Convert | None, bool]], values: Tuple, *, keys_only: bool = False
) -> dict[str, Any]:
    """Return a row as it travels.

    Args:
        columns: Name, what reads its texts, and whether it belongs to the replica identity.
        values: As they came; what is unchanged is left out.
        keys_only: Only columns of the replica identity came.
    """
    found: dict[str, Any] = {}
    for (name, convert, key), value in zip(columns, values, strict=True):
        if value is UNCHANGED or (keys_only and not key):
            continue
        if convert is not None and value is not None:
            try:
                found[name] = convert(str(value))
            except ValueError:
                # Better the text as PostgreSQL writes it than no row.
                found[name] = value
        else:
            found[name] = value
    return found
