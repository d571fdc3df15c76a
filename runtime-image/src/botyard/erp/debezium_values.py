"""Values in the envelopes of Debezium, by the schema that comes with them, in the form that rows have.

Without a schema values stay as they came: a decimal is then only readable where the connector writes it as text
(`decimal.handling.mode=string`), and times count from 1970 unless it writes them as text.

Source: Debezium's documentation of its connector for PostgreSQL, "Data type mappings"; Kafka Connect's logical types.
"""

import base64
import datetime as dt
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

UNAVAILABLE = "__debezium_unavailable_value"
"""In the place of a large value that the change left alone: PostgreSQL does not say it."""
Convert = Callable[[Any, Mapping[str, Any]], Any]
"""Makes a row's value of one that came, given its schema."""

_EPOCH = dt.datetime(1970, 1, 1)
_DAY_ZERO = _EPOCH.date()


def row_of(row: Any, schema: Any) -> Any:
    """Return a row with its values as rows have them; what is none stays as it came.

    Args:
        row: The envelope's `before` or `after`.
        schema: Of it; None: the envelope came without.

    Raises:
        ValueError: A value does not fit its schema; the message names the column.
    """
    if not isinstance(row, Mapping):
        return row
    known = _fields(schema)
    found = {}
    for name, value in row.items():
        if value == UNAVAILABLE:
            continue
        try:
            found[name] = _value(value, known.get(name) or {})
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ValueError(f"{name} does not fit its schema: {error}") from None
    return found


def schema_in(envelope: Any, name: str) -> Any:
    """Return the schema of a row in the schema of an envelope; None: there is none."""
    return _fields(envelope).get(name)


def _fields(schema: Any) -> dict[str, Mapping[str, Any]]:
    fields = schema.get("fields") if isinstance(schema, Mapping) else None
    if not isinstance(fields, list):
        return {}
    return {str(field.get("field")): field for field in fields if isinstance(field, Mapping)}


def _value(value: Any, schema: Mapping[str, Any]) -> Any:
    if value is None:
        return None
    if (convert := _NAMED.get(str(schema.get("name")))) is not None:
        return convert(value, schema)
    if schema.get("type") == "array" and isinstance(value, list):
        items = schema.get("items")
        return [_value(item, items if isinstance(items, Mapping) else {}) for item in value]
    return value


def _since(unit: int) -> Convert:
    """A number of units since 1970; `unit` of them are a second."""

    def convert(value: Any, _: Mapping[str, Any]) -> str:
        return (_EPOCH + dt.timedelta(microseconds=value * 1_000_000 // unit)).isoformat()

    return convert


def _of_day(unit: int) -> Convert:
    def convert(value: Any, _: Mapping[str, Any]) -> str:
        return (_EPOCH + dt.timedelta(microseconds=value * 1_000_000 // unit)).time().isoformat()

    return convert


def _day(value: Any, _: Mapping[str, Any]) -> str:
    return (_DAY_ZERO + dt.timedelta(days=value)).isoformat()


def _decimal(value: Any, schema: Mapping[str, Any]) -> str:
    return _scaled(value, int((schema.get("parameters") or {})["scale"]))


def _any_decimal(value: Any, _: Mapping[str, Any]) -> str:
    return _scaled(value["value"], int(value["scale"]))


def _scaled(value: Any, scale: int) -> str:
    """Return the decimal whose digits are a signed number in base64."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    digits = int.from_bytes(base64.b64decode(value, validate=True), "big", signed=True)
    sign, figures, _ = Decimal(digits).as_tuple()
    return format(Decimal((sign, figures, -scale)), "f")


def _json(value: Any, _: Mapping[str, Any]) -> Any:
    return json.loads(value) if isinstance(value, str) else value


_NAMED: dict[str, Convert] = {
    "io.debezium.time.Date": _day,
    "io.debezium.time.Time": _of_day(1_000),
    "io.debezium.time.MicroTime": _of_day(1_000_000),
    "io.debezium.time.NanoTime": _of_day(1_000_000_000),
    "io.debezium.time.Timestamp": _since(1_000),
    "io.debezium.time.MicroTimestamp": _since(1_000_000),
    "io.debezium.time.NanoTimestamp": _since(1_000_000_000),
    "io.debezium.data.VariableScaleDecimal": _any_decimal,
    "io.debezium.data.Json": _json,
    "org.apache.kafka.connect.data.Date": _day,
    "org.apache.kafka.connect.data.Time": _of_day(1_000),
    "org.apache.kafka.connect.data.Timestamp": _since(1_000),
    "org.apache.kafka.connect.data.Decimal": _decimal,
}
