"""What a Debezium Server (2.7.3, PostgreSQL 15, precise decimals) wrote of one row's life, as it was recorded.

`compact_schema.json` with schemas, `extended_bare.json` without; None is its tombstone. The row was added, renamed from
a to b, and deleted.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from botyard.erp.changes import Change
from botyard.erp.debezium import is_envelope, read

FOLDER = Path(__file__).parent / "debezium_server"
ROW = {
    "id": 2,
    "name": "a",
    "price": "5.10",
    "exact": "12345678901234567890.123456789",
    "weight": 0.1,
    "vip": True,
    "since": "2026-03-29T00:30:00.000000Z",
    "local": "2026-03-29T02:30:00.500000",
    "day": "2026-02-28",
    "hour": "10:00:00",
    "span": 86_400_000_000,
    "tags": ["a", "b"],
    "prices": ["1.1", "2"],
    "details": {"a": [1, 2.5]},
    "image": "AP8=",
    "uid": "5f0c6e3a-0000-4000-8000-000000000001",
}


def recorded(name: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def changes(name: str) -> list[Change]:
    found = [read(document, "machine") for document in recorded(name)["machine"] if document is not None]
    return [change for change in found if change is not None]


def test_with_its_schema_a_row_s_life_is_told_exactly() -> None:
    added, renamed, deleted = changes("compact_schema")
    assert (added.action, added.old, added.new) == ("INSERT", None, ROW)
    assert (renamed.action, renamed.old, renamed.new) == ("UPDATE", ROW, {**ROW, "name": "b"})
    assert (deleted.action, deleted.old, deleted.new) == ("DELETE", {**ROW, "name": "b"}, None)


def test_each_change_has_an_id_of_its_own() -> None:
    for name in ("compact_schema", "extended_bare"):
        ids = [change.id for change in changes(name)]
        assert None not in ids
        assert len(set(ids)) == 3


def test_without_schemas_texts_numbers_and_truths_are_right() -> None:
    added, renamed, _ = changes("extended_bare")
    assert added.new is not None
    assert renamed.new is not None
    assert {name: added.new[name] for name in ("id", "name", "weight", "vip", "since", "tags", "uid")} == {
        name: ROW[name] for name in ("id", "name", "weight", "vip", "since", "tags", "uid")
    }
    assert renamed.new["name"] == "b"


@pytest.mark.parametrize("name", ["compact_schema", "extended_bare"])
@pytest.mark.parametrize("kind", ["heartbeat", "transaction"])
def test_heartbeats_and_transactions_are_passed_over(name: str, kind: str) -> None:
    for document in recorded(name)[kind]:
        assert is_envelope(document)
        assert read(document, "machine") is None
