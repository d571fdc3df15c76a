"""What a channel makes of a request: events for the bot's inbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """One message of a user."""

    conversation: str
    """In the channel; the channel's name is put before it."""
    user: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    """As `POST …/messages` takes it: text, options, files, payload."""
    id: str = ""
    """The vendor's own; a message that is delivered again is known by it."""
