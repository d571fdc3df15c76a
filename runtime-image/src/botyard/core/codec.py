"""How states and records are stored: JSON, compressed above a size, told apart by the first byte."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

COMPRESS_ABOVE = 2048
"""Bytes of JSON from which compression pays (measured on chat states: half the size from about here)."""
_PLAIN = b"j"
_DEFLATED = b"z"


def _text(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def value_size(value: Any) -> int:
    """Return the bytes of `value` as JSON.

    Raises:
        TypeError, ValueError: As for `encode_value`.
    """
    return len(_text(value))


def size(state: Mapping[str, Any]) -> int:
    """Return the bytes of `state` as JSON.

    Raises:
        TypeError, ValueError: As for `encode`.
    """
    return value_size(state)


def encode_value(value: Any) -> bytes:
    """Return the stored form of `value`.

    Raises:
        TypeError: `value` holds something that JSON cannot express.
        ValueError: `value` holds NaN, an infinity or a circular reference.
    """
    text = _text(value)
    if len(text) > COMPRESS_ABOVE:
        return _DEFLATED + zlib.compress(text, 1)
    return _PLAIN + text


def encode(state: Mapping[str, Any]) -> bytes:
    """Return the stored form of `state`.

    Raises:
        TypeError, ValueError: As for `encode_value`.
    """
    return encode_value(state)


def decode_value(stored: bytes) -> Any:
    """Return the value that `encode_value` stored.

    Raises:
        ValueError: `stored` was not written by it.
    """
    kind, body = stored[:1], stored[1:]
    if kind == _DEFLATED:
        try:
            body = zlib.decompress(body)
        except zlib.error as error:
            raise ValueError(f"a compressed state is damaged: {error}") from error
    elif kind != _PLAIN:
        raise ValueError(f"unknown state encoding {kind!r}")
    return json.loads(body)


def decode(stored: bytes) -> dict[str, Any]:
    """Return the state that `encode` stored.

    Raises:
        ValueError: `stored` was not written by `encode`.
    """
    state = decode_value(stored)
    if not isinstance(state, dict):
        raise ValueError("a stored state must be a JSON object")
    return state
