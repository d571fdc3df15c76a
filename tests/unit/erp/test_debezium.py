"""Envelopes of Debezium, with their schema and without."""

from typing import Any

import pytest

from botyard.erp import debezium
from botyard.erp.debezium import EnvelopeError, is_envelope, read

SOURCE = {
    "connector": "postgresql",
    "db": "erp",
    "schema": "public",
    "table": "crm_contact",
    "lsn": 24023128,
    "txId": 555,
}


def envelope(op: str, before: Any = None, after: Any = None, **source: Any) -> dict[str, Any]:
    return {"before": before, "after": after, "source": {**SOURCE, **source}, "op": op, "ts_ms": 1}


@pytest.mark.parametrize(
    ("op", "before", "after", "action"),
    [
        ("c", None, {"contact_id": "1"}, "INSERT"),
        ("r", None, {"contact_id": "1"}, "INSERT"),
        ("u", {"contact_id": "1"}, {"contact_id": "1"}, "UPDATE"),
        ("u", None, {"contact_id": "1"}, "UPDATE"),
        ("d", {"contact_id": "1"}, None, "DELETE"),
    ],
)
def test_an_envelope_tells_of_a_change(op: str, before: Any, after: Any, action: str) -> None:
    change = read(envelope(op, before, after), "crm_contact")
    assert change is not None
    assert (change.action, change.old, change.new) == (action, before, after)


def test_with_its_schema_it_is_the_same() -> None:
    plain = envelope("c", None, {"contact_id": "1"})
    assert read({"schema": {"type": "struct"}, "payload": plain}, "crm_contact") == read(plain, "crm_contact")


def test_one_place_in_the_log_is_one_change() -> None:
    first, again = (read(envelope("c", None, {"a": 1}), "crm_contact") for _ in range(2))
    other = read(envelope("c", None, {"a": 1}, lsn=24023129), "crm_contact")
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.id == again.id
    assert str(first.id).startswith("erp:24023128:555:c:")
    assert other.id != first.id


def test_changes_of_one_place_are_told_apart() -> None:
    """Rows of a COPY, and the two halves of a changed primary key."""
    found = [
        read(envelope("c", None, {"a": 1}), "crm_contact"),
        read(envelope("c", None, {"a": 2}), "crm_contact"),
        read(envelope("d", {"a": 1}, None), "crm_contact"),
    ]
    assert len({change.id for change in found if change}) == 3


def test_a_name_that_no_id_may_have_is_hashed() -> None:
    long, odd = (read(envelope("c", None, {"a": 1}, db=db), "crm_contact") for db in ("x" * 63, "müll db"))
    assert long is not None
    assert odd is not None
    assert long.id != odd.id


def test_rows_of_a_snapshot_have_no_place_of_their_own() -> None:
    change = read(envelope("r", None, {"a": 1}), "crm_contact")
    assert change is not None
    assert change.id is None


@pytest.mark.parametrize("document", [envelope("m"), envelope("t"), {"schema": {}, "payload": None}])
def test_what_is_no_change_of_a_row_is_passed_over(document: dict[str, Any]) -> None:
    assert is_envelope(document)
    assert read(document, "crm_contact") is None


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (envelope("x"), "op is 'x'"),
        (envelope("c", None, {"a": 1}, table="crm_deal"), "of the table 'crm_deal'"),
        (envelope("c", None, "row"), "row new is no object"),
        (envelope("c"), "INSERT needs `new`"),
        (envelope("d"), "DELETE needs `old`"),
        ({"payload": {"op": "c", "source": 5}}, "source is no object"),
    ],
)
def test_a_malformed_envelope_is_refused(document: dict[str, Any], says: str) -> None:
    with pytest.raises(EnvelopeError, match=says):
        read(document, "crm_contact")


def test_a_change_of_our_own_is_no_envelope() -> None:
    assert not debezium.is_envelope({"action": "INSERT", "new": {"op": "c"}})
    assert not debezium.is_envelope([1])
