"""Orders, bookings and offers, and money for them."""

from dataclasses import field
from decimal import Decimal
from typing import Any, ClassVar

from botyard.loop.erp_tables.row import Row, table


@table
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


@table
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


@table
class Txn(Row):
    """An order, a booking, an offer."""

    table: ClassVar[str] = "txn"
    pkey: ClassVar[str] = "txn_id"
    archived: ClassVar[str] = "txn_archived_ts"
    version: ClassVar[str] = "txn_modified_ts"

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


@table
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
