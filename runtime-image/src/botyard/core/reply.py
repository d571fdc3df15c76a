"""What Redis answers, with the types that this package relies on (it never asks Redis to decode)."""

from typing import Any


def text(value: Any) -> str:
    """Return a bulk string as text.

    Raises:
        TypeError: It is not a bulk string.
    """
    if not isinstance(value, bytes):
        raise TypeError(f"expected a bulk string, got {type(value).__name__}")
    return value.decode()
