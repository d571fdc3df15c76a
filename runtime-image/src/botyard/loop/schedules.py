"""When work comes by the clock. Pure: a rule, a moment and a time zone give the next moment.

    EVERY:5m  EVERY:2h                     each period; when in it is different for each Persona, and always the same
    WEEKDAYS:MO:TU:WE:TH:FR/09:00          those days, at a time of the Persona's time zone
    MONTHDAY:1/08:30  MONTHDAY:-1/17:30    that day of each month, counted from its end where it is negative

Where the clock is put forward over the time, it is as much later; where it is put back, it is the first of the two. A
month that is shorter than the day has it on its last day.

Source: the schedules of the loop model's kit; what happens at changes of the clock and in short months is Botyard's.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
TYPES = ("SCHED_TASK_SORT", "SCHED_TODO", "SCHED_PICK_ONE", "SCHED_ANY")
_EVERY = re.compile(r"EVERY:([1-9][0-9]{0,4})([mh])")
_WEEKDAYS = re.compile(r"WEEKDAYS((?::(?:MO|TU|WE|TH|FR|SA|SU))+)/([01][0-9]|2[0-3]):([0-5][0-9])")
_MONTHDAY = re.compile(r"MONTHDAY:(-?(?:[1-9]|[12][0-9]|3[01]))/([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Every:
    """Each period."""

    period_ms: int


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Some days of each week; Monday is 0."""

    days: frozenset[int]
    at: time


@dataclass(frozen=True, slots=True)
class Monthday:
    """One day of each month; -1 is the last one."""

    day: int
    at: time


Rule = Every | Weekdays | Monthday


def parse(when: str) -> Rule:
    """Return the rule that a text says.

    Raises:
        ValueError: It says none; the message tells what to write.
    """
    if found := _EVERY.fullmatch(when):
        return Every(int(found[1]) * (60_000 if found[2] == "m" else 3_600_000))
    if found := _WEEKDAYS.fullmatch(when):
        days = frozenset(DAYS.index(day) for day in found[1].split(":") if day)
        return Weekdays(days, time(int(found[2]), int(found[3])))
    if found := _MONTHDAY.fullmatch(when):
        return Monthday(int(found[1]), time(int(found[2]), int(found[3])))
    raise ValueError(f"{when!r} is no time: write EVERY:5m, WEEKDAYS:MO:TU/09:00 or MONTHDAY:-1/08:30")


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        ValueError: There is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}: write an IANA name such as Europe/Berlin") from None


def following(rule: Rule, after_ms: int, zone: ZoneInfo, seed: str) -> int:
    """Return the first moment behind `after_ms` at which `rule` holds, in milliseconds since the epoch.

    Args:
        rule: When.
        after_ms: Milliseconds since the epoch.
        zone: Whose clock days and times go by.
        seed: Decides when in its period something happens, so that what is declared often does not happen at once.
    """
    if isinstance(rule, Every):
        shift = int.from_bytes(blake2b(seed.encode(), digest_size=8).digest(), "big") % rule.period_ms
        return ((after_ms - shift) // rule.period_ms + 1) * rule.period_ms + shift
    # A day before: what a change of the clock made later may still be to come.
    begin = datetime.fromtimestamp(after_ms / 1000, UTC).astimezone(zone).date() - timedelta(days=1)
    days = _weekdays(rule, begin) if isinstance(rule, Weekdays) else _monthdays(rule, begin)
    for day in days:
        # The first of two equal times, and behind a gap as far as the time lies in it: what fold=0 means.
        moment = int(datetime.combine(day, rule.at, zone).timestamp() * 1000)
        if moment > after_ms:
            return moment
    raise AssertionError("unreachable: days go on for ever")


def _weekdays(rule: Weekdays, begin: date) -> Iterator[date]:
    day = begin
    while True:
        if day.weekday() in rule.days:
            yield day
        day += timedelta(days=1)


def _monthdays(rule: Monthday, begin: date) -> Iterator[date]:
    year, month = begin.year, begin.month
    while True:
        last = calendar.monthrange(year, month)[1]
        day = min(rule.day, last) if rule.day > 0 else max(1, last + 1 + rule.day)
        yield date(year, month, day)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
