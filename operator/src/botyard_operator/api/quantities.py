"""Quantities as Kubernetes writes them: `100Mi`, `1.5Gi`, `500m`, `2`.

A manifest may give them as a string or as a bare integer; models always hold the text.
"""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from botyard_operator.api.rules import Rule

QUANTITY_REGEX = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{1,2})?"
_SIZE_REGEX = r"[1-9][0-9]{0,15}(k|M|G|T|Ki|Mi|Gi|Ti)?"
_QUANTITY = re.compile(QUANTITY_REGEX)
_SIZE = re.compile(_SIZE_REGEX)
_NUMBER = re.compile(r"([+-]?[0-9.]+)(.*)")
_FACTORS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


class QuantityText(str):
    """The text of a quantity that knows its value."""

    __slots__ = ()

    @property
    def value(self) -> Decimal:
        """The exact value; `500m` is 0.5.

        Raises:
            ValueError: The text is no quantity; never for a value that a model holds.
        """
        return parse_quantity(self)

    @property
    def bytes(self) -> int:
        """The value of a size in bytes, rounded down; raises as `value` does."""
        return int(self.value)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.union_schema([core_schema.str_schema(strict=True), core_schema.int_schema(strict=True)])
        return core_schema.no_info_after_validator_function(lambda value: cls(str(value)), text)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}


class _Pattern:
    """Checks the text here and by `pattern` in the schema, where CEL would cost too much (values of maps)."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(text: QuantityText) -> QuantityText:
            parse_quantity(text)
            return text

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^({QUANTITY_REGEX})$"}


Quantity = Annotated[QuantityText, _Pattern()]
"""An amount of a compute resource."""

Size = Annotated[
    QuantityText,
    Rule(
        cel=f"type(self) == int ? int(self) > 0 : string(self).matches(r'^({_SIZE_REGEX})$')",
        message="write a size above zero such as 512Ki, 100Mi or 1Gi",
        holds=lambda text: _SIZE.fullmatch(text) is not None,
    ),
]
"""A number of bytes, at least 1."""


def parse_quantity(text: str) -> Decimal:
    """Return the exact value of a quantity.

    Args:
        text: A quantity such as `100Mi`, `500m`, `1e3` or `2`.

    Raises:
        ValueError: `text` is no quantity; the message says how one is written.
    """
    if not _QUANTITY.fullmatch(text):
        raise ValueError(f"{text!r} is no quantity; write for instance 500m, 2, 100Mi or 1Gi")
    exponent = re.search(r"[eE][+-]?[0-9]+$", text)
    if exponent:
        return Decimal(text)
    number = _NUMBER.fullmatch(text)
    assert number is not None
    return Decimal(number[1]) * _FACTORS[number[2]]
