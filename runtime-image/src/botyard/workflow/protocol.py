"""What a turn is asked: who asks, where, what, and with which settings.

Members that are not known are kept, so that what other hosts send reaches the bundle.
"""

import time
import uuid
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field


def _id() -> str:
    return uuid.uuid4().hex


class _Part(BaseModel):
    model_config = ConfigDict(extra="allow", populate_by_name=True)


class ChatTaskMeta(_Part):
    """The task itself."""

    task_id: str = Field(default_factory=_id)
    created_at: float = Field(default_factory=time.time)
    """Seconds since the epoch."""
    instance_id: str | None = None


class ChatTaskRouting(_Part):
    """Where the task comes from and where its answers go."""

    session_id: str = ""
    conversation_id: str | None = None
    turn_id: str | None = None
    socket_id: str | None = Field(default=None, validation_alias=AliasChoices("socket_id", "target_sid", "stream_id"))
    """The connection that answers are for; None: all of the session."""
    bundle_id: str | None = Field(
        default=None, validation_alias=AliasChoices("bundle_id", "agentic_bundle_id", "ai_bundle_id")
    )


class ChatTaskActor(_Part):
    """For whom the platform works."""

    tenant_id: str | None = Field(default=None, validation_alias=AliasChoices("tenant_id", "tenant"))
    project_id: str | None = Field(default=None, validation_alias=AliasChoices("project_id", "project"))


class ChatTaskUser(_Part):
    """Who asks."""

    user_type: str = "anonymous"
    """anonymous, registered, paid or privileged."""
    user_id: str | None = None
    username: str | None = None
    fingerprint: str | None = None
    roles: list[str] = Field(default_factory=list)
    permissions: list[str] = Field(default_factory=list)
    timezone: str | None = None
    utc_offset_min: int | None = None


class ChatTaskRequest(_Part):
    """What is asked."""

    message: str = Field(default="", validation_alias=AliasChoices("message", "text"))
    chat_history: list[Any] = Field(default_factory=list)
    operation: str | None = None
    """A declared operation of the workflow to call in place of `run`."""
    invocation: str | None = None
    payload: dict[str, Any] = Field(default_factory=dict)
    """Free-form; reaches `execute_core` in its `params`."""
    request_id: str = Field(default_factory=_id)


class ChatTaskConfig(_Part):
    """Settings that the client asks for, such as `selected_model`."""

    values: dict[str, Any] = Field(default_factory=dict)


class ChatTaskAccounting(_Part):
    """Whom the task's usage is booked on."""

    envelope: dict[str, Any] = Field(default_factory=dict)


class ChatTaskPayload(_Part):
    """One request, as it is handed to a workflow (`comm_context`)."""

    meta: ChatTaskMeta = Field(default_factory=ChatTaskMeta)
    routing: ChatTaskRouting = Field(default_factory=ChatTaskRouting)
    actor: ChatTaskActor = Field(default_factory=ChatTaskActor)
    user: ChatTaskUser = Field(default_factory=ChatTaskUser)
    request: ChatTaskRequest = Field(default_factory=ChatTaskRequest)
    config: ChatTaskConfig = Field(default_factory=ChatTaskConfig)
    accounting: ChatTaskAccounting = Field(default_factory=ChatTaskAccounting)
