"""Bodies of the channels of workflow clients."""

from pydantic import Field

from botyard.gateway.models.base import Answer


class ChatAccepted(Answer):
    """A message of a session that the event store has."""

    status: str = Field(description="`processing_started`.")
    task_id: str
    session_id: str
    conversation_id: str
    turn_id: str = Field(description="The client's own, where it gave one.")
    bundle_id: str
    user_type: str = Field(description="anonymous, registered, paid or privileged.")
    queued: bool = Field(description="The conversation is busy: the message runs when those before it have.")
    queue_position: int = Field(description="How many turns are before it.")
    duplicate: bool = Field(description="A message of this `turn_id` was accepted before.")


class ChatStatus(Answer):
    """What a conversation is at."""

    status: str = Field(description="`ok`.")
    conversation_id: str
    state: str = Field(description="`idle` or `in_progress`.")
    updated_at: float = Field(description="Seconds since 1970.")
    current_turn_id: str | None
    waiting: int = Field(description="Turns that wait or run.")
