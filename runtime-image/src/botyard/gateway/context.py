"""What every call of the gateway works with."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from redis.asyncio import Redis

from botyard.budget.grants import grant, grant_tokens
from botyard.budget.reports import Reports
from botyard.channels.service import ChannelService
from botyard.compatibility import Census, take_census
from botyard.contract.machine import MachineShape
from botyard.core.activity import Activity
from botyard.core.address import BotAddress
from botyard.core.control import Cancellations
from botyard.core.conversations import Conversations
from botyard.core.dead_letters import DeadLetters
from botyard.core.documents import Documents
from botyard.core.files import FileLimits, Files
from botyard.core.forks import Forks
from botyard.core.inbox import MAX_PENDING, Inbox
from botyard.core.knowledge import KnowledgeStore
from botyard.core.outputs import Outputs
from botyard.core.records import Records
from botyard.core.references import References
from botyard.gateway.authentication import Authenticator
from botyard.gateway.authorization import Authorizer
from botyard.gateway.chat.parts import Chat, ChatSettings
from botyard.gateway.drain import Drain
from botyard.gateway.metrics import Metrics
from botyard.gateway.quotas import QuotaGate
from botyard.gateway.rate import RateLimiter
from botyard.gateway.routes import RoutingTable
from botyard.gateway.waking import Waker
from botyard.tracing import NO_TRACES, Tracer
from botyard.usage.reports import UsageReports


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of event streams."""

    most: int = 5_000
    """Streams that may be open at once in one gateway."""
    keep_alive: float = 10.0
    """Seconds of silence after which a comment is sent."""
    write_timeout: float = 20.0
    """Seconds that a client may not read before it is dropped; it resumes where it was."""


@dataclass(slots=True)
class Gateway:
    """The parts of one gateway."""

    table: RoutingTable
    inbox: Inbox
    outputs: Outputs
    conversations: Conversations
    references: References
    records: Records
    documents: Documents
    spending: Reports
    quotas: QuotaGate
    usage: UsageReports
    grant: Callable[..., Awaitable[tuple[str, bool]]]
    """Allows a further amount (`botyard.budget.grants.grant`)."""
    grant_tokens: Callable[..., Awaitable[tuple[str, bool]]]
    """Gives a user tokens (`botyard.budget.grants.grant_tokens`)."""
    cancellations: Cancellations
    dead_letters: DeadLetters
    census: Callable[[BotAddress, MachineShape], Awaitable[Census]]
    """Counts the sessions that a revision cannot go on with."""
    forks: Forks
    waker: Waker
    files: Files
    knowledge: KnowledgeStore
    ping: Callable[[], Awaitable[object]]
    """Fails when the event store cannot be reached."""
    authenticator: Authenticator
    authorizer: Authorizer
    metrics: Metrics
    limiter: RateLimiter
    callback_limiter: RateLimiter
    bot_limiter: RateLimiter
    """For all users of a bot together."""
    chat: Chat
    """The channels of workflow clients."""
    max_pending: int = MAX_PENDING
    """Events that may wait in one partition of a bot before more are refused."""
    channels: ChannelService | None = None
    """Messengers and other systems; None where none are declared."""
    drain: Drain = field(default_factory=Drain)
    stream_limits: StreamLimits = field(default_factory=StreamLimits)
    open_streams: int = 0
    hosts: frozenset[str] | None = None
    """Names that the Host header may carry; None: any. Set where nobody is authenticated, against DNS rebinding."""
    origins: tuple[str, ...] = ()
    """Origins of web pages that may call from browsers (CORS); `*`: all."""
    tracer: Tracer = NO_TRACES

    @classmethod
    def on(
        cls,
        redis: Redis,
        table: RoutingTable,
        *,
        authenticator: Authenticator,
        authorizer: Authorizer,
        rate: float = 20.0,
        burst: int = 100,
        bot_rate: float = 0.0,
        bot_burst: int = 1000,
        max_pending: int = MAX_PENDING,
        file_limits: FileLimits | None = None,
        stream_limits: StreamLimits | None = None,
        hosts: frozenset[str] | None = None,
        origins: tuple[str, ...] = (),
        chat: ChatSettings | None = None,
    ) -> "Gateway":
        """Return a gateway on one Redis.

        Args:
            redis: The event store.
            table: The bots.
            authenticator: Who calls.
            authorizer: What they may do.
            rate: Messages a second of one user to one bot; 0: no limit.
            burst: Messages at once.
            bot_rate: Messages a second of all users to one bot; 0: no limit.
            bot_burst: Messages at once of all users to one bot.
            max_pending: See the attribute.
            file_limits: Bounds of files.
            stream_limits: Bounds of event streams.
            hosts: See the attribute.
            origins: See the attribute.
            chat: Options of the channels of workflow clients.
        """
        spending, inbox = Reports(redis), Inbox(redis)
        return cls(
            table=table,
            inbox=inbox,
            outputs=Outputs(redis),
            conversations=Conversations(redis),
            references=References(redis),
            records=Records(redis),
            documents=Documents(redis),
            spending=spending,
            quotas=QuotaGate(spending, inbox),
            usage=UsageReports(redis),
            grant=partial(grant, redis),
            grant_tokens=partial(grant_tokens, redis),
            cancellations=Cancellations(redis),
            dead_letters=DeadLetters(redis),
            census=partial(take_census, redis),
            forks=Forks(redis),
            waker=Waker(Activity(redis)),
            files=Files(redis, limits=file_limits),
            knowledge=KnowledgeStore(redis),
            ping=redis.ping,
            authenticator=authenticator,
            authorizer=authorizer,
            metrics=Metrics(table),
            limiter=RateLimiter(rate, burst),
            callback_limiter=RateLimiter(rate, burst),
            bot_limiter=RateLimiter(bot_rate, bot_burst),
            chat=Chat.on(redis, chat),
            max_pending=max_pending,
            stream_limits=stream_limits or StreamLimits(),
            hosts=hosts,
            origins=origins,
        )
