"""The days on which the workshop takes bicycles."""

from datetime import date, timedelta

_SUNDAY = 6


def next_days(today: date, count: int = 3) -> list[str]:
    """Return the next working days after today, as ISO dates; the workshop is closed on Sundays."""
    days: list[str] = []
    day = today
    while len(days) < count:
        day += timedelta(days=1)
        if day.weekday() != _SUNDAY:
            days.append(day.isoformat())
    return days
