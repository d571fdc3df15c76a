"""PostgreSQL's texts as JSON values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from botyard.connector.values import Converters, parse_array


@pytest.mark.parametrize(
    ("oid", "text", "value"),
    [
        (16, "t", True),
        (20, "9007199254740993", 9007199254740993),
        (1700, "12.50", "12.50"),
        (1700, "NaN", "NaN"),
        (701, "1.5", 1.5),
        (701, "Infinity", "Infinity"),
        (1184, "2026-11-21 23:12:59.7+00", "2026-11-21T23:12:59.7+00:00"),
        (1184, "infinity", "infinity"),
        (1114, "2026-11-21 23:12:59", "2026-11-21T23:12:59"),
        (1114, "0044-03-15 00:00:00 BC", "0044-03-15 00:00:00 BC"),
        (1082, "2026-11-21", "2026-11-21"),
        (17, "\\xdead", "3q0="),
        (3802, '{"a": 1.10}', {"a": 1.1}),
        (114, '{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (1007, "{1,NULL,3}", [1, None, 3]),
        (1231, "{1.10}", ["1.10"]),
    ],
)
def test_a_type_has_a_form(oid: int, text: str, value: Any) -> None:
    convert = Converters().of(oid)
    assert (convert(text) if convert else text) == value


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": "\\ud800"}', id="half of a pair"),
        pytest.param('{"\\uD800": 1}', id="half of a pair in a name"),
        pytest.param("[1e400]", id="too large"),
        pytest.param("[" * 101 + "]" * 101, id="deep"),
        pytest.param("[" * 100_000 + "]" * 100_000, id="very deep"),
    ],
)
def test_a_document_that_has_no_other_form_stays_a_text(text: str) -> None:
    convert = Converters().of(114)
    assert convert is not None
    assert convert(text) == text


def test_types_of_the_database_are_learned() -> None:
    converters = Converters()
    assert converters.unknown({23, 20001, 20002}) == {20001, 20002}
    converters.learn(20001, base=23)
    converters.learn(20002, element=20001)
    array = converters.of(20002)
    assert array is not None
    assert array("{1,2}") == [1, 2]
    assert converters.unknown({20001, 20002}) == set()


def _written(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return "{" + ",".join(map(_written, value)) + "}"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.lists(st.one_of(st.none(), st.text()) | st.lists(st.text(), min_size=1), max_size=5))
def test_an_array_is_read_as_it_was_written(items: list[Any]) -> None:
    assert parse_array(_written(items), None) == items


@pytest.mark.parametrize("text", ["", "1,2", "{1,2", '{"a', "{1}2"])
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="array"):
        parse_array(text, None)
