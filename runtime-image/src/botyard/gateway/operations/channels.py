"""Calls of third parties: messengers, callbacks, webhooks."""

from botyard.gateway import callbacks, channels
from botyard.gateway.models.channels import CallbackAccepted
from botyard.gateway.operations.operation import BASE, Operation

_CALLBACK_PROBLEMS = (
    "bad-parameter",
    "unknown-reference",
    "timeout",
    "reference-used",
    "too-large",
    "rate-limited",
    "overloaded",
    "storage-unavailable",
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        BASE + "/callbacks/{reference}",
        callbacks.post_callback,
        "Answer a bot that waits for a third party",
        202,
        answer=CallbackAccepted,
        body="text/plain",
        problems=_CALLBACK_PROBLEMS,
        authenticated=False,
    ),
    Operation(
        "POST",
        "/v1/channels/{channel}",
        channels.post_channel,
        "Take what a messenger or another system sends to its channel",
        200,
        body="application/json",
        problems=(
            "unknown-channel",
            "not-genuine",
            "invalid-body",
            "timeout",
            "too-large",
            "overloaded",
            "channel-unavailable",
            "storage-unavailable",
        ),
        authenticated=False,
    ),
    Operation(
        "POST",
        "/v1/webhook",
        callbacks.post_webhook,
        "Answer a bot by the reference inside the body",
        202,
        answer=CallbackAccepted,
        body="text/plain",
        problems=_CALLBACK_PROBLEMS,
        authenticated=False,
    ),
)
