"""Days and hours of accounts: without a gap, without an overlap, whatever a time zone does."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from botyard.budget.accounts import HOUR_MS, Calendar, Window
from botyard.budget.reports import today


def ms(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def hours(window: Window) -> float:
    return (window.end_ms - window.start_ms) / HOUR_MS


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("Europe/Berlin", "2026-03-28", 24),
        ("Europe/Berlin", "2026-03-29", 23),
        ("Europe/Berlin", "2026-10-25", 25),
        ("America/New_York", "2026-03-08", 23),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Africa/Cairo", "2026-04-24", 23),
        ("UTC", "2026-03-29", 24),
    ],
    ids=str,
)
def test_a_day_has_the_hours_that_its_time_zone_gives_it(zone: str, day: str, length: float) -> None:
    window = today(zone, ms(f"{day}T12:00", zone))
    assert (window.name, hours(window)) == (day, length)


def test_where_midnight_is_skipped_the_day_begins_with_the_change() -> None:
    """In Cairo the clock goes from 24:00 of the 23rd to 01:00 of the 24th."""
    change = datetime(2026, 4, 23, 22, tzinfo=UTC)
    before, after = today("Africa/Cairo", _at(change) - 1), today("Africa/Cairo", _at(change))
    assert (before.name, after.name) == ("2026-04-23", "2026-04-24")
    assert before.end_ms == after.start_ms == _at(change)


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana"]
)
def test_days_follow_each_other_over_years_without_a_gap(zone: str) -> None:
    at, end = ms("2024-01-01T12:00"), ms("2027-01-01T00:00")
    window = today(zone, at)
    while window.end_ms < end:
        following = today(zone, window.end_ms)
        assert following.start_ms == window.end_ms
        assert today(zone, window.end_ms - 1) == window
        assert following.name > window.name
        window = following


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "UTC", "America/St_Johns"])
def test_a_day_begins_at_its_midnight_also_within_an_hour_of_utc(zone: str) -> None:
    midnight = ms("2026-06-01T00:00", zone)
    assert today(zone, midnight).name == "2026-06-01"
    assert today(zone, midnight + 60_000).name == "2026-06-01"
    assert today(zone, midnight - 1).name == "2026-05-31"


def test_a_time_is_in_one_of_three_windows_wherever_it_is() -> None:
    for zone in ("Asia/Kathmandu", "Europe/Berlin"):
        for step in range(48 * 4):
            now = ms("2026-10-24T00:00") + step * 15 * 60_000
            windows = Calendar(zone).around(now)
            assert sum(window.start_ms <= now < window.end_ms for window in windows) == 1
            assert windows[0].end_ms == windows[1].start_ms
            assert windows[1].end_ms == windows[2].start_ms


def test_hours_are_those_of_utc() -> None:
    before, now, after = Calendar(hours=True).around(ms("2026-11-21T13:59:59"))
    assert (before.name, now.name, after.name) == ("2026-11-21T12", "2026-11-21T13", "2026-11-21T14")
    assert now.end_ms - now.start_ms == timedelta(hours=1) / timedelta(milliseconds=1)


def test_a_time_zone_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match="there is no time zone 'Mars/Olympus': write an IANA name"):
        today("Mars/Olympus", 0)


def _at(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "names"),
    [
        (datetime(2026, 1, 31, 23, tzinfo=UTC), ["2025-12", "2026-01", "2026-02"]),
        (datetime(2028, 2, 29, tzinfo=UTC), ["2028-01", "2028-02", "2028-03"]),
        (datetime(2026, 12, 1, tzinfo=UTC), ["2026-11", "2026-12", "2027-01"]),
    ],
)
def test_months_follow_each_other_without_a_gap(now: datetime, names: list[str]) -> None:
    before, month, after = Calendar(months=True).around(int(now.timestamp() * 1000))
    assert [before.name, month.name, after.name] == names
    assert (before.end_ms, month.end_ms) == (month.start_ms, after.start_ms)
    assert month.start_ms <= now.timestamp() * 1000 < month.end_ms
