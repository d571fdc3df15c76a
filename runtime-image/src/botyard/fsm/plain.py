"""Plain JSON data: what may be saved and sent."""

import math
from typing import Any

from botyard.fsm.errors import VariableError

MAX_DEPTH = 200
"""Containers inside containers."""


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """Return a value as plain JSON data: tuples become lists, keys become text.

    Args:
        value: Any value.
        where: What it is, for the message: `variable 'order'`.
        depth: Containers around it.

    Raises:
        VariableError: The value, or one inside it, cannot be written as JSON.
    """
    if value is None or value is True or value is False or type(value) is int:
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise VariableError(f"The {where} holds text that is no valid Unicode (a lone surrogate).") from None
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise VariableError(f"The {where} is {value!r}, which JSON cannot hold.")
        return float(value)
    if isinstance(value, int):
        return int(value)
    if depth > MAX_DEPTH:
        raise VariableError(f"The {where} has more than {MAX_DEPTH} levels, or contains itself.")
    if isinstance(value, dict):
        return {_key(key, where): plain(item, f"{where}[{key!r}]", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, where, depth + 1) for item in value]
    raise VariableError(
        f"The {where} is of type {type(value).__name__}, which JSON cannot hold: keep text, numbers, lists or dicts."
    )


def _key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return str(plain(key, where))
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return str(key)
    raise VariableError(f"The {where} has a key of type {type(key).__name__}: JSON keys are text.")
