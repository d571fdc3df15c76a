"""Rows of ERP tables as bots get them."""

from decimal import Decimal

import pytest

from botyard.loop.erp_schema import TABLES, CrmContact, CrmDeal
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
