"""Rows of ERP tables, one class for each table.

A row that a bot gets has every column that the database sent: those named here with their types, others as attributes
of the same name. Columns that did not come have the defaults.

Source: the tables of the loop model's document and of its kit since. Both are here; names of columns are the
installation's, as far as its database has others. A bundle describes tables of its own in `erp_schema.yaml`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botyard.loop.erp_tables import own
from botyard.loop.erp_tables.bookings import Resource, ResourceAvailability, TxnLineResourceBooking
from botyard.loop.erp_tables.catalog import (
    CatalogItem,
    CatalogItemResourceRequirement,
    CatalogItemSupplyRequirement,
    CatalogItemVariant,
)
from botyard.loop.erp_tables.commerce import (
    ComOrder,
    ComOrderItem,
    ComPayment,
    ComProduct,
    ComProductVariant,
    ComRefund,
    ComShop,
)
from botyard.loop.erp_tables.contacts import CrmActivity, CrmContact, CrmDeal, CrmPipeline, CrmPipelineStage
from botyard.loop.erp_tables.inventory import InventoryBalance, InventoryLocation, InventoryMovement
from botyard.loop.erp_tables.parties import CrmEvent, Party, PartyContactPoint
from botyard.loop.erp_tables.row import Row
from botyard.loop.erp_tables.transactions import Payment, Refund, Txn, TxnLine

TABLES: dict[str, type[Row]] = {
    kind.table: kind
    for kind in (
        *(ComOrder, ComOrderItem, ComPayment, ComProduct, ComProductVariant, ComRefund, ComShop),
        *(CrmActivity, CrmContact, CrmDeal, CrmEvent, CrmPipeline, CrmPipelineStage),
        *(CatalogItem, CatalogItemResourceRequirement, CatalogItemSupplyRequirement, CatalogItemVariant),
        *(InventoryBalance, InventoryLocation, InventoryMovement),
        *(Party, PartyContactPoint, Payment, Refund),
        *(Resource, ResourceAvailability, Txn, TxnLine, TxnLineResourceBooking),
    )
}
"""The tables that every bot knows, with the classes of their rows."""
_own: dict[str, type[Row]] = {}

__all__ = [
    "TABLES",
    "Row",
    "known_tables",
    "row_of",
    "table_class",
    "use_own",
    *(kind.__name__ for kind in TABLES.values()),
]


def use_own(bundle: Path) -> None:
    """From now on the tables that a bundle describes are known, before those that every bot knows.

    Raises:
        SchemaError: Its schema file cannot be used.
    """
    found = {name: own.class_of(name, described) for name, described in own.of_bundle(bundle).items()}
    _own.clear()
    _own.update(found)


def known_tables() -> frozenset[str]:
    """Return the tables whose rows have a class."""
    return frozenset({*TABLES, *_own})


def table_class(table: str) -> type[Row]:
    """Return the class of a table's rows; of one that nobody describes, one that has its columns as attributes only."""
    return _own.get(table) or TABLES.get(table) or Row


def row_of(table: str, columns: Mapping[str, Any] | None) -> Row | None:
    """Return the row of any table; one that is not here has its columns as attributes only.

    Raises:
        ValueError: A value is none of its column's type, or there are no columns; the message says which.
    """
    if columns is None:
        return None
    if not isinstance(columns, Mapping):
        raise ValueError(f"{columns!r} has no columns")
    return table_class(table).from_row(columns)
