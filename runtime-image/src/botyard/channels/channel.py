"""What every channel can do."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from botyard.channels.inbound import InboundMessage
from botyard.channels.settings import TelegramChannel, WebhookChannel


class ChannelDriver(Protocol):
    """One channel, with its protocol."""

    @property
    def settings(self) -> WebhookChannel | TelegramChannel:
        """What the file says of it."""

    async def start(self) -> None:
        """Make the other side know this gateway, where the protocol has such a step. May fail, and is repeated."""

    async def read(self, headers: Mapping[str, str], body: bytes) -> Sequence[InboundMessage]:
        """Return the messages of a request of the other side; none for what is no message.

        Raises:
            NotGenuine: It does not come from the other side.
            Unreadable: It is not what the protocol says.
        """

    async def deliver(self, conversation: str, number: str, envelope: Mapping[str, Any]) -> None:
        """Hand one output over.

        Args:
            conversation: As `InboundMessage.conversation` named it.
            number: Of the output in its conversation; the same on every attempt.
            envelope: The output.

        Raises:
            DeliveryFailed: It was not taken.
        """

    async def close(self) -> None:
        """End its connections."""
