"""What is where."""

from decimal import Decimal
from typing import ClassVar

from botyard.loop.erp_tables.row import Row, table


@table
class InventoryBalance(Row):
    """How much is where."""

    table: ClassVar[str] = "inventory_balance"
    pkey: ClassVar[str] = "balance_id"

    balance_id: str = ""
    location_id: str = ""
    variant_id: str = ""
    balance_on_hand: Decimal = Decimal(0)
    balance_reserved: Decimal = Decimal(0)


@table
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


@table
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
