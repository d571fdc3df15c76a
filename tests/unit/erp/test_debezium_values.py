"""Values of Debezium's envelopes, by their schema."""

from typing import Any

import pytest

from botyard.erp.debezium import EnvelopeError, is_envelope, read

DECIMAL = {"type": "bytes", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}


def change(value: Any, schema: dict[str, Any]) -> Any:
    row = {"type": "struct", "field": "after", "fields": [{**schema, "field": "a"}]}
    envelope = {"op": "c", "after": {"a": value}, "source": {"table": "machine"}}
    found = read({"schema": {"type": "struct", "fields": [row]}, "payload": envelope}, "machine")
    assert found is not None
    assert found.new is not None
    return found.new.get("a", "left out")


def time(name: str) -> dict[str, Any]:
    return {"type": "int64", "name": f"io.debezium.time.{name}"}


@pytest.mark.parametrize(
    ("value", "schema", "row"),
    [
        pytest.param("Af4=", DECIMAL, "5.10", id="decimal"),
        pytest.param("/w==", DECIMAL, "-0.01", id="negative decimal"),
        pytest.param("5.10", {"type": "string"}, "5.10", id="decimal as text"),
        pytest.param(
            {"scale": 3, "value": "BNI="},
            {"type": "struct", "name": "io.debezium.data.VariableScaleDecimal"},
            "1.234",
            id="decimal of any scale",
        ),
        pytest.param(20_512, time("Date"), "2026-02-28", id="date"),
        pytest.param(-1, time("Date"), "1969-12-31", id="date before 1970"),
        pytest.param(1_774_744_200_500, time("Timestamp"), "2026-03-29T00:30:00.500000", id="milliseconds"),
        pytest.param(1_774_744_200_500_000, time("MicroTimestamp"), "2026-03-29T00:30:00.500000", id="microseconds"),
        pytest.param(1_774_744_200_500_000_000, time("NanoTimestamp"), "2026-03-29T00:30:00.500000", id="nanoseconds"),
        pytest.param("2026-03-29T00:30:00Z", time("ZonedTimestamp"), "2026-03-29T00:30:00Z", id="with zone"),
        pytest.param(36_000_000_000, time("MicroTime"), "10:00:00", id="time of day"),
        pytest.param('{"a": [1]}', {"type": "string", "name": "io.debezium.data.Json"}, {"a": [1]}, id="json"),
        pytest.param(["Af4=", None], {"type": "array", "items": DECIMAL}, ["5.10", None], id="list of decimals"),
        pytest.param(None, DECIMAL, None, id="null"),
        pytest.param("__debezium_unavailable_value", {"type": "string"}, "left out", id="large and unchanged"),
        pytest.param("text", {"type": "string"}, "text", id="text"),
    ],
)
def test_a_value_comes_in_the_form_that_rows_have(value: Any, schema: dict[str, Any], row: Any) -> None:
    assert change(value, schema) == row


@pytest.mark.parametrize("value", ["?!", {}, [], True], ids=str)
def test_a_value_that_does_not_fit_its_schema_is_told_with_its_column(value: Any) -> None:
    with pytest.raises(EnvelopeError, match="a does not fit its schema"):
        change(value, DECIMAL)


def test_without_a_schema_values_stay_as_they_came() -> None:
    found = read({"op": "c", "after": {"a": "Af4="}, "source": {}}, "machine")
    assert found is not None
    assert found.new == {"a": "Af4="}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"ts_ms": 1}, id="heartbeat"),
        pytest.param({"schema": {}, "payload": {"ts_ms": 1}}, id="heartbeat with its schema"),
        pytest.param({"status": "BEGIN", "id": "1:2", "event_count": None, "ts_ms": 1}, id="begin of a transaction"),
        pytest.param({"source": {}, "databaseName": "shop", "ddl": "ALTER", "tableChanges": []}, id="schema change"),
    ],
)
def test_what_comes_among_changes_and_is_none_is_passed_over(document: dict[str, Any]) -> None:
    assert is_envelope(document)
    assert read(document, "machine") is None
