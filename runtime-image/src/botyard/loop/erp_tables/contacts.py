"""Contacts and deals."""

from dataclasses import field
from decimal import Decimal
from typing import Any, ClassVar

from botyard.loop.erp_tables.row import Row, table


@table
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


@table
class CrmContact(Row):
    """A person to do business with."""

    table: ClassVar[str] = "crm_contact"
    pkey: ClassVar[str] = "contact_id"
    archived: ClassVar[str] = "contact_archived_ts"
    version: ClassVar[str] = "contact_modified_ts"

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


@table
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


@table
class CrmPipeline(Row):
    """The way that deals go."""

    table: ClassVar[str] = "crm_pipeline"
    pkey: ClassVar[str] = "pipeline_id"
    archived: ClassVar[str] = "pipeline_archived_ts"

    pipeline_id: str = ""
    pipeline_name: str = ""
    pipeline_created_ts: float = 0.0
    pipeline_archived_ts: float = 0.0


@table
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
