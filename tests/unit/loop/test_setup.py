"""The setup of a Persona: defaults of the bundle, values of the Persona, types that are kept."""

from collections.abc import Mapping
from typing import Any

import pytest

from botyard.loop.setup import mix, parse_schema


def field(kind: str, default: Any, name: str = "key", **more: Any) -> dict[str, Any]:
    return {"bs_name": name, "bs_type": kind, "bs_default": default, "bs_group": "General", **more}


@pytest.mark.parametrize("given", [{}, {"key": None}, None], ids=["absent", "None", "no setup"])
def test_an_absent_value_takes_the_default(given: Mapping[str, Any] | None) -> None:
    assert mix([field("string_short", "Hello")], given) == {"key": "Hello"}


def test_an_empty_text_is_a_value() -> None:
    assert mix([field("string_short", "Hello")], {"key": ""}) == {"key": ""}


@pytest.mark.parametrize(
    ("kind", "default", "given", "mixed"),
    [
        ("int", 1, "7", 7),
        ("int", 1, 7.0, 7),
        ("float", 0.5, 2, 2.0),
        ("float", 0.5, "2.5", 2.5),
        ("bool", True, False, False),
        ("bool", False, 1, True),
        ("string_long", "", 12, "12"),
        ("list_dict", [], [{"a": 1}], [{"a": 1}]),
    ],
)
def test_a_value_is_taken_as_its_type(kind: str, default: Any, given: Any, mixed: Any) -> None:
    result = mix([field(kind, default)], {"key": given})["key"]
    assert (result, type(result)) == (mixed, type(mixed))


@pytest.mark.parametrize(
    ("kind", "default", "given"),
    [
        ("bool", True, "false"),
        ("bool", True, "true"),
        ("bool", True, 2),
        ("int", 1, "abc"),
        ("int", 1, 7.5),
        ("int", 1, True),
        ("float", 0.5, "nan"),
        ("float", 0.5, [1]),
        ("string_short", "", ["a"]),
        ("string_short", "", True),
        ("list_dict", [], "text"),
        ("list_dict", [], ["text"]),
    ],
)
def test_a_value_of_another_type_is_an_error_that_names_the_key(kind: str, default: Any, given: Any) -> None:
    with pytest.raises(ValueError, match=r"setup key key: .* is no " + kind):
        mix([field(kind, default)], {"key": given})


def test_keys_that_the_schema_does_not_know_are_left_out() -> None:
    assert mix([field("int", 1)], {"key": 2, "other": 3}) == {"key": 2}


def test_what_is_mixed_belongs_to_the_caller() -> None:
    schema = [field("list_dict", [{"a": 1}])]
    mix(schema, {})["key"].append({"b": 2})
    assert mix(schema, {}) == {"key": [{"a": 1}]}


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"bs_name": "key"}, "lacks bs_type, bs_default, bs_group"),
        (field("string", ""), "bs_type"),
        (field("float", 1), "the default 1 is no float"),
        (field("bool", "no"), "the default 'no' is no bool"),
        (field("int", 1, name="1st"), "no name of a key"),
        (field("int", 1, name="k" * 41), "no name of a key"),
        (field("int", 1, bs_elements=[]), "only a list_dict"),
        (field("int", 1, bs_colour="red"), "bs_colour"),
        ("text", "no dictionary"),
    ],
)
def test_a_schema_that_is_not_sound_is_refused_by_field(declared: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_schema([declared])


def test_a_key_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        parse_schema([field("int", 1), field("bool", True)])
