"""From messages to changes with places."""

import pytest

from botyard.connector.pgoutput import (
    UNCHANGED,
    Begin,
    Column,
    Commit,
    DecodeError,
    Delete,
    Insert,
    Relation,
    Truncate,
    Update,
)
from botyard.connector.transactions import Told, Transactions, place
from botyard.connector.values import Converters

CONTACT = Relation(1, "public", "crm_contact", "f", (Column("contact_id", 25, True), Column("notes", 25, True)))
LOG = Relation(2, "public", "log", "d", (Column("id", 23, True),))


def read(*messages: object, skips: int = 0) -> Told:
    transactions = Transactions(
        1, {("public", "crm_contact"): "crm_contact"}, Converters(), skips=lambda begin: begin.xid == skips
    )
    told = Told()
    for message in messages:
        transactions.take(message, told)  # type: ignore[arg-type]
    return told


def test_changes_have_places_that_sort_as_the_log_does() -> None:
    row = ("1", None)
    told = read(
        CONTACT, LOG, Begin(9, 5, 1), Insert(1, row), Insert(2, ("7",)), Delete(1, row, True), Commit(9, 10),
        Begin(0x100, 6, 2), Insert(1, row), Commit(0x100, 0x110),
    )  # fmt: skip
    places = [each.place for each in told.changes]
    assert places == [place(1, 9, 0), place(1, 9, 2), place(1, 0x100, 0)] == sorted(places)
    assert place(1, 2**63, 5) < place(2, 0, 0)
    assert told.confirmable == 0x110
    assert [each.commit_us for each in told.changes] == [5, 5, 6]


def test_nothing_is_confirmable_within_a_transaction() -> None:
    assert read(CONTACT, Begin(9, 5, 1), Insert(1, ("1", None))).confirmable == 0


def test_a_value_that_was_not_sent_comes_from_the_old_row() -> None:
    told = read(CONTACT, Begin(9, 5, 1), Update(1, ("1", UNCHANGED), ("1", "long"), True))
    assert told.changes[0].change.new == {"contact_id": "1", "notes": "long"}
    told = read(CONTACT, Begin(9, 5, 1), Update(1, ("1", UNCHANGED), None, False))
    assert (told.changes[0].change.new, told.changes[0].unchanged) == ({"contact_id": "1"}, ("notes",))


def test_a_transaction_that_is_known_is_skipped() -> None:
    told = read(CONTACT, Begin(9, 5, 7), Insert(1, ("1", None)), Truncate((1,)), Commit(9, 10), skips=7)
    assert (told.changes, told.truncated, told.confirmable) == ([], [], 10)


def test_truncated_tables_are_told() -> None:
    assert read(CONTACT, LOG, Begin(9, 5, 1), Truncate((1, 2))).truncated == ["crm_contact"]


@pytest.mark.parametrize("message", [Insert(1, ("1", None)), Delete(7, ("1",), True)])
def test_a_row_that_belongs_nowhere_is_refused(message: object) -> None:
    with pytest.raises(DecodeError):
        read(*([] if isinstance(message, Insert) else [Begin(9, 5, 1)]), message)
