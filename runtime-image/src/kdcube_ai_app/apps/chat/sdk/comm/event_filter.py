"""Which events a user receives."""

from botyard.workflow.event_filter import DefaultEventFilter, EventFilterInput, IEventFilter

__all__ = ["DefaultEventFilter", "EventFilterInput", "IEventFilter"]
