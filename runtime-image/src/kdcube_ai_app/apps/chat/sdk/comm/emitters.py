"""The communicator with named payloads."""

from botyard.workflow.communicator import ChatCommunicator
from botyard.workflow.emitters import AIBEmitters, DeltaPayload, EventPayload, StepPayload

__all__ = ["AIBEmitters", "ChatCommunicator", "DeltaPayload", "EventPayload", "StepPayload"]
