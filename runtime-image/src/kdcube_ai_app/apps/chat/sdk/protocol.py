"""What a turn is asked."""

from botyard.workflow.protocol import (
    ChatTaskAccounting,
    ChatTaskActor,
    ChatTaskConfig,
    ChatTaskMeta,
    ChatTaskPayload,
    ChatTaskRequest,
    ChatTaskRouting,
    ChatTaskUser,
)

__all__ = [
    "ChatTaskAccounting",
    "ChatTaskActor",
    "ChatTaskConfig",
    "ChatTaskMeta",
    "ChatTaskPayload",
    "ChatTaskRequest",
    "ChatTaskRouting",
    "ChatTaskUser",
]
