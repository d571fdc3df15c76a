"""What columns of days make of what a database sent."""

import datetime as dt

import pytest

from botyard.loop.erp_tables.casts import cast_of


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-01-01", dt.date(2024, 1, 1)),
        ("2024-01-01T10:00:00Z", dt.date(2024, 1, 1)),
        ("0044-03-15 BC", "0044-03-15 BC"),
        ("infinity", "infinity"),
    ],
)
def test_a_day_is_read(text: str, day: dt.date | str) -> None:
    cast = cast_of(dt.date)
    assert cast is not None
    assert cast(text) == day


def test_what_is_more_than_a_day_is_refused() -> None:
    cast = cast_of(dt.date)
    assert cast is not None
    with pytest.raises(ValueError, match="is no day"):
        cast("2024-01-01garbage")
