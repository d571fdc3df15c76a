"""PostgreSQL's texts as what JSON can hold, in the form in which changes come over HTTP, too.

| Type | Becomes |
|---|---|
| smallint, integer, bigint, oid | number |
| real, double precision | number; NaN and the infinities stay texts |
| numeric, money | text as it is written, so that no digit is lost |
| boolean | true, false |
| json, jsonb | what it holds |
| date, time, timestamp | ISO 8601 text; with a time zone in UTC |
| bytea | base64 text |
| arrays | list, of the element's form |
| all others (text, uuid, enums, ranges, …) | text as it is written |
"""

import base64
import json
import math
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 100
"""Levels of a JSON document; one with more stays a text."""
Convert = Callable[[str], Any]


def _boolean(text: str) -> bool:
    return text in ("t", "true")


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _bytes(text: str) -> str:
    """Read `bytea_output = hex`; the older form `escape` stays as it is."""
    return base64.b64encode(bytes.fromhex(text[2:])).decode() if text.startswith("\\x") else text


def _time(text: str) -> str:
    """Write a `timestamp` of the style ISO as ISO 8601: a T between, and minutes in the zone. Infinity stays."""
    day, blank, rest = text.partition(" ")
    if not blank or rest.endswith("BC"):
        return text
    return f"{day}T{_zone(rest)}"


def _zone(text: str) -> str:
    return f"{text}:00" if text[-3:-2] in ("+", "-") else text


def _json(text: str) -> Any:
    try:
        value = json.loads(text, parse_float=_finite)
        if "\\ud" in text.lower():
            # Half of a pair of surrogates has no form in UTF-8.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        # PostgreSQL takes numbers, texts and depths that others do not.
        return text
    return text if _is_deep(value) else value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large")
    return number


def _is_deep(value: Any) -> bool:
    """Tell whether a document has more than `MAX_DEPTH` levels."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [each for each in level if isinstance(each, dict | list)]
        if not level:
            return False
        level = [item for each in level for item in (each.values() if isinstance(each, dict) else each)]
    return True


_SCALARS: dict[int, Convert] = {
    16: _boolean,
    17: _bytes,
    20: int,
    21: int,
    23: int,
    26: int,
    114: _json,
    3802: _json,
    700: _float,
    701: _float,
    1114: _time,
    1184: _time,
    1266: _zone,
}
"""By the oid of the type; what is not here stays a text."""
_ARRAYS: dict[int, int] = {
    1000: 16,
    1001: 17,
    1005: 21,
    1007: 23,
    1016: 20,
    1028: 26,
    199: 114,
    3807: 3802,
    1021: 700,
    1022: 701,
    1115: 1114,
    1185: 1184,
    1270: 1266,
    1231: 1700,
    1182: 1082,
    1183: 1083,
    1009: 25,
    1015: 1043,
    1014: 1042,
    2951: 2950,
    1003: 19,
    1041: 869,
    651: 650,
    1187: 1186,
}
"""Arrays of PostgreSQL's own types by oid → oid of their elements."""
FIRST_OWN_OID = 16384
"""Types from here on are made in the database; what they are, only its catalog tells."""


class Converters:
    """How the values of each type are read; learns of the database's own types."""

    def __init__(self) -> None:
        self._known: dict[int, Convert | None] = dict(_SCALARS)
        for array, element in _ARRAYS.items():
            self._known[array] = _array(_SCALARS.get(element))

    def unknown(self, oids: set[int]) -> set[int]:
        """Return those of which only the catalog can tell what they are."""
        return {oid for oid in oids if oid >= FIRST_OWN_OID and oid not in self._known}

    def learn(self, oid: int, *, base: int = 0, element: int = 0) -> None:
        """Take what the catalog says of a type.

        Args:
            oid: The type.
            base: Of a domain, the type below it.
            element: Of an array, the type of its elements.
        """
        if element:
            self._known[oid] = _array(self.of(element))
        else:
            self._known[oid] = self.of(base) if base else None

    def of(self, oid: int) -> Convert | None:
        """Return what reads a text of a type; None: it stays as it is."""
        return self._known.get(oid)


def _array(element: Convert | None) -> Convert:
    return lambda text: parse_array(text, element)


def parse_array(text: str, element: Convert | None) -> Any:
    """Return the list that PostgreSQL wrote as `{1,NULL,"a b"}`, nested as it is.

    Args:
        text: The text; bounds before it (`[0:1]={…}`) are left out.
        element: What reads an element; None: a text.

    Raises:
        ValueError: It is no array.
    """
    start = text.find("{")
    if start < 0:
        raise ValueError(f"{text[:40]!r} is no array")
    found, end = _list(text, start + 1, element)
    if end != len(text):
        raise ValueError("an array ends before its text")
    return found


def _list(text: str, place: int, element: Convert | None) -> tuple[list[Any], int]:
    found: list[Any] = []
    if text[place : place + 1] == "}":
        return found, place + 1
    while True:
        if text[place : place + 1] == "{":
            inner, place = _list(text, place + 1, element)
            found.append(inner)
        else:
            value, place = _item(text, place)
            found.append(element(value) if element is not None and value is not None else value)
        following = text[place : place + 1]
        if following == "}":
            return found, place + 1
        if following != ",":
            raise ValueError("an array has no end")
        place += 1


def _item(text: str, place: int) -> tuple[str | None, int]:
    if text[place : place + 1] != '"':
        end = place
        while end < len(text) and text[end] not in ",}":
            end += 1
        plain = text[place:end]
        return (None if plain == "NULL" else plain.replace("\\", "")), end
    written: list[str] = []
    place += 1
    while place < len(text):
        character = text[place]
        if character == '"':
            return "".join(written), place + 1
        if character == "\\":
            place += 1
            character = text[place : place + 1]
        written.append(character)
        place += 1
    raise ValueError("a text in an array has no end")
