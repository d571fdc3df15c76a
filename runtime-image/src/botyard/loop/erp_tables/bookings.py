"""What can be booked."""

from dataclasses import field
from typing import Any, ClassVar

from botyard.loop.erp_tables.row import Row, table


@table
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


@table
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


@table
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
