"""How states are stored: JSON, compressed above a size, told apart by the first byte."""

import json
import zlib
from collections.abc import Mapping
from typing import Any

COMPRESS_ABOVE = 2048
"""Bytes of JSON from which compression pays (measured on chat states: half the size from about here)."""
_PLAIN = b"j"
_DEFLATED = b"z"


def _text(state: Mapping[str, Any]) -> bytes:
    return json.dumps(state, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def size(state: Mapping[str, Any]) -> int:
    """Return the bytes of `state` as JSON.

    Raises:
        TypeError, ValueError: As for `encode`.
    """
    return len(_text(state))


def encode(state: Mapping[str, Any]) -> bytes:
    """Return the stored form of `state`.

    Raises:
        TypeError: `state` holds something that JSON cannot express.
        ValueError: `state` holds NaN, an infinity or a circular reference.
    """
    text = _text(state)
    if len(text) > COMPRESS_ABOVE:
        return _DEFLATED + zlib.compress(text, 1)
    return _PLAIN + text


def decode(stored: bytes) -> dict[str, Any]:
    """Return the state that `encode` stored.

    Raises:
        ValueError: `stored` was not written by `encode`.
    """
    kind, body = stored[:1], stored[1:]
    if kind == _DEFLATED:
        try:
            body = zlib.decompress(body)
        except zlib.error as error:
            raise ValueError(f"a compressed state is damaged: {error}") from error
    elif kind != _PLAIN:
        raise ValueError(f"unknown state encoding {kind!r}")
    state = json.loads(body)
    if not isinstance(state, dict):
        raise ValueError("a stored state must be a JSON object")
    return state
