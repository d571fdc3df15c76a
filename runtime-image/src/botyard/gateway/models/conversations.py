"""Bodies of conversations: their turns and events."""

from typing import Any

from pydantic import Field

from botyard.gateway.models.base import Answer


class TurnFailure(Answer):
    """Why a turn failed."""

    kind: str
    message: str
    where: str = ""


class Turn(Answer):
    """One turn of a conversation."""

    turn: str
    event: str
    state: str = Field(
        description="`open` while it waits or runs, `parked` while it is put aside, then how it finished."
    )
    accepted: int | None = Field(default=None, description="Milliseconds since 1970.")
    started: int | None = Field(default=None, description="Milliseconds since 1970.")
    finished: int | None = Field(default=None, description="Milliseconds since 1970.")
    attempt: int | None = Field(default=None, description="Which run of it was committed, from 1.")
    error: TurnFailure | None = None
    reason: str | None = Field(default=None, description="Why it is parked.")
    until: int | None = Field(default=None, description="When it goes on by itself, in milliseconds since 1970.")


class Interrupted(Answer):
    """The turns that were asked to end."""

    turns: tuple[str, ...] = ()


class Forked(Answer):
    """A conversation that begins where another one was."""

    conversation: str


class ConversationAnswer(Answer):
    """A conversation with its newest turns."""

    conversation: str
    user: str
    created: int = Field(description="Milliseconds since 1970.")
    ended: bool = False
    last: str = Field(description="Id of its last event.")
    turns: tuple[Turn, ...] = ()


class StoredEvent(Answer):
    """One event of a conversation."""

    id: str = Field(description="Give it as `after` to read on.")
    event: str = Field(description="Type of the envelope.")
    data: dict[str, Any] = Field(description="The envelope.")


class EventList(Answer):
    """Events that are kept."""

    events: tuple[StoredEvent, ...]
    last: str = Field(description="Id of the last event that was looked at; give it as `after` to read on.")
    more: bool = Field(default=False, description="There were more events than one answer holds.")
