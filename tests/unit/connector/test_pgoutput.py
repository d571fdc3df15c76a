"""The messages of pgoutput, as a PostgreSQL 15 sent them."""

import pytest

from botyard.connector import pgoutput
from botyard.connector.pgoutput import (
    UNCHANGED,
    Begin,
    Column,
    Commit,
    DecodeError,
    Delete,
    Insert,
    Message,
    Relation,
    Truncate,
    Update,
    decode,
)

OLD_ROW = "55000040004f00037400000001317400000002c3a96e4e00037400000001317400000002c3a97400000003787878"
RECORDED: dict[str, tuple[str, Message]] = {
    "transaction": (
        "42000000000152cd08000303d0453bc72a000002d8",
        Begin(commit_lsn=22_203_656, commit_us=1_795_302_779_758_378, xid=728),
    ),
    "commit": (
        "43000000000001528be00000000001528c10000303d06e94aa47",
        Commit(commit_lsn=22_186_976, end_lsn=22_187_024),
    ),
    "relation with a key": (
        "52000040007075626c69630074006400030169640000000017ffffffff00610000000019ffffffff00620000000019ffffffff",
        Relation(16384, "public", "t", "d", (Column("id", 23, True), Column("a", 25, False), Column("b", 25, False))),
    ),
    "insert": ("49000040004e00037400000001317400000002c3a96e", Insert(16384, ("1", "é", None))),
    "update with the old row": (OLD_ROW, Update(16384, ("1", "é", "xxx"), ("1", "é", None), True)),
    "update of which a large value is not sent": (
        "55000040004e000374000000013174000000017175",
        Update(16384, ("1", "q", UNCHANGED), None, False),
    ),
    "update of the key": (
        "55000040004b00037400000001316e6e4e000374000000013274000000017175",
        Update(16384, ("2", "q", UNCHANGED), ("1", None, None), False),
    ),
    "delete of which the key is known": (
        "44000040004b00037400000001326e6e",
        Delete(16384, ("2", None, None), False),
    ),
    "truncate": ("54000000010000004000", Truncate((16384,))),
}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_message_is_read(name: str) -> None:
    written, message = RECORDED[name]
    assert decode(bytes.fromhex(written)) == message


def test_what_says_nothing_of_rows_is_none() -> None:
    assert decode(bytes.fromhex("59000040017075626c6963006d6f6f6400")) is None


@pytest.mark.parametrize("length", range(1, 46, 5))
def test_a_message_that_was_cut_off_is_refused(length: int) -> None:
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(OLD_ROW)[:length])


@pytest.mark.parametrize("text", ["", "5a00", "4900000001", "490000000158", "49000000014e000178"])
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(text))


def test_places_in_the_log_are_written_as_postgres_does() -> None:
    assert pgoutput.lsn_text(0x16_0000_ABCD) == "16/ABCD"
    assert pgoutput.lsn_number("16/ABCD") == 0x16_0000_ABCD
