"""Bodies of the list of bots."""

from pydantic import Field

from botyard.gateway.models.base import Answer


class BotAnswer(Answer):
    """A bot that the caller may use."""

    namespace: str
    name: str
    model: str
    ready: bool
    reason: str = ""
    message: str = Field(default="", description="Why it is not ready.")
    default: bool = False
    personas: tuple[str, ...] = ()


class BotList(Answer):
    """Bots that the caller may use."""

    bots: tuple[BotAnswer, ...]
