"""Bodies of events that were given up."""

from pydantic import Field

from botyard.gateway.models.base import Answer
from botyard.gateway.models.conversations import TurnFailure


class DeadLetter(Answer):
    """One event that was given up."""

    id: str = Field(description="For requeue and drop.")
    conversation: str
    turn: str
    event: str
    kind: str
    user: str
    accepted: int = Field(description="Milliseconds since 1970.")
    given_up: int = Field(description="Milliseconds since 1970.")
    payload: str = Field(description="What was sent, as JSON text.")
    error: TurnFailure


class DeadLetterList(Answer):
    """The oldest events that were given up."""

    letters: tuple[DeadLetter, ...]
    more: bool = Field(default=False, description="There are more: ask again with `after`, the last id.")
