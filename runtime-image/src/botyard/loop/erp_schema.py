"""Rows of ERP tables, one class for each table.

A row that a bot gets has every column that the database sent: those named here with their types, others as attributes
of the same name. Columns that did not come have the defaults.

Source: the tables of the loop model's document and of its kit since. Both are here; names of columns are the
installation's, as far as its database has others.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, ClassVar, Self


@dataclass
class Row:
    """What all rows have."""

    table: ClassVar[str] = ""
    pkey: ClassVar[str] = ""
    archived: ClassVar[str] = ""
    """Column that is above 0 once the row is archived; empty: there is none."""

    ws_id: str = ""

    @classmethod
    def from_row(cls, columns: Mapping[str, Any]) -> Self:
        """Return a row of what a database sent.

        Raises:
            ValueError: A number is none; the message names the column.
        """
        kinds = {item.name: item.type for item in fields(cls)}
        known = {name: _cast(name, kinds[name], value) for name, value in columns.items() if name in kinds}
        row = cls(**{name: value for name, value in known.items() if value is not None})
        for name in columns.keys() - known.keys():
            setattr(row, name, columns[name])
        return row

    @classmethod
    @cache
    def decimals(cls) -> frozenset[str]:
        """Return the columns that hold decimals."""
        return frozenset(item.name for item in fields(cls) if item.type is Decimal)

    def as_row(self) -> dict[str, Any]:
        """Return its columns."""
        return asdict(self) | vars(self)


def _cast(name: str, kind: Any, value: Any) -> Any:
    if value is None or kind is not Decimal:
        return value
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{name}: {value!r} is no number") from None


@dataclass
class ComOrder(Row):
    """The order of a shop's customer."""

    table: ClassVar[str] = "com_order"
    pkey: ClassVar[str] = "order_id"
    archived: ClassVar[str] = "order_archived_ts"

    order_id: str = ""
    order_number: str = ""
    contact_id: str = ""
    shop_id: str = ""
    order_status: str = ""
    order_currency: str = ""
    order_total: Decimal = Decimal(0)
    order_created_ts: float = 0.0
    order_archived_ts: float = 0.0


@dataclass
class ComOrderItem(Row):
    """One line of an order."""

    table: ClassVar[str] = "com_order_item"
    pkey: ClassVar[str] = "oitem_id"

    oitem_id: str = ""
    order_id: str = ""
    pvar_id: str = ""
    oitem_name: str = ""
    oitem_qty: Decimal = Decimal(0)
    oitem_price: Decimal = Decimal(0)


@dataclass
class ComPayment(Row):
    """Money for an order."""

    table: ClassVar[str] = "com_payment"
    pkey: ClassVar[str] = "pay_id"

    pay_id: str = ""
    order_id: str = ""
    pay_status: str = ""
    pay_method: str = ""
    pay_currency: str = ""
    pay_amount: Decimal = Decimal(0)
    pay_created_ts: float = 0.0


@dataclass
class ComProduct(Row):
    """What a shop sells."""

    table: ClassVar[str] = "com_product"
    pkey: ClassVar[str] = "prod_id"
    archived: ClassVar[str] = "prod_archived_ts"

    prod_id: str = ""
    shop_id: str = ""
    prod_name: str = ""
    prod_description: str = ""
    prod_type: str = ""
    prod_created_ts: float = 0.0
    prod_archived_ts: float = 0.0


@dataclass
class ComProductVariant(Row):
    """One form of a product."""

    table: ClassVar[str] = "com_product_variant"
    pkey: ClassVar[str] = "pvar_id"

    pvar_id: str = ""
    prod_id: str = ""
    pvar_name: str = ""
    pvar_sku: str = ""
    pvar_price: Decimal = Decimal(0)
    pvar_stock: Decimal = Decimal(0)


@dataclass
class ComRefund(Row):
    """Money that went back."""

    table: ClassVar[str] = "com_refund"
    pkey: ClassVar[str] = "refund_id"

    refund_id: str = ""
    pay_id: str = ""
    order_id: str = ""
    refund_reason: str = ""
    refund_amount: Decimal = Decimal(0)
    refund_created_ts: float = 0.0


@dataclass
class ComShop(Row):
    """A shop."""

    table: ClassVar[str] = "com_shop"
    pkey: ClassVar[str] = "shop_id"
    archived: ClassVar[str] = "shop_archived_ts"

    shop_id: str = ""
    shop_name: str = ""
    shop_type: str = ""
    shop_url: str = ""
    shop_currency: str = ""
    shop_created_ts: float = 0.0
    shop_archived_ts: float = 0.0


@dataclass
class CrmActivity(Row):
    """Something that was done with a contact."""

    table: ClassVar[str] = "crm_activity"
    pkey: ClassVar[str] = "activity_id"

    activity_id: str = ""
    contact_id: str = ""
    deal_id: str = ""
    activity_type: str = ""
    activity_title: str = ""
    activity_summary: str = ""
    activity_occurred_ts: float = 0.0


@dataclass
class CrmContact(Row):
    """A person to do business with."""

    table: ClassVar[str] = "crm_contact"
    pkey: ClassVar[str] = "contact_id"
    archived: ClassVar[str] = "contact_archived_ts"

    contact_id: str = ""
    contact_first_name: str = ""
    contact_last_name: str = ""
    contact_email: str = ""
    contact_phone: str = ""
    contact_country: str = ""
    contact_address_line1: str = ""
    contact_address_city: str = ""
    contact_notes: str = ""
    contact_source: str = ""
    contact_tags: list[str] = field(default_factory=list)
    contact_details: dict[str, Any] = field(default_factory=dict)
    contact_created_ts: float = 0.0
    contact_modified_ts: float = 0.0
    contact_archived_ts: float = 0.0


@dataclass
class CrmDeal(Row):
    """Business that may come."""

    table: ClassVar[str] = "crm_deal"
    pkey: ClassVar[str] = "deal_id"
    archived: ClassVar[str] = "deal_archived_ts"

    deal_id: str = ""
    contact_id: str = ""
    pipeline_id: str = ""
    stage_id: str = ""
    deal_name: str = ""
    deal_value: Decimal = Decimal(0)
    deal_currency: str = ""
    deal_notes: str = ""
    deal_tags: list[str] = field(default_factory=list)
    deal_expected_close_ts: float = 0.0
    deal_created_ts: float = 0.0
    deal_archived_ts: float = 0.0


@dataclass
class CrmEvent(Row):
    """Something that happened."""

    table: ClassVar[str] = "crm_event"
    pkey: ClassVar[str] = "event_id"

    event_id: str = ""
    party_id: str = ""
    txn_id: str = ""
    event_type: str = ""
    event_summary: str = ""
    event_details: dict[str, Any] = field(default_factory=dict)
    event_occurred_ts: float = 0.0


@dataclass
class CrmPipeline(Row):
    """The way that deals go."""

    table: ClassVar[str] = "crm_pipeline"
    pkey: ClassVar[str] = "pipeline_id"
    archived: ClassVar[str] = "pipeline_archived_ts"

    pipeline_id: str = ""
    pipeline_name: str = ""
    pipeline_created_ts: float = 0.0
    pipeline_archived_ts: float = 0.0


@dataclass
class CrmPipelineStage(Row):
    """One step of that way."""

    table: ClassVar[str] = "crm_pipeline_stage"
    pkey: ClassVar[str] = "stage_id"
    archived: ClassVar[str] = "stage_archived_ts"

    stage_id: str = ""
    pipeline_id: str = ""
    stage_name: str = ""
    stage_sequence: int = 0
    stage_probability: int = 0
    stage_status: str = ""
    stage_archived_ts: float = 0.0


@dataclass
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


@dataclass
class CatalogItemResourceRequirement(Row):
    """What an offer occupies."""

    table: ClassVar[str] = "catalog_item_resource_requirement"
    pkey: ClassVar[str] = "rreq_id"

    rreq_id: str = ""
    item_id: str = ""
    resource_id: str = ""
    rreq_duration_minutes: int = 0
    rreq_qty: Decimal = Decimal(0)


@dataclass
class CatalogItemSupplyRequirement(Row):
    """What an offer uses up."""

    table: ClassVar[str] = "catalog_item_supply_requirement"
    pkey: ClassVar[str] = "sreq_id"

    sreq_id: str = ""
    item_id: str = ""
    supply_item_id: str = ""
    sreq_qty: Decimal = Decimal(0)


@dataclass
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


@dataclass
class InventoryBalance(Row):
    """How much is where."""

    table: ClassVar[str] = "inventory_balance"
    pkey: ClassVar[str] = "balance_id"

    balance_id: str = ""
    location_id: str = ""
    variant_id: str = ""
    balance_on_hand: Decimal = Decimal(0)
    balance_reserved: Decimal = Decimal(0)


@dataclass
class InventoryLocation(Row):
    """Where things are kept."""

    table: ClassVar[str] = "inventory_location"
    pkey: ClassVar[str] = "location_id"
    archived: ClassVar[str] = "location_archived_ts"

    location_id: str = ""
    location_name: str = ""
    location_type: str = ""
    location_created_ts: float = 0.0
    location_archived_ts: float = 0.0


@dataclass
class InventoryMovement(Row):
    """Something came or went."""

    table: ClassVar[str] = "inventory_movement"
    pkey: ClassVar[str] = "movement_id"

    movement_id: str = ""
    location_id: str = ""
    variant_id: str = ""
    movement_type: str = ""
    movement_qty: Decimal = Decimal(0)
    movement_created_ts: float = 0.0


@dataclass
class Party(Row):
    """A person or an organisation."""

    table: ClassVar[str] = "party"
    pkey: ClassVar[str] = "party_id"
    archived: ClassVar[str] = "party_archived_ts"

    party_id: str = ""
    party_type: str = ""
    party_first_name: str = ""
    party_last_name: str = ""
    party_name: str = ""
    party_email: str = ""
    party_phone: str = ""
    party_country: str = ""
    party_tags: list[str] = field(default_factory=list)
    party_details: dict[str, Any] = field(default_factory=dict)
    party_created_ts: float = 0.0
    party_modified_ts: float = 0.0
    party_archived_ts: float = 0.0


@dataclass
class PartyContactPoint(Row):
    """How somebody is reached."""

    table: ClassVar[str] = "party_contact_point"
    pkey: ClassVar[str] = "cp_id"
    archived: ClassVar[str] = "cp_archived_ts"

    cp_id: str = ""
    party_id: str = ""
    cp_type: str = ""
    cp_value: str = ""
    cp_primary: bool = False
    cp_archived_ts: float = 0.0


@dataclass
class Payment(Row):
    """Money that came."""

    table: ClassVar[str] = "payment"
    pkey: ClassVar[str] = "payment_id"

    payment_id: str = ""
    txn_id: str = ""
    payment_status: str = ""
    payment_method: str = ""
    payment_currency: str = ""
    payment_amount: Decimal = Decimal(0)
    payment_created_ts: float = 0.0


@dataclass
class Refund(Row):
    """Money that went back."""

    table: ClassVar[str] = "refund"
    pkey: ClassVar[str] = "refund_id"

    refund_id: str = ""
    payment_id: str = ""
    txn_id: str = ""
    refund_reason: str = ""
    refund_amount: Decimal = Decimal(0)
    refund_created_ts: float = 0.0


@dataclass
class Resource(Row):
    """Somebody or something that can be booked."""

    table: ClassVar[str] = "resource"
    pkey: ClassVar[str] = "resource_id"
    archived: ClassVar[str] = "resource_archived_ts"

    resource_id: str = ""
    resource_name: str = ""
    resource_type: str = ""
    resource_details: dict[str, Any] = field(default_factory=dict)
    resource_created_ts: float = 0.0
    resource_archived_ts: float = 0.0


@dataclass
class ResourceAvailability(Row):
    """When it can be booked."""

    table: ClassVar[str] = "resource_availability"
    pkey: ClassVar[str] = "availability_id"
    archived: ClassVar[str] = "availability_archived_ts"

    availability_id: str = ""
    resource_id: str = ""
    availability_start_ts: float = 0.0
    availability_end_ts: float = 0.0
    availability_rule: str = ""
    availability_archived_ts: float = 0.0


@dataclass
class Txn(Row):
    """An order, a booking, an offer."""

    table: ClassVar[str] = "txn"
    pkey: ClassVar[str] = "txn_id"
    archived: ClassVar[str] = "txn_archived_ts"

    txn_id: str = ""
    party_id: str = ""
    txn_type: str = ""
    txn_status: str = ""
    txn_currency: str = ""
    txn_total: Decimal = Decimal(0)
    txn_details: dict[str, Any] = field(default_factory=dict)
    txn_created_ts: float = 0.0
    txn_modified_ts: float = 0.0
    txn_archived_ts: float = 0.0


@dataclass
class TxnLine(Row):
    """One line of it."""

    table: ClassVar[str] = "txn_line"
    pkey: ClassVar[str] = "line_id"

    line_id: str = ""
    txn_id: str = ""
    variant_id: str = ""
    line_name: str = ""
    line_qty: Decimal = Decimal(0)
    line_price: Decimal = Decimal(0)


@dataclass
class TxnLineResourceBooking(Row):
    """What a line occupies."""

    table: ClassVar[str] = "txn_line_resource_booking"
    pkey: ClassVar[str] = "booking_id"

    booking_id: str = ""
    line_id: str = ""
    resource_id: str = ""
    booking_start_ts: float = 0.0
    booking_end_ts: float = 0.0
    booking_cancelled_ts: float = 0.0


TABLES: dict[str, type[Row]] = {row.table: row for row in Row.__subclasses__()}
"""Every table with the class of its rows."""


def row_of(table: str, columns: Mapping[str, Any] | None) -> Row | None:
    """Return the row of any table; one that is not here has its columns as attributes only.

    Raises:
        ValueError: A number is none, or there are no columns; the message says which.
    """
    if columns is None:
        return None
    if not isinstance(columns, Mapping):
        raise ValueError(f"{columns!r} has no columns")
    return TABLES.get(table, Row).from_row(columns)
