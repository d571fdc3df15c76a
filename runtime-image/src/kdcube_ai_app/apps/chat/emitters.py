"""The communicator, and the relay that it sends through. Hosts replace `build_relay_from_env` here."""

from botyard.workflow.communicator import ChatCommunicator
from botyard.workflow.relays import NullRelay, RedisRelay, Relay, build_relay_from_env
from botyard.workflow.tasks import build_comm_from_comm_context

__all__ = [
    "ChatCommunicator",
    "NullRelay",
    "RedisRelay",
    "Relay",
    "build_comm_from_comm_context",
    "build_relay_from_env",
]
