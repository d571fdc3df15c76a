"""The setup of a Persona: what its bundle declares, mixed with what the Persona says.

Source: `official_setup_mixing_procedure` of the loop model. Only an absent value (or None) takes the default; an
empty string is a value. Where the existing kit casts whatever it gets (`"false"` becomes True), a value of another
type is an error here.
"""

import copy
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

FieldType = Literal["string_short", "string_long", "string_multiline", "bool", "int", "float", "list_dict"]
KEY = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{1,39}")
_REQUIRED = ("bs_name", "bs_type", "bs_default", "bs_group")


class SetupField(BaseModel):
    """One key that a bundle's setup knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bs_name: str
    bs_type: FieldType
    bs_default: Any
    bs_group: str
    bs_description: str = ""
    bs_order: int | float = 0
    bs_placeholder: str = ""
    bs_importance: int | float = 0
    bs_elements: list[dict[str, Any]] | None = None
    """Of a `list_dict`: the keys of each of its elements."""

    @model_validator(mode="after")
    def _is_sound(self) -> "SetupField":
        if not KEY.fullmatch(self.bs_name):
            raise ValueError(f"{self.bs_name!r} is no name of a key: 2 to 40 letters, digits and _, a letter first")
        if self.bs_elements is not None and self.bs_type != "list_dict":
            raise ValueError(f"{self.bs_name}: only a list_dict has bs_elements")
        if self.bs_default is not None and not _is_of(self.bs_type, self.bs_default):
            raise ValueError(f"{self.bs_name}: the default {self.bs_default!r} is no {self.bs_type}")
        return self


def parse_schema(schema: Sequence[Mapping[str, Any]]) -> dict[str, SetupField]:
    """Return the fields of a setup schema by name, in its order.

    Args:
        schema: Dictionaries with `bs_name`, `bs_type`, `bs_default`, `bs_group` and optional `bs_*` keys.

    Raises:
        ValueError: A field is not sound, or declared twice; the message names it.
    """
    fields: dict[str, SetupField] = {}
    for number, declared in enumerate(schema):
        name = (
            declared.get("bs_name", f"number {number + 1}") if isinstance(declared, Mapping) else f"number {number + 1}"
        )
        if not isinstance(declared, Mapping):
            raise ValueError(f"setup field {name} is no dictionary")
        if missing := [key for key in _REQUIRED if key not in declared]:
            raise ValueError(f"setup field {name} lacks {', '.join(missing)}")
        try:
            field = SetupField.model_validate(dict(declared))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ValueError(f"setup field {name}: {f'{where}: ' if where else ''}{first['msg']}") from error
        if field.bs_name in fields:
            raise ValueError(f"setup field {field.bs_name} is declared twice")
        fields[field.bs_name] = field
    return fields


def mix(schema: Sequence[Mapping[str, Any]], persona_setup: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a value for every key of `schema`: the Persona's where it says one, else the default.

    Args:
        schema: See `parse_schema`.
        persona_setup: What the Persona says; keys that the schema does not know are left out.

    Returns:
        Fresh values: changing them changes neither the schema nor the Persona.

    Raises:
        ValueError: The schema is not sound, or a value is not of its type; the message names the key.
    """
    given = persona_setup or {}
    mixed: dict[str, Any] = {}
    for name, field in parse_schema(schema).items():
        value = given.get(name)
        mixed[name] = copy.deepcopy(field.bs_default) if value is None else cast(field, value)
    return mixed


def cast(field: SetupField, value: Any) -> Any:
    """Return `value` as `field` wants it.

    A number may come as a text of digits, as forms send it. A bool may not: `"false"` would mean True in one place and
    False in another.

    Raises:
        ValueError: It is of another type; the message says what is expected.
    """
    kind = field.bs_type
    if kind.startswith("string") and isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    if kind == "bool" and (isinstance(value, bool) or value in (0, 1)) and not isinstance(value, str):
        return bool(value)
    if kind in ("int", "float") and isinstance(value, str | int | float) and not isinstance(value, bool):
        number = _number(value, whole=kind == "int")
        if number is not None:
            return number
    if kind == "list_dict" and _is_of(kind, value):
        return copy.deepcopy(list(value))
    raise ValueError(f"setup key {field.bs_name}: {value!r} is no {kind}" + _advice(kind, value))


def _number(value: str | float, *, whole: bool) -> int | float | None:
    try:
        number = float(value) if not whole else int(value) if not isinstance(value, float) else value
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    if not whole:
        return float(number)
    return int(number) if number == int(number) else None


def _is_of(kind: FieldType, value: Any) -> bool:
    if kind.startswith("string"):
        return isinstance(value, str)
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, float)
    return isinstance(value, list) and all(isinstance(element, Mapping) for element in value)


def _advice(kind: FieldType, value: Any) -> str:
    if kind == "bool" and isinstance(value, str):
        return "; write true or false without quotes"
    if kind == "list_dict":
        return "; write a list of mappings"
    return ""
