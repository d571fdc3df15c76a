"""What the chat channels of one gateway work with."""

from dataclasses import dataclass, field

from redis.asyncio import Redis

from botyard.core.live import LiveHub
from botyard.gateway.chat.rates import UserRates
from botyard.gateway.chat.registry import Sessions
from botyard.gateway.chat.users import UserRules

TRANSPORTS = ("polling", "websocket")


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """Options of the chat channels."""

    namespace: str = ""
    """Namespace of their bots; empty: the one that `tenant` names, or the only one that there is."""
    rules: UserRules = field(default_factory=UserRules)
    keep_alive: float = 3.0
    """Seconds of silence after which a comment is sent."""
    redis_url: str = field(default="", repr=False)
    """Redis over which other programs send to sockets; empty: none does."""
    transports: tuple[str, ...] = TRANSPORTS
    """How clients of Socket.IO may connect. Polling needs whatever leads to several gateways to be sticky."""


@dataclass(slots=True)
class Chat:
    """The parts of the chat channels."""

    settings: ChatSettings
    sessions: Sessions
    rates: UserRates
    hub: LiveHub

    @classmethod
    def on(cls, redis: Redis, settings: ChatSettings | None = None) -> "Chat":
        """Return the parts on one Redis."""
        return cls(settings or ChatSettings(), Sessions(redis), UserRates(redis), LiveHub(redis))
