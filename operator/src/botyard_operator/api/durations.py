"""Durations as Go and the API server write them: `30s`, `1m`, `1h30m`, `24h`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from botyard_operator.api.rules import matches

_REGEX = r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+"
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


Duration = Annotated[
    DurationText,
    Field(max_length=32),
    matches(_REGEX, "write a duration such as 30s, 1m, 1h30m or 24h (units ms, s, m, h)"),
]
"""A duration of a spec."""


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
