"""The messages of `pgoutput`, the logical decoding plugin that every PostgreSQL has, version 1 of its protocol.

Source: PostgreSQL's documentation, "Logical Replication Message Formats". Values come as the texts that PostgreSQL
writes; `values` makes of them what travels on.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

PROTOCOL = "1"

UNCHANGED = object()
"""In the place of a large value that the UPDATE left alone: PostgreSQL does not send it."""
Value = str | None | object
Tuple = tuple[Value, ...]
"""One row: a text, None or `UNCHANGED` for each column of its relation."""


class DecodeError(ValueError):
    """A message that is none of `pgoutput`'s."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction; what follows until its Commit belongs to it.

    Attributes:
        commit_lsn: Where its commit is in the log; grows from transaction to transaction.
        commit_us: When it committed, in microseconds since 1970.
        xid: Its number.
    """

    commit_lsn: int
    commit_us: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The end of a transaction; everything before `end_lsn` has been sent."""

    commit_lsn: int
    end_lsn: int


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a relation.

    Attributes:
        name: Its name.
        type_oid: Its type.
        key: It belongs to the replica identity.
    """

    name: str
    type_oid: int
    key: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it is in what follows; sent before its first change and after each change of its columns."""

    oid: int
    schema: str
    name: str
    identity: str
    """`d` primary key, `n` none, `f` all columns, `i` an index."""
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row."""

    relation: int
    new: Tuple


@dataclass(frozen=True, slots=True)
class Update:
    """A changed row."""

    relation: int
    new: Tuple
    old: Tuple | None
    """What it was, as far as the replica identity has it; None where it has not changed."""
    whole: bool
    """`old` has all columns, not those of the key alone."""


@dataclass(frozen=True, slots=True)
class Delete:
    """A row that is gone."""

    relation: int
    old: Tuple
    whole: bool
    """`old` has all columns, not those of the key alone."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables whose rows are all gone."""

    relations: tuple[int, ...]


Message = Begin | Commit | Relation | Insert | Update | Delete | Truncate

_EPOCH_US = 946_684_800_000_000
"""1970 to 2000, where PostgreSQL's clock begins, in microseconds."""
_BEGIN = struct.Struct(">QqI")
_COMMIT = struct.Struct(">xQQq")
_OID = struct.Struct(">I")
_COUNT = struct.Struct(">H")
_LENGTH = struct.Struct(">I")
_COLUMN_END = struct.Struct(">Ii")
_TRUNCATE = struct.Struct(">IB")


def decode(data: bytes) -> Message | None:
    """Return what a message says; None of those that carry nothing for us (types, origins, messages).

    Raises:
        DecodeError: It is no message of this protocol.
    """
    try:
        return _decode(data)
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise DecodeError(f"a message {data[:1]!r} of {len(data)} bytes cannot be read: {error}") from error


def _decode(data: bytes) -> Message | None:
    kind = data[:1]
    if kind == b"I":
        relation, tag = _OID.unpack_from(data, 1)[0], data[5:6]
        _expect(tag, b"N")
        return Insert(relation, _tuple(data, 6)[0])
    if kind == b"U":
        return _update(data)
    if kind == b"D":
        relation, tag = _OID.unpack_from(data, 1)[0], data[5:6]
        _expect(tag, b"KO")
        return Delete(relation, _tuple(data, 6)[0], tag == b"O")
    if kind == b"B":
        lsn, time, xid = _BEGIN.unpack_from(data, 1)
        return Begin(lsn, time + _EPOCH_US, xid)
    if kind == b"C":
        commit, end, _ = _COMMIT.unpack_from(data, 1)
        return Commit(commit, end)
    if kind == b"R":
        return _relation(data)
    if kind == b"T":
        count, _ = _TRUNCATE.unpack_from(data, 1)
        return Truncate(struct.unpack_from(f">{count}I", data, 6))
    if kind in (b"Y", b"O", b"M"):
        return None
    raise DecodeError(f"{kind!r} is no kind of message")


def _update(data: bytes) -> Update:
    relation, tag = _OID.unpack_from(data, 1)[0], data[5:6]
    _expect(tag, b"KON")
    old, place = None, 6
    if tag != b"N":
        old, place = _tuple(data, 6)
        _expect(data[place : place + 1], b"N")
        place += 1
    return Update(relation, _tuple(data, place)[0], old, tag == b"O")


def _expect(tag: bytes, known: bytes) -> None:
    if not tag or tag not in known:
        raise DecodeError(f"{tag!r} stands where one of {known!r} is expected")


def _tuple(data: bytes, place: int) -> tuple[Tuple, int]:
    """Return the row at `place`, and where it ends."""
    (count,) = _COUNT.unpack_from(data, place)
    place += 2
    found: list[Value] = []
    for _ in range(count):
        kind = data[place]
        place += 1
        if kind == 0x74:  # t: a text
            (length,) = _LENGTH.unpack_from(data, place)
            place += 4
            if place + length > len(data):
                raise DecodeError("a value ends behind its message")
            found.append(data[place : place + length].decode())
            place += length
        elif kind == 0x6E:  # n: null
            found.append(None)
        elif kind == 0x75:  # u: unchanged
            found.append(UNCHANGED)
        else:
            raise DecodeError(f"{chr(kind)!r} is no kind of value")
    return tuple(found), place


def _relation(data: bytes) -> Relation:
    (oid,) = _OID.unpack_from(data, 1)
    schema, place = _text(data, 5)
    name, place = _text(data, place)
    identity = chr(data[place])
    (count,) = _COUNT.unpack_from(data, place + 1)
    place += 3
    columns: list[Column] = []
    for _ in range(count):
        key = bool(data[place] & 1)
        column, place = _text(data, place + 1)
        type_oid, _ = _COLUMN_END.unpack_from(data, place)
        place += _COLUMN_END.size
        columns.append(Column(column, type_oid, key))
    return Relation(oid, schema or "pg_catalog", name, identity, tuple(columns))


def _text(data: bytes, place: int) -> tuple[str, int]:
    end = data.index(b"\0", place)
    return data[place:end].decode(), end + 1


def lsn_text(lsn: int) -> str:
    """Return a place in the log as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_number(text: str) -> int:
    """Return the number of a place in the log.

    Raises:
        ValueError: It is none.
    """
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) | int(low, 16)


def names(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the columns' names."""
    return tuple(column.name for column in columns)
