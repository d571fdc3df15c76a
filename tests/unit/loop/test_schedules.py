"""When schedules are due: forms, time zones, changes of the clock, jitter."""

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botyard.loop.schedules import following, parse

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str, zone: ZoneInfo = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def after(when: str, text: str, zone: ZoneInfo = BERLIN, count: int = 1) -> list[str]:
    """The next moments, on the clock of `zone`."""
    moment, found = ms(text, zone), []
    for _ in range(count):
        moment = following(parse(when), moment, zone, "seed")
        found.append(datetime.fromtimestamp(moment / 1000, zone).strftime("%Y-%m-%d %H:%M"))
    return found


def test_weekdays_are_due_at_their_time_on_their_days() -> None:
    assert after("WEEKDAYS:MO:FR/10:30", "2026-01-01 00:00", count=4) == [
        "2026-01-02 10:30",
        "2026-01-05 10:30",
        "2026-01-09 10:30",
        "2026-01-12 10:30",
    ]


def test_the_moment_itself_is_not_due_again() -> None:
    assert after("WEEKDAYS:MO/10:30", "2026-01-05 10:30") == ["2026-01-12 10:30"]
    assert after("WEEKDAYS:MO/10:30", "2026-01-05 10:29") == ["2026-01-05 10:30"]


def test_a_day_of_the_month_is_its_last_one_where_the_month_is_shorter() -> None:
    assert after("MONTHDAY:31/08:30", "2026-01-31 09:00", count=3) == [
        "2026-02-28 08:30",
        "2026-03-31 08:30",
        "2026-04-30 08:30",
    ]


@pytest.mark.parametrize(
    ("when", "first", "second"),
    [
        ("MONTHDAY:-1/23:59", "2028-02-29 23:59", "2028-03-31 23:59"),
        ("MONTHDAY:-31/00:00", "2028-03-01 00:00", "2028-04-01 00:00"),
        ("MONTHDAY:1/00:00", "2028-03-01 00:00", "2028-04-01 00:00"),
    ],
)
def test_days_are_counted_from_either_end_of_the_month(when: str, first: str, second: str) -> None:
    assert after(when, "2028-02-10 12:00", count=2) == [first, second]


def test_a_time_that_the_clock_skips_is_as_much_later() -> None:
    # 2026-03-29 02:00 → 03:00
    assert after("WEEKDAYS:SU/02:30", "2026-03-28 12:00", count=2) == ["2026-03-29 03:30", "2026-04-05 02:30"]


def test_a_time_that_the_clock_shows_twice_is_due_once_the_first_time() -> None:
    # 2026-10-25 03:00 → 02:00
    found = following(parse("WEEKDAYS:SU/02:30"), ms("2026-10-24 12:00"), BERLIN, "")
    assert found == ms("2026-10-25 00:30", ZoneInfo("UTC"))
    assert after("WEEKDAYS:SU/02:30", "2026-10-25 02:45") == ["2026-11-01 02:30"]


def test_time_zones_differ_and_so_do_moments() -> None:
    start = ms("2026-07-01 00:00", ZoneInfo("UTC"))
    moments = {
        name: following(parse("WEEKDAYS:WE/09:00"), start, ZoneInfo(name), "")
        for name in ("Asia/Tokyo", "Europe/Berlin", "America/New_York")
    }
    hours = [(moment - start) // 3_600_000 for moment in moments.values()]
    assert hours == [7 * 24, 7, 13]


def test_periods_are_spread_by_their_seed_and_never_drift() -> None:
    rule, start = parse("EVERY:5m"), ms("2026-01-01 00:00")
    first = {seed: following(rule, start, BERLIN, seed) for seed in map(str, range(500))}
    assert len({moment % 300_000 // 60_000 for moment in first.values()}) == 5
    for seed, moment in list(first.items())[:20]:
        assert following(rule, moment, BERLIN, seed) == moment + 300_000
        # However late it was looked at.
        assert following(rule, moment + 299_999, BERLIN, seed) == moment + 300_000


def test_periods_do_not_know_the_clocks_of_people() -> None:
    found = [following(parse("EVERY:1h"), ms("2026-03-29 00:10") + n * 3_600_000, BERLIN, "") for n in range(5)]
    assert {later - earlier for earlier, later in pairwise(found)} == {3_600_000}


@given(
    when=st.sampled_from(["EVERY:7m", "EVERY:3h", "WEEKDAYS:TU:SA/02:30", "MONTHDAY:30/00:00", "MONTHDAY:-2/03:15"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia"]),
    moment=st.integers(0, 4_000_000_000_000),
)
def test_the_next_moment_is_later_and_soon(when: str, zone: str, moment: int) -> None:
    found = following(parse(when), moment, ZoneInfo(zone), "seed")
    assert moment < found <= moment + timedelta(days=63).total_seconds() * 1000
    assert following(parse(when), found - 1, ZoneInfo(zone), "seed") == found


@pytest.mark.parametrize(
    "when",
    [
        "",
        "EVERY:0m",
        "EVERY:5",
        "EVERY:5s",
        "EVERY:-5m",
        "WEEKDAYS:/09:00",
        "WEEKDAYS:MO:XX/09:00",
        "WEEKDAYS:MO/9:00",
        "WEEKDAYS:MO/24:00",
        "MONTHDAY:0/09:00",
        "MONTHDAY:32/09:00",
        "MONTHDAY:1/09:60",
        "every:5m",
        "EVERY:5m ",
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(when: str) -> None:
    with pytest.raises(ValueError, match="write EVERY:5m"):
        parse(when)
