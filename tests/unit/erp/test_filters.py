"""The filter language: what passes, and what is no filter."""

from typing import Any

import pytest

from botyard.erp.filters import MAX_CONDITIONS, MAX_DEPTH, FilterError, parse

ROW: dict[str, Any] = {
    "name": "Hello",
    "age": 5,
    "price": "12.50",
    "rate": 0.1,
    "vip": True,
    "country": None,
    "tags": ["new", 7],
    "notes": "",
    "details": {"city": {"name": "Oslo"}, "lines": [{"sku": "a"}]},
    "since": "2026-03-01T00:00:00Z",
}


@pytest.mark.parametrize(
    "condition",
    [
        "name:=:Hello",
        "name:!=:hello",
        "name:CIEQL:hELLO",
        "name:LIKE:H%o",
        "name:LIKE:_ello",
        "name:LIKE:%ell%",
        "name:ILIKE:h%O",
        "name:contains:ell",
        "name:not_contains:xyz",
        "name:IN:Bye, Hello",
        "name:NOT_IN:Bye,Ciao",
        "age:=:5",
        "age:=:5.0",
        "age:IN:5,6",
        "age:NOT_IN:6,7",
        "age:>:4",
        "age:>=:5",
        "age:<:10",
        "age:<=:5",
        "rate:=:0.1",
        "vip:=:true",
        "vip:!=:false",
        "country:IS_NULL",
        "country:IS_EMPTY",
        "country:!=:DE",
        "country:NOT_IN:DE,FR",
        "missing:IS_NULL",
        "name:IS_NOT_NULL",
        "notes:IS_EMPTY",
        "notes:IS_NOT_NULL",
        "tags:contains:new",
        "tags:contains:7",
        "tags:not_contains:old",
        "tags:IS_NOT_EMPTY",
        "details:contains:city",
        "details->city->name:=:Oslo",
        "details->lines->0->sku:=:a",
        "details->lines->9->sku:IS_NULL",
        "since:>:2026-02-28",
        "name:!=:a:b",
    ],
)
def test_a_condition_holds(condition: str) -> None:
    assert parse(condition)(ROW)


@pytest.mark.parametrize(
    "condition",
    [
        "name:=:hello",
        "name:LIKE:h%o",
        "name:LIKE:Hell",
        "name:IN:hello,bye",
        "age:=:6",
        "age:>:5",
        "age:IN:50,6",
        "age:>:many",
        "age:LIKE:5",
        "vip:=:1.5",
        "vip:>:0",
        "country:=:DE",
        "country:>:A",
        "country:LIKE:%",
        "missing:contains:x",
        "details->city->name->deeper:=:Oslo",
        "details:=:Oslo",
    ],
)
def test_a_condition_does_not_hold(condition: str) -> None:
    assert not parse(condition)(ROW)


def test_a_backslash_takes_a_wildcard_as_it_is() -> None:
    assert parse(r"name:LIKE:100\%")({"name": "100%"})
    assert not parse(r"name:LIKE:100\%")({"name": "1000"})


def test_many_wildcards_cost_no_more_than_one() -> None:
    assert not parse("name:LIKE:" + "%" * 1000 + "x")({"name": "a" * 10_000})


def test_a_list_is_and() -> None:
    assert parse(["age:>:1", "name:=:Hello"])(ROW)
    assert not parse(["age:>:1", "name:=:Bye"])(ROW)
    assert parse([])(ROW)


def test_of_or_and_and_in_one_mapping_both_hold() -> None:
    both = {"OR": ["age:=:5", "age:=:6"], "AND": ["name:=:Bye"]}
    assert not parse(both)(ROW)
    assert parse({**both, "AND": ["name:=:Hello"]})(ROW)


def test_not_turns_round_what_it_holds() -> None:
    assert parse({"NOT": {"OR": ["age:=:6", "country:=:DE"]}})(ROW)
    assert not parse({"NOT": ["age:=:5"]})(ROW)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("name", "has no operator"),
        ("name:~:x", "no operator; operators are = !="),
        ("name:is_null", "'is_null' is no operator"),
        ("name:=", "needs a value: write name:=:value"),
        ("name:IS_NULL:x", "takes no value: write name:IS_NULL"),
        ("contact.name:=:x", "another table's row"),
        ("na me:=:x", "is no column"),
        (":=:x", "is no column"),
        ({"XOR": []}, "write AND, OR or NOT"),
        ({"AND": "a:=:1"}, "takes a list"),
        (7, "is no filter"),
        (None, "is no filter"),
        (["a:=:1"] * (MAX_CONDITIONS + 1), "at most 100 conditions"),
        ("a:=:" + "x" * 3000, "at most 2048 characters"),
    ],
)
def test_what_is_no_filter_is_refused_and_lets_nothing_through(written: Any, says: str) -> None:
    with pytest.raises(FilterError, match=says):
        parse(written)


def test_a_filter_nests_only_so_deep() -> None:
    written: Any = "a:=:1"
    for _ in range(MAX_DEPTH):
        written = {"NOT": written}
    with pytest.raises(FilterError, match="levels deep"):
        parse(written)
