"""Values as JSON can express them."""

import base64
import dataclasses
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel

MAX_DEPTH = 64


class NotSerializable(TypeError):
    """An event or result holds something that JSON cannot express; the message says where and what."""


def plain(value: Any, place: str = "data") -> Any:
    """Return `value` made of dicts, lists, texts, numbers, booleans and None.

    Models and dataclasses become objects; times, paths and identifiers become texts; bytes become base64.

    Args:
        value: What a bundle gives.
        place: What it is called in an error.

    Raises:
        NotSerializable: Something else is in it, a number that is no number, or it is too deep (or in itself).
    """
    return _plain(value, place, 0)


def readable(text: str) -> str:
    """Return a text that can be encoded: half a surrogate pair, as a careless cut leaves it, becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _plain(value: Any, place: str, depth: int) -> Any:
    kind = type(value)
    if kind is str:
        return readable(value)
    if kind is int or kind is bool or value is None:
        return value
    if depth > MAX_DEPTH:
        raise NotSerializable(f"{place} is more than {MAX_DEPTH} levels deep, or contains itself")
    if kind is float or isinstance(value, float):
        if not math.isfinite(value):
            raise NotSerializable(f"{place} is {value}, which JSON cannot express")
        return float(value)
    if isinstance(value, Mapping):
        return {_key(key, place): _plain(member, f"{place}.{key}", depth + 1) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(member, f"{place}[{index}]", depth + 1) for index, member in enumerate(value)]
    return _other(value, place, depth)


def _key(key: Any, place: str) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str | int | float | bool | UUID) or key is None:
        return key if type(key) is str else str(key)
    raise NotSerializable(f"{place} has the key {key!r}; keys must be texts")


def _other(value: Any, place: str, depth: int) -> Any:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(), place, depth + 1)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _plain(members, place, depth + 1)
    if isinstance(value, Enum):
        return _plain(value.value, place, depth + 1)
    if isinstance(value, str):
        return readable(str(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, PurePath | UUID):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    raise NotSerializable(f"{place} is {_kind(value)}, which JSON cannot express")


def _kind(value: Any) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__}"
