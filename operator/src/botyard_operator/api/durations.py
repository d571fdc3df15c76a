"""Durations as Go and the API server write them: `30s`, `1m`, `1h30m`, `24h`."""

import re
from datetime import timedelta
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from botyard_operator.api.rules import Rule

# Bounded digits: the sum of all parts stays below what Go's durations, and so CEL's, can hold (292 years).
_REGEX = r"([0-9]{1,5}(\.[0-9]{1,3})?(ms|s|m|h)){1,4}"
_WHOLE = re.compile(_REGEX)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class DurationText(str):
    """The text of a duration that knows its length."""

    __slots__ = ()

    @property
    def seconds(self) -> float:
        """The duration in seconds.

        Raises:
            ValueError: The text is no duration; never for a value that a model holds.
        """
        return parse_duration(self)

    @property
    def timedelta(self) -> timedelta:
        """The duration as a timedelta; raises as `seconds` does."""
        return timedelta(seconds=self.seconds)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(max_length=32))


def duration_between(shortest: str, longest: str) -> Rule:
    """Return a rule that a text is a duration within these bounds, both included."""
    low, high = parse_duration(shortest), parse_duration(longest)
    return Rule(
        cel=f"self.matches(r'^{_REGEX}$') && duration(self) >= duration('{shortest}') "
        f"&& duration(self) <= duration('{longest}')",
        message=f"write a duration from {shortest} to {longest}, such as 30s, 1m30s or 2h (units ms, s, m, h)",
        holds=lambda text: _WHOLE.fullmatch(text) is not None and low <= parse_duration(text) <= high,
    )


def parse_duration(text: str) -> float:
    """Return the duration in seconds.

    Args:
        text: A duration such as `1h30m`; the units are `ms`, `s`, `m` and `h`.

    Raises:
        ValueError: `text` is no duration; the message says how one is written.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is no duration; write for instance 30s, 1m, 1h30m or 24h")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
