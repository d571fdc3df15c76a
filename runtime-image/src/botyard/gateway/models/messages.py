"""Bodies of messages to a bot."""

from typing import Any

from pydantic import Field

from botyard.gateway.models.base import Answer, Body, ConversationId, DnsLabel, MessageId, UserName
from botyard.gateway.models.files import FileReference


class ChosenOption(Body):
    """An option that the user chose among those that the bot offered."""

    id: str = Field(min_length=1, max_length=256, description="Identifier of the option, as the bot offered it.")
    title: str = Field(default="", max_length=4096, description="Its text, as the user saw it.")


class MessageRequest(Body):
    """One message of a user to a bot. At least one of text, options, files and payload says something."""

    text: str = Field(default="", description="What the user wrote.")
    conversation: ConversationId | None = Field(
        default=None, description="Left out: a new conversation, with an identifier that cannot be guessed."
    )
    persona: DnsLabel | None = Field(default=None, description="Persona of the bot that is addressed.")
    user: UserName | None = Field(
        default=None, description="Only for callers with the verb `actas`: the user who wrote it."
    )
    files: tuple[FileReference, ...] = Field(default=(), max_length=32)
    payload: dict[str, Any] = Field(default_factory=dict, description="Structured content for the bot.")
    options: tuple[ChosenOption, ...] = Field(default=(), max_length=100, description="Options that were chosen.")
    queue: bool = Field(
        default=False, description="Accept it also while the bot is not ready; it is answered once the bot is."
    )
    id: MessageId | None = Field(
        default=None,
        description="The client's own identifier; a message sent again is answered as before and does nothing.",
    )


class Accepted(Answer):
    """The message is stored and will be worked on."""

    bot: str = Field(description="The bot that gets it.")
    conversation: str
    turn: str = Field(description="The turn that works on it.")
    event: str = Field(description="The stored event.")
    duplicate: bool = Field(default=False, description="The same `id` had been accepted before.")


class AcceptedEvent(Answer):
    """The event is stored and will be worked on; what comes of it is told in the conversation's events."""

    conversation: str = Field(description="Whose events tell what came of it.")
    turn: str
    event: str
    duplicate: bool = False
    task: str | None = None
    thread: str | None = None
