"""What bundles record of the services that they use (see `botyard.workflow.accounting`)."""

from botyard.workflow.accounting import (
    AccountingContext,
    AccountingEvent,
    AccountingSystem,
    ServiceUsage,
    track_embedding,
    track_llm,
    track_web_search,
    with_accounting,
)

__all__ = [
    "AccountingContext",
    "AccountingEvent",
    "AccountingSystem",
    "ServiceUsage",
    "track_embedding",
    "track_llm",
    "track_web_search",
    "with_accounting",
]
