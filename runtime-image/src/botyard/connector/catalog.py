"""What a database must have for its rows to be followed: looked at, told, and made where it may be."""

from dataclasses import dataclass, field

from botyard.connector import problems
from botyard.connector.database import Database, Failed, foreign_slot
from botyard.connector.problems import Notice, Problem
from botyard.connector.settings import Source
from botyard.connector.values import Converters

MARK = "Kept by the connector of Botyard for the source "
"""The comment of a publication of ours."""
Place = tuple[str, str]
"""Schema and name of a table."""


@dataclass(slots=True)
class Found:
    """What there is.

    Attributes:
        tables: Those that can be followed, with their names in subscriptions.
        keys: Columns of each one's primary key; none where it has none.
        notices: What a person should know.
    """

    tables: dict[Place, str] = field(default_factory=dict)
    keys: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)


def look(database: Database, source: Source) -> Found:
    """Return which tables of a source can be followed.

    Raises:
        Problem: PostgreSQL is not made for it.
    """
    [(level,)] = database.ask("SELECT current_setting('wal_level')")
    if level != "logical":
        raise problems.wal_level(level)
    found = Found()
    for place in source.places():
        _look_at(database, place, found)
    return found


_TABLE = """
SELECT c.relreplident, c.relkind, has_table_privilege(c.oid, 'SELECT'),
  array(SELECT a.attname::text FROM pg_index i, unnest(i.indkey::int[]) WITH ORDINALITY k(number, place)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
    WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""


def _look_at(database: Database, place: Place, found: Found) -> None:
    name = ".".join(place)
    rows = database.ask(_TABLE, place)
    if not rows:
        found.notices.append(
            Notice("TableMissing", f"there is no table {name}: make it, or take it from the source's `tables`")
        )
        return
    [(identity, kind, readable, key)] = rows
    if kind not in ("r", "p"):
        found.notices.append(Notice("TableMissing", f"{name} is no table whose changes PostgreSQL writes down"))
        return
    if identity == "n" or (identity == "d" and not key):
        # Published without one, every UPDATE and DELETE of the table would fail for everybody.
        found.notices.append(
            Notice(
                "NoReplicaIdentity",
                f"{name} has no primary key, so its changed rows cannot be told: ALTER TABLE {name} REPLICA IDENTITY "
                "FULL; until then it is left out",
            )
        )
        return
    if identity != "f":
        found.notices.append(
            Notice(
                "OldRowsUnknown",
                f"of an UPDATE of {name} the row before is not known, and of a DELETE its key only; an UPDATE that "
                f"archives is not told apart: ALTER TABLE {name} REPLICA IDENTITY FULL",
            )
        )
    if not readable:
        found.notices.append(
            Notice("MissingPrivileges", f"the role may not read {name}, which snapshots need: GRANT SELECT ON {name}")
        )
    found.tables[place] = place[1]
    found.keys[place] = tuple(key)


def publish(database: Database, source: Source, found: Found) -> str:
    """Make sure that a publication has the tables; return its name.

    Raises:
        Problem: It has not, or nobody lets us make it.
    """
    if source.publication:
        _check_publication(database, source.publication, found)
        return source.publication
    name, mark = source.own_publication, f"{MARK}{source.namespace}/{source.name}"
    rows = database.ask(
        "SELECT obj_description(oid, 'pg_publication'), puballtables FROM pg_publication WHERE pubname = %s", (name,)
    )
    if rows and rows[0][0] != mark:
        raise Problem(
            "PublicationForeign",
            f"the publication {name} is there, and it is not ours: drop it, or name it as the source's `publication` "
            "to have it used as it is",
        )
    tables = "TABLE " + ", ".join(map(_quoted, found.tables)) if found.tables else ""
    kinds = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"
    try:
        if not rows:
            # Together, or a publication without its mark would be left behind.
            what = f"FOR {tables} " if tables else ""
            database.ask(
                f"BEGIN; CREATE PUBLICATION {name} {what}WITH ({kinds}); COMMENT ON PUBLICATION {name} IS '{mark}'; "
                "COMMIT"
            )
        else:
            have = set(database.ask("SELECT schemaname::text, tablename::text FROM pg_publication_tables "
                                    "WHERE pubname = %s", (name,)))  # fmt: skip
            if have != set(found.tables) and found.tables:
                database.ask(f"ALTER PUBLICATION {name} SET {tables}")
    except Failed as error:
        _roll_back(database)
        raise _of_publishing(error, name, tables, kinds) from None
    return name


def _roll_back(database: Database) -> None:
    database.ask("ROLLBACK")


def _of_publishing(error: Failed, name: str, tables: str, kinds: str) -> Problem:
    text = problems.text_of(error)
    if error.pgcode != "42501":
        return Problem("Failed", f"PostgreSQL makes no publication: {text}")
    return Problem(
        "MissingPrivileges",
        f"{text}: whoever owns the tables runs CREATE PUBLICATION {name} FOR {tables} WITH ({kinds}), and the source "
        f"names it: `publication: {name}`",
    )


def _check_publication(database: Database, name: str, found: Found) -> None:
    rows = database.ask("SELECT 1 FROM pg_publication WHERE pubname = %s", (name,))
    if not rows:
        raise Problem("PublicationIncomplete", f"there is no publication {name}, which the source names")
    have = set(
        database.ask("SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = %s", (name,))
    )
    for place in [place for place in found.tables if place not in have]:
        table = ".".join(place)
        why = f"the publication {name} lacks {table}: ALTER PUBLICATION {name} ADD TABLE {table}"
        found.notices.append(Notice("PublicationIncomplete", why))
        del found.tables[place]


def _quoted(place: Place) -> str:
    return ".".join(f'"{part}"' for part in place)


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot.

    Attributes:
        confirmed: Everything before this place in the log has been taken.
        lag: Bytes of the log behind it.
        status: `reserved`, `extended`, `unreserved` or `lost`; empty: the server does not say.
        room: Bytes until it may be lost; None: no limit is set.
    """

    confirmed: int
    lag: int
    status: str
    room: int | None


_SLOT = """
SELECT plugin::text, database = current_database(), (confirmed_flush_lsn - '0/0')::bigint,
  (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END
   - confirmed_flush_lsn)::bigint, coalesce(wal_status, ''), safe_wal_size::bigint
FROM pg_replication_slots WHERE slot_name = %s
"""


def slot(database: Database, name: str) -> Slot | None:
    """Return a slot of ours; None: there is none.

    Raises:
        Problem: It is somebody else's, or it is lost.
    """
    rows = database.ask(_SLOT, (name,))
    if not rows:
        return None
    [(plugin, here, confirmed, lag, status, room)] = rows
    if plugin != "pgoutput" or not here:
        raise foreign_slot(name)
    if status == "lost":
        raise problems.slot_lost(name, "was given up by PostgreSQL (max_slot_wal_keep_size)")
    return Slot(confirmed or 0, lag or 0, status, room)


def learn_types(database: Database, converters: Converters, oids: set[int]) -> None:
    """Find out what types of the database's own are: enums and such stay texts, domains and arrays are followed."""
    todo, rounds = set(oids), 0
    facts: dict[int, tuple[int, int]] = {}
    while todo and rounds < 8:
        rows = database.ask("SELECT oid::bigint, typbasetype::bigint, CASE WHEN typcategory = 'A' THEN typelem ELSE 0 "
                            "END::bigint FROM pg_type WHERE oid = ANY(%s::oid[])", (sorted(todo),))  # fmt: skip
        facts |= {oid: (base, element) for oid, base, element in rows}
        todo = converters.unknown({part for _, base, element in rows for part in (base, element)} - facts.keys())
        rounds += 1
    # What others are made of was found after them.
    for oid in reversed(facts):
        converters.learn(oid, base=facts[oid][0], element=facts[oid][1])
    for oid in oids - facts.keys():
        converters.learn(oid)
