"""What is offered, and what it needs."""

from dataclasses import field
from decimal import Decimal
from typing import Any, ClassVar

from botyard.loop.erp_tables.row import Row, table


@table
class CatalogItem(Row):
    """What is offered."""

    table: ClassVar[str] = "catalog_item"
    pkey: ClassVar[str] = "item_id"
    archived: ClassVar[str] = "item_archived_ts"

    item_id: str = ""
    item_name: str = ""
    item_description: str = ""
    item_type: str = ""
    item_details: dict[str, Any] = field(default_factory=dict)
    item_created_ts: float = 0.0
    item_archived_ts: float = 0.0


@table
class CatalogItemResourceRequirement(Row):
    """What an offer occupies."""

    table: ClassVar[str] = "catalog_item_resource_requirement"
    pkey: ClassVar[str] = "rreq_id"

    rreq_id: str = ""
    item_id: str = ""
    resource_id: str = ""
    rreq_duration_minutes: int = 0
    rreq_qty: Decimal = Decimal(0)


@table
class CatalogItemSupplyRequirement(Row):
    """What an offer uses up."""

    table: ClassVar[str] = "catalog_item_supply_requirement"
    pkey: ClassVar[str] = "sreq_id"

    sreq_id: str = ""
    item_id: str = ""
    supply_item_id: str = ""
    sreq_qty: Decimal = Decimal(0)


@table
class CatalogItemVariant(Row):
    """One form of an offer."""

    table: ClassVar[str] = "catalog_item_variant"
    pkey: ClassVar[str] = "variant_id"
    archived: ClassVar[str] = "variant_archived_ts"

    variant_id: str = ""
    item_id: str = ""
    variant_name: str = ""
    variant_sku: str = ""
    variant_price: Decimal = Decimal(0)
    variant_currency: str = ""
    variant_archived_ts: float = 0.0
