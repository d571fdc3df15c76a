"""Calls that send messages to a bot."""

from botyard.gateway import messages
from botyard.gateway.models.messages import Accepted, MessageRequest
from botyard.gateway.operations.operation import BASE, MESSAGE_PROBLEMS, Operation

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        BASE + "/messages",
        messages.post_message,
        "Send a message to a bot",
        202,
        answer=Accepted,
        body=MessageRequest,
        problems=MESSAGE_PROBLEMS,
    ),
    Operation(
        "POST",
        "/v1/namespaces/{namespace}/messages",
        messages.post_default_message,
        "Send a message to the namespace's default bot",
        202,
        answer=Accepted,
        body=MessageRequest,
        problems=MESSAGE_PROBLEMS,
    ),
)
