"""Changes of rows: which there can be, and when an UPDATE archives."""

from typing import Any

import pytest
from pydantic import ValidationError

from botyard.erp.changes import Change


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        ({"at": 0}, {"at": 1_700_000_000.5}, "ARCHIVE"),
        ({"at": None}, {"at": 5}, "ARCHIVE"),
        ({}, {"at": "5.5"}, "ARCHIVE"),
        ({"at": "0"}, {"at": "2026-03-01T00:00:00Z"}, "ARCHIVE"),
        ({"at": 5}, {"at": 6}, "UPDATE"),
        ({"at": 5}, {"at": 0}, "UPDATE"),
        ({"at": 0}, {"at": 0}, "UPDATE"),
        (None, {"at": 5}, "UPDATE"),
    ],
)
def test_an_update_that_sets_the_archive_column_is_an_archive(before: Any, after: Any, action: str) -> None:
    assert Change(action="UPDATE", new=after, old=before).told_apart("at").action == action


def test_a_table_without_an_archive_column_has_no_archives() -> None:
    change = Change(action="UPDATE", new={"at": 5}, old={"at": 0})
    assert change.told_apart("") is change


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"action": "DELETE", "new": {}}, "DELETE needs `old`"),
        ({"action": "INSERT", "old": {}}, "INSERT needs `new`"),
        ({"action": "MERGE", "new": {}}, "INSERT"),
        ({"action": "INSERT", "new": {}, "id": "a b"}, "pattern"),
        ({"action": "INSERT", "new": {}, "id": "x" * 129}, "128"),
        ({"action": "INSERT", "new": {}, "rows": []}, "Extra"),
    ],
)
def test_what_is_no_change_is_refused(fields: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Change.model_validate(fields)


def test_the_row_of_a_delete_is_the_one_that_is_gone() -> None:
    assert Change(action="DELETE", old={"a": 1}).row == {"a": 1}
    assert Change(action="UPDATE", old={"a": 1}, new={"a": 2}).row == {"a": 2}


def test_only_watched_columns_count() -> None:
    change = Change(action="UPDATE", old={"a": 1, "b": 1}, new={"a": 1, "b": 2})
    assert change.changed(("b",))
    assert not change.changed(("a",))
    assert not change.changed(("missing",))
    assert Change(action="UPDATE", new={"a": 1}).changed(("a",)), "an unknown row before may have been different"
