"""Accounts of the ledger: what they are called, and which day or hour they count. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

HOUR_MS = 3_600_000


class Unit(StrEnum):
    """What an account counts, and what a settled call leaves in it."""

    COINS = "c"
    """Microdollars: what the call cost."""
    TOKENS = "t"
    """Tokens: what the call used."""
    REQUESTS = "r"
    """One for each."""
    SLOTS = "s"
    """One while it is under way, nothing afterwards."""


@dataclass(frozen=True, slots=True)
class Window:
    """One day or hour."""

    name: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """How time is cut: into days of a time zone, or hours or months of UTC."""

    zone: str = "UTC"
    hours: bool = False
    months: bool = False

    def around(self, now_ms: int) -> tuple[Window, Window, Window]:
        """Return three windows that follow each other, with a time in one of them.

        Which one that is, Redis' clock says. They follow each other without a gap, also where a day has 23 or 25 hours.

        Raises:
            ValueError: The time zone does not exist.
        """
        return _around(self, now_ms // HOUR_MS)


@lru_cache(maxsize=256)
def _around(calendar: Calendar, hour: int) -> tuple[Window, Window, Window]:
    if calendar.hours:
        before, now, after = (_hour(hour + step) for step in (-1, 0, 1))
        return before, now, after
    if calendar.months:
        first = datetime.fromtimestamp(hour * 3600, UTC).date().replace(day=1)
        before, now, after = _month(first - timedelta(days=1)), _month(first), _month(first + timedelta(days=31))
        return before, now, after
    zone = time_zone(calendar.zone)
    today = datetime.fromtimestamp(hour * 3600, zone).date()
    before, now, after = (_day(today + timedelta(days=step), zone) for step in (-1, 0, 1))
    return before, now, after


def _hour(number: int) -> Window:
    name = datetime.fromtimestamp(number * 3600, UTC).strftime("%Y-%m-%dT%H")
    return Window(name, number * HOUR_MS, (number + 1) * HOUR_MS)


def _month(day: date) -> Window:
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    utc = time_zone("UTC")
    return Window(f"{first:%Y-%m}", _midnight(first, utc), _midnight(following, utc))


def _day(day: date, zone: ZoneInfo) -> Window:
    return Window(day.isoformat(), _midnight(day, zone), _midnight(day + timedelta(days=1), zone))


def _midnight(day: date, zone: ZoneInfo) -> int:
    """Return when a day begins; where its midnight is skipped, that is the moment of the change."""
    return int(datetime.combine(day, time(), zone).timestamp() * 1000)


def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        ValueError: There is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"there is no time zone {name!r}: write an IANA name such as Europe/Berlin") from None


@dataclass(frozen=True, slots=True)
class Charge:
    """One account that a call is counted in."""

    account: str
    unit: Unit
    limit: int | None = None
    """Most that may be spent; None: without a limit."""
    enforced: bool = True
    """Whether a call that does not fit is refused; otherwise it is only told."""
    calendar: Calendar | None = None
    """How often the account begins anew; None: never."""
    lasting: bool = False
    """What was paid for ahead: it is not forgotten when it is not used."""


BOT = "bot"


def persona(name: str) -> str:
    """Account of all that a Persona spends."""
    return f"persona:{name}"


def task(persona_name: str, task_id: str) -> str:
    """Account of one task."""
    return f"task:{persona_name}/{task_id}"


def thread(persona_name: str, thread_id: str) -> str:
    """Account of one thread, or of one conversation where no Persona is spoken with."""
    return f"thread:{persona_name}/{thread_id}"


def user(name: str, what: str) -> str:
    """Account of one user: `requests`, `tokens` or `turns`."""
    return f"user-{what}:{name}"


def quota(name: str, what: str) -> str:
    """The same, of the quotas that a bundle declares."""
    return f"quota-{what}:{name}"


def provider(name: str) -> str:
    """Account of what calls of one provider cost, where a bundle declares a budget for it."""
    return f"provider:{name}"


def credit(name: str) -> str:
    """Account of the tokens that a user has paid for, which have no end but their number."""
    return f"credit:{name}"
