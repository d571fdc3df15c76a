"""What is wrong with a setup, key by key."""

import json
from typing import Any

import pytest

from botyard_operator.reconcile.setups import Schema, parse, problems


def schema(*fields: tuple[str, str, Any]) -> Schema:
    declared = [{"bs_name": n, "bs_type": t, "bs_default": d, "bs_group": "G"} for n, t, d in fields]
    found = parse("clerk", json.dumps({"extra": {"setup": declared}}))
    assert found is not None
    return found


CLERK = schema(("greeting", "string_short", "Hi"), ("limit", "int", 1), ("loud", "bool", False), ("rate", "float", 0.5),
               ("rows", "list_dict", []), ("API_KEY", "string_long", None))  # fmt: skip
GIVEN: dict[str, Any] = {"API_KEY": "k"}


@pytest.mark.parametrize(
    ("setup", "says"),
    [
        ({"loud": "false"}, "loud: 'false' is no bool; write true or false without quotes"),
        ({"limit": "many"}, "limit: 'many' is no int"),
        ({"limit": 1.5}, "limit: 1.5 is no int"),
        ({"limit": True}, "limit: True is no int"),
        ({"rate": "x"}, "rate: 'x' is no float"),
        ({"rows": "x"}, "rows: 'x' is no list_dict; write a list of mappings"),
        ({"greeting": ["Hi"]}, "greeting: ['Hi'] is no string_short"),
        ({"Greeting": "x"}, "Greeting is no key of Bundle clerk: did you mean greeting?"),
        ({"zzz": 1}, "zzz is no key of Bundle clerk: its keys are greeting, limit, loud, rate, rows, API_KEY"),
    ],
)
def test_each_key_that_is_wrong_is_named_with_what_to_write(setup: dict[str, Any], says: str) -> None:
    assert problems(CLERK, GIVEN | setup) == [says]


def test_a_key_without_a_default_is_missing_unless_a_secret_has_it() -> None:
    assert problems(CLERK, {}) == ["API_KEY is missing, and Bundle clerk has no default for it: write a string_long"]
    assert problems(CLERK, {}, ["API_KEY"]) == []
    assert problems(CLERK, GIVEN, ["API_KEY"]) == ["API_KEY is in setup and in setupFrom: write it once"]
    assert problems(CLERK, GIVEN, ["API_KEi"]) == ["API_KEi is no key of Bundle clerk: did you mean API_KEY?"]


@pytest.mark.parametrize(
    "setup", [{"limit": 7}, {"limit": "7"}, {"loud": True}, {"greeting": ""}, {"rows": [{"a": 1}]}]
)
def test_what_the_bundle_can_use_is_right(setup: dict[str, Any]) -> None:
    assert problems(CLERK, GIVEN | setup) == []


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "no json",
        "[]",
        '{"extra": {}}',
        '{"extra": {"setup": "x"}}',
        '{"extra": {"setup": [{"bs_name": "x"}]}}',
        '{"extra": {"setup": []}, "findings": [{"code": "NotInstalled"}]}',
    ],
)
def test_where_no_schema_is_known_nothing_is_checked(manifest: str) -> None:
    assert parse("clerk", manifest) is None
