"""Rows of ERP tables as bots get them."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from botyard.loop.erp_schema import TABLES, CrmContact, CrmDeal, known_tables, row_of, table_class, use_own
from botyard.loop.erp_tables.own import SchemaError, parse
from botyard_operator.api.persona import ErpSubscription


def test_a_persona_may_follow_every_table_that_has_rows() -> None:
    for table in TABLES:
        assert ErpSubscription.model_validate({"table": table}).table == table
    assert all(row.pkey in row.__dataclass_fields__ for row in TABLES.values())


def test_a_row_has_its_columns_and_those_that_only_the_database_knows() -> None:
    row = CrmContact.from_row({"contact_id": "c1", "contact_first_name": "Ada", "contact_shoe_size": 38})
    assert (row.contact_first_name, row.contact_email) == ("Ada", "")
    assert row.as_row()["contact_shoe_size"] == 38
    assert row.contact_shoe_size == 38  # type: ignore[attr-defined]


def test_amounts_are_exact_and_nulls_are_defaults() -> None:
    deal = CrmDeal.from_row({"deal_id": "d1", "deal_value": "0.10", "deal_name": None})
    assert deal.deal_value + deal.deal_value + deal.deal_value == Decimal("0.30")
    assert deal.deal_name == ""
    with pytest.raises(ValueError, match="deal_value: 'many' is no number"):
        CrmDeal.from_row({"deal_value": "many"})


def test_both_table_sets_are_whole_and_say_what_is_archived() -> None:
    document = {
        *("crm_contact", "crm_activity", "crm_deal", "crm_pipeline", "crm_pipeline_stage", "com_order"),
        *("com_order_item", "com_payment", "com_product", "com_product_variant", "com_refund", "com_shop"),
    }
    since = {
        *("party", "party_contact_point", "crm_event", "catalog_item", "catalog_item_variant", "resource"),
        *("resource_availability", "catalog_item_resource_requirement", "catalog_item_supply_requirement", "txn"),
        *("txn_line", "txn_line_resource_booking", "payment", "refund", "inventory_location", "inventory_balance"),
        "inventory_movement",
    }
    assert (len(document), len(since)) == (12, 17)
    assert document | since == TABLES.keys()
    archived = {
        *("party", "party_contact_point", "catalog_item", "catalog_item_variant", "resource", "resource_availability"),
        *("txn", "inventory_location", "crm_contact", "crm_deal", "crm_pipeline", "crm_pipeline_stage", "com_order"),
        *("com_product", "com_shop"),
    }
    assert {name for name, row in TABLES.items() if row.archived} == archived
    assert all(row.archived.endswith("_archived_ts") for row in TABLES.values() if row.archived)
    assert all(row.version in row.__dataclass_fields__ for row in TABLES.values() if row.version)
    assert all(fields(row)[0].name == "ws_id" for row in TABLES.values())


def test_fields_say_what_bots_ask_about_them() -> None:
    key, name = (CrmContact.__dataclass_fields__[name].metadata for name in ("contact_id", "contact_first_name"))
    assert (key["pkey"], key["mutable"]) == (True, False)
    assert (name["pkey"], name["mutable"], name["display_name"]) == (False, True, "Contact first name")


MACHINES = """
tables:
  machine:
    key: machine_id
    archived: gone_at
    version: revision
    columns:
      machine_id: text
      price: decimal
      prices: "decimal[]"
      since: timestamp
      day: date
      days: "date[]"
      vip: boolean
      details: json
      revision: integer
      gone_at: timestamp
"""


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "erp_schema.yaml").write_text(MACHINES)
    use_own(tmp_path)
    yield table_class("machine")
    use_own(tmp_path / "none")


def test_a_table_of_the_bundle_s_own_has_typed_rows(machines: Any) -> None:
    row: Any = row_of(
        "machine",
        {
            "machine_id": "m1",
            "price": "5.10",
            "prices": ["1.10", None, 2],
            "since": "2026-03-29T02:30:00+02:00",
            "day": "2026-02-28",
            "days": [20_512],
            "vip": None,
            "details": {"a": 1},
            "extra": 7,
        },
    )
    assert type(row) is machines
    assert (machines.pkey, machines.archived, machines.version) == ("machine_id", "gone_at", "revision")
    assert row.price + row.prices[0] == Decimal("6.20")
    assert row.prices == [Decimal("1.10"), None, Decimal(2)]
    assert row.since == dt.datetime(2026, 3, 29, 0, 30, tzinfo=dt.UTC)
    assert (row.day, row.days) == (dt.date(2026, 2, 28), [dt.date(2026, 2, 28)])
    assert (row.vip, row.gone_at, row.extra, row.details) == (None, None, 7, {"a": 1})
    assert "machine" in known_tables()


@pytest.mark.parametrize(
    "written",
    [1_774_744_200, 1_774_744_200_000, 1_774_744_200_000_000, "2026-03-29T00:30:00Z", "2026-03-29 00:30:00"],
    ids=["seconds", "milliseconds", "microseconds", "zone", "no zone"],
)
def test_a_time_is_the_same_however_it_came(machines: Any, written: Any) -> None:
    assert machines.from_row({"since": written}).since == dt.datetime(2026, 3, 29, 0, 30, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("since", "soon", "since: 'soon' is no time"),
        ("since", True, "since: True is no time"),
        ("since", 10**40, "is no time"),
        ("day", "tomorrow", "day: 'tomorrow' is no day"),
        ("price", [], "price: .* is no number"),
        ("prices", "1,2", "prices: '1,2' is no list"),
        ("prices", ["x"], "prices: 'x' is no number"),
    ],
)
def test_a_value_that_is_none_of_its_type_is_told_with_its_column(
    machines: Any, column: str, value: Any, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        machines.from_row({column: value})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tables: [", "is not YAML"),
        ("[]", "the file: "),
        ("tables: {Machine: {key: a, columns: {a: text}}}", "tables.Machine"),
        ("tables: {m: {key: a, columns: {a: string}}}", "'string' is no type of a column; types are text"),
        ("tables: {m: {key: b, columns: {a: text}}}", "key: b is none of the columns"),
        ("tables: {m: {key: a, columns: {a: text, table: text}}}", "table cannot be the name of a column"),
        ("tables: {m: {key: a, columns: {}}}", "columns"),
        ("tables: {m: {key: a, columns: {a: text}, archive: a}}", "archive"),
    ],
)
def test_a_schema_file_that_makes_no_sense_is_told(text: str, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        parse(text)
