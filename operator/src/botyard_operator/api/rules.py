"""Validation rules that hold in two places: in the API server (as CEL) and here (as a predicate).

The API server is the gate: a rule in the CRD refuses a bad object at admission, without a webhook. The predicate
covers what the gate cannot: objects stored before a rule existed, and files that are checked without a cluster. The
tests run the same examples through both.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

VALIDATIONS = "x-kubernetes-validations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule about a value; as `Annotated` metadata it belongs to a field, in `Model.rules` to a whole object.

    Attributes:
        cel: The expression that must be true; `self` is the value.
        message: What to write instead. Shown by the API server and by `Kind.parse`.
        holds: The same check here. None for transition rules, which need the object's previous version.
        field: The field at fault below an object, as a path (`.schedule.when`); only for rules about objects.
        on_create: Whether a transition rule also runs at creation, with `oldSelf` as an optional.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None = None
    field: str = ""
    on_create: bool = False

    def to_schema(self) -> dict[str, Any]:
        """Return the entry for `x-kubernetes-validations`."""
        entry: dict[str, Any] = {"rule": self.cel, "message": self.message}
        # The schema of metadata is the API server's own: a path into it is refused.
        if self.field and not self.field.startswith(".metadata"):
            entry["fieldPath"] = self.field
        if self.on_create:
            entry["optionalOldSelf"] = True
        return entry

    def check(self, value: Any) -> Any:
        """Return `value` where the rule holds, else raise pydantic's error with the rule's message."""
        if self.holds is not None and not self.holds(value):
            # The message is a template for pydantic: it must not take braces in it for fields.
            raise PydanticCustomError("rule", "{text}", {"text": self.message, "field": self.field})
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        if self.holds is None:
            return schema
        return core_schema.no_info_after_validator_function(self.check, schema)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = dict(handler(schema))
        json_schema[VALIDATIONS] = [*json_schema.get(VALIDATIONS, []), self.to_schema()]
        return json_schema


def matches(regex: str, message: str) -> Rule:
    """Return a rule that a string matches `regex` as a whole.

    Args:
        regex: In the subset that RE2 and Python's `re` share, without anchors and without single quotes.
        message: What to write instead.
    """
    compiled = re.compile(regex, re.ASCII)
    return Rule(
        cel=f"self.matches(r'^({regex})$')",
        message=message,
        holds=lambda value: compiled.fullmatch(value) is not None,
    )


def refuses(regex: str, message: str) -> Rule:
    """Return a rule that `regex` is found nowhere in a string; see `matches` for the arguments."""
    compiled = re.compile(regex, re.ASCII)
    return Rule(
        cel=f"!self.matches(r'{regex}')",
        message=message,
        holds=lambda value: compiled.search(value) is None,
    )


def unique(key: str, message: str) -> Rule:
    """Return a rule that no two objects of a list have the same value in the field `key` (camelCase)."""

    def holds(items: Sequence[Any]) -> bool:
        return len({getattr(item, key) for item in items}) == len(items)

    return Rule(
        cel=f"self.all(a, self.exists_one(b, b.{key} == a.{key}))",
        message=message,
        holds=holds,
    )
