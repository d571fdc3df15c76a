"""Values of a running scenario: `${name}` in what is said and expected."""

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"\$\{([A-Za-z_]\w*)\}")


class UnknownValue(Exception):
    """A step uses a value that no earlier step has set."""


def fill(given: Any, values: Mapping[str, str], *, pattern: bool = False) -> Any:
    """Return `given` with each `${name}` replaced, in texts at any depth.

    Args:
        given: A text, or lists and dicts with texts.
        values: By name.
        pattern: The text is a regular expression: values are taken literally in it.

    Raises:
        UnknownValue: There is no such value yet.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in values:
            known = ", ".join(sorted(values)) or "none"
            raise UnknownValue(f"there is no value ${{{name}}} yet (there are: {known})")
        return re.escape(values[name]) if pattern else values[name]

    if isinstance(given, str):
        return _NAME.sub(value, given)
    if isinstance(given, dict):
        return {key: fill(item, values, pattern=pattern) for key, item in given.items()}
    if isinstance(given, list | tuple):
        return [fill(item, values, pattern=pattern) for item in given]
    return given
