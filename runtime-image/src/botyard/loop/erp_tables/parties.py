"""People and organisations, and what happened with them."""

from dataclasses import field
from typing import Any, ClassVar

from botyard.loop.erp_tables.row import Row, table


@table
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


@table
class Party(Row):
    """A person or an organisation."""

    table: ClassVar[str] = "party"
    pkey: ClassVar[str] = "party_id"
    archived: ClassVar[str] = "party_archived_ts"
    version: ClassVar[str] = "party_modified_ts"

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


@table
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
