"""What workflow bots use of paid services: one event for each call, kept for reports and invoices."""

from botyard.workflow.accounting.context import AccountingContext, with_accounting
from botyard.workflow.accounting.events import AccountingEvent, ServiceUsage
from botyard.workflow.accounting.recorder import Recorder, StorageRecorder, collecting
from botyard.workflow.accounting.system import AccountingSystem
from botyard.workflow.accounting.tracking import track, track_embedding, track_llm, track_web_search

__all__ = [
    "AccountingContext",
    "AccountingEvent",
    "AccountingSystem",
    "Recorder",
    "ServiceUsage",
    "StorageRecorder",
    "collecting",
    "track",
    "track_embedding",
    "track_llm",
    "track_web_search",
    "with_accounting",
]
