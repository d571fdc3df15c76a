"""How an object that cannot be read is reported: the field at fault, and what to write instead."""

import re

from pydantic_core import ErrorDetails

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class InvalidObject(ValueError):
    """An object cannot be what its kind says.

    Attributes:
        path: The field at fault, such as `spec.git.url`.
        message: What is wrong with it and what to write instead.
        others: Further problems of the same object, each as `path: message`.
    """

    def __init__(self, path: str, message: str, others: tuple[str, ...] = ()) -> None:
        self.path = path
        self.message = message
        self.others = others
        super().__init__("; ".join((f"{path}: {message}", *others)))


def explain(detail: ErrorDetails) -> tuple[str, str]:
    """Return path and message of one of pydantic's errors in the words of somebody who writes YAML."""
    context = detail.get("ctx") or {}
    path = (_path(detail["loc"]) + str(context.get("field", ""))).lstrip(".") or "object"
    kind = detail["type"]
    given = repr(detail["input"])
    if len(given) > 80:
        given = given[:77] + "..."
    hints = {
        "missing": "is required; add it",
        "literal_error": f"is {given}; write one of {context.get('expected')}",
        "string_type": f"is {given}; write a string (quote it if it looks like a number or a boolean)",
        "int_type": f"is {given}; write a whole number",
        "int_parsing": f"is {given}; write a whole number",
        "int_from_float": f"is {given}; write a whole number",
        "bool_type": f"is {given}; write true or false",
        "bool_parsing": f"is {given}; write true or false",
        "model_type": f"is {given}; write an object (key: value)",
        "dict_type": f"is {given}; write an object (key: value)",
        "tuple_type": f"is {given}; write a list",
        "greater_than_equal": f"is {given}; write {context.get('ge')} or more",
        "less_than_equal": f"is {given}; write {context.get('le')} or less",
        "too_long": f"has {context.get('actual_length')} entries; write at most {context.get('max_length')}",
        "too_short": f"has {context.get('actual_length')} entries; write at least {context.get('min_length')}",
        "string_too_long": f"is longer than {context.get('max_length')} characters; shorten it",
        "string_too_short": f"is empty; write at least {context.get('min_length')} character(s)",
        "rule": detail["msg"],
        "value_error": str(context.get("error")),
    }
    return path, hints.get(kind, f"is {given}; {detail['msg']}")


def _path(location: tuple[int | str, ...]) -> str:
    parts: list[str] = []
    for part in location:
        if isinstance(part, int):
            parts.append(f"[{part}]")
        elif _IDENTIFIER.fullmatch(part):
            parts.append(f".{part}" if parts else part)
        else:
            parts.append(f"[{part!r}]")
    return "".join(parts)
