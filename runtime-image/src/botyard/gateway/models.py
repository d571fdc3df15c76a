"""The bodies of the HTTP API. They also are its documentation: /openapi.json is made from them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from botyard.contract.spending import MAX_COINS

ConversationId = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_+~@-][A-Za-z0-9_+~@:.=-]{0,127}$", max_length=128)
]
"""A conversation's identifier: opaque to clients; safe in paths, headers and Redis keys."""
UserName = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
MessageId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
DnsLabel = Annotated[str, StringConstraints(max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]


class Body(BaseModel):
    """What a client sends: unknown fields are refused by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answer(BaseModel):
    """What the gateway answers; clients must ignore fields that they do not know."""

    model_config = ConfigDict(frozen=True)


class FileReference(Body):
    """A file that the message refers to, by id or by url; the content itself is never part of a message."""

    id: str | None = Field(
        default=None, min_length=1, max_length=64, description="A file that was sent here, instead of `url`."
    )
    name: str = Field(default="", max_length=255, description="File name that the user sees; needed with `url`.")
    url: str | None = Field(
        default=None, min_length=1, max_length=4096, pattern=r"^https?://", description="Where the bot can fetch it."
    )
    type: str = Field(default="", max_length=255, description="Media type, for example `image/png`.")
    size: int | None = Field(default=None, ge=0, description="Bytes.")


class FileAnswer(Answer):
    """A file that is kept."""

    id: str = Field(description="For `files` of messages.")
    name: str
    type: str = Field(description="Media type.")
    size: int = Field(description="Bytes.")
    sha256: str


class CollectionAnswer(Answer):
    """A collection of uploaded documents."""

    collection: str
    version: int = Field(description="Grows with each change.")


class CollectionList(Answer):
    """Collections by name."""

    collections: tuple[CollectionAnswer, ...]


class DocumentAnswer(Answer):
    """An uploaded document."""

    collection: str
    document: str
    size: int = Field(description="Bytes.")


class DocumentList(Answer):
    """Documents by name."""

    documents: tuple[DocumentAnswer, ...]


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


class MachineBody(BaseModel):
    """The member `machine` of a bundle's manifest; members that say nothing of sessions are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    states: list[str] = Field(default_factory=list, max_length=10_000)
    variables: dict[str, Any] | None = Field(default=None, description="JSON schema of the variables; null: any.")
    nested: dict[str, "MachineBody"] = Field(default_factory=dict, description="Machines of the plugins, by name.")


class CompatibilityRequest(BaseModel):
    """A manifest as `botyard inspect --format json` prints it, or its member `machine` alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    machine: MachineBody


class Incompatibility(Answer):
    """Why sessions cannot go on."""

    kind: str = Field(description="StateGone, PluginGone, VariableGone, VariableInvalid or NotASession.")
    subject: str = Field(description="The state, plugin or variable.")
    message: str
    sessions: int
    examples: tuple[str, ...] = Field(default=(), description="Some of the conversations.")


class CompatibilityAnswer(Answer):
    """What a revision would find."""

    sessions: int = Field(description="Stored sessions of the bot.")
    incompatible: int = Field(description="Of them, those that cannot go on.")
    causes: tuple[Incompatibility, ...] = Field(default=(), description="Most sessions first, 50 at most.")


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


class CallbackAccepted(Answer):
    """The callback is stored; the session that waits for it goes on."""

    conversation: str
    turn: str
    event: str


class FieldError(Answer):
    """One thing wrong in a body."""

    pointer: str = Field(description="JSON pointer to the field.")
    detail: str
    nearest: str | None = Field(default=None, description="The field that was probably meant.")


class ProblemDetails(Answer):
    """Problem details of RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()


class Health(Answer):
    """State of a probe."""

    status: Literal["ok", "failing"]
    checks: dict[str, str] = Field(default_factory=dict)


class AcceptedEvent(Answer):
    """The event is stored and will be worked on; what comes of it is told in the conversation's events."""

    conversation: str = Field(description="Whose events tell what came of it.")
    turn: str
    event: str
    duplicate: bool = False
    task: str | None = None
    thread: str | None = None


class ErpAnswer(Answer):
    """The changes are stored for everybody who subscribed to them."""

    accepted: int = Field(description="Changes that were new, also those that nobody subscribed to.")
    duplicate: int = Field(description="Changes that were sent before, by their id.")
    deliveries: int = Field(description="Events that were stored: one for each Persona that gets a change.")


TaskId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
TaskColumn = Literal["inbox", "todo", "inprogress", "done"]


class TaskRequest(Body):
    """A new task for a Persona."""

    title: str = Field(min_length=1, max_length=200)
    details: dict[str, Any] = Field(
        default_factory=dict, description="What the bot needs to know; `description` is shown."
    )
    column: TaskColumn = "inbox"
    budget: int = Field(default=0, ge=0, description="Coins that it may cost; 0: the Persona's default.")
    expert: str = Field(default="", max_length=100, description="Who works on it; empty: the default expert.")
    id: TaskId | None = Field(default=None, description="The client's own; the same task again does nothing.")


class PolicyDocumentRequest(Body):
    """A document to write."""

    path: str = Field(min_length=2, max_length=300, description="`/folder/name`.")
    content: str = Field(description="Its text, mostly JSON; at most 1 MiB.")
    expected: str = Field(default="", max_length=64, description="Digest of the version that it replaces; empty: any.")


class PolicyDocumentAnswer(Answer):
    """One version of a document."""

    path: str
    content: str
    version: int
    digest: str
    by: str
    at: float


class PolicyDocumentList(Answer):
    """Documents in the order of their paths."""

    paths: tuple[str, ...]
    last: str = Field(description="For `after` of the next page; empty at the end.")


class TaskMove(Body):
    """Where a task goes."""

    column: TaskColumn
    summary: str = Field(default="", max_length=4000, description="What came of it, for a task that is done.")
    thread: str = Field(
        default="", max_length=200, description="The thread that works on it; empty: one is begun where an expert can."
    )


class TaskAnswer(Answer):
    """One task. Times are seconds since 1970."""

    id: str
    title: str
    column: TaskColumn
    details: dict[str, Any]
    thread: str | None = Field(default=None, description="The thread that works on it.")
    budget: int = 0
    created: float
    done: float | None = None
    summary: str = ""


class TaskList(Answer):
    """Tasks in the order of their identifiers."""

    tasks: tuple[TaskAnswer, ...]
    last: str = Field(description="Give it as `after` to read on; empty: there are no more.")


class ThreadRequest(Body):
    """What a user says to a Persona."""

    text: str = Field(min_length=1)
    title: str = Field(default="", max_length=120, description="Of a new thread; left out: its first line.")
    expert: str = Field(default="", max_length=100, description="Of a new thread; empty: the default expert.")


class WaitingCall(Answer):
    """A call of a tool that waits for a person."""

    call: str = Field(description="Confirm it by …/calls/{call}/confirm.")
    tool: str
    arguments: str = Field(default="", description="As the model wrote them.")
    command: str = ""
    explanation: str = ""


class ThreadSummary(Answer):
    """A thread. Times are seconds since 1970."""

    id: str
    conversation: str = Field(description="Read its events as those of a conversation.")
    title: str
    expert: str
    waits_for: Literal["user", "assistant", "tools"]
    error: str | None = None
    task: str | None = None
    created: float
    updated: float
    archived: bool
    coins: int = Field(default=0, description="What it has cost: 1 coin is 1 microdollar.")
    confirmations: tuple[WaitingCall, ...] = Field(default=(), description="Calls of tools that wait for a person.")


class ThreadChange(Body):
    """What is to be changed of a thread."""

    title: str | None = Field(default=None, min_length=1, max_length=200)
    archived: bool | None = Field(default=None, description="An archived thread answers nobody until it is back.")


class ThreadMessage(Answer):
    """One message of a thread."""

    num: int
    role: str
    content: Any = None
    tool_calls: list[dict[str, Any]] | None = None
    call: str | None = Field(default=None, description="Of a tool's result: the call that it answers.")
    created: float


class ThreadList(Answer):
    """Threads in the order of their identifiers."""

    threads: tuple[ThreadSummary, ...]
    last: str = Field(description="Give it as `after` to read on; empty: there are no more.")


class ThreadAnswer(ThreadSummary):
    """A thread with its newest messages."""

    messages: tuple[ThreadMessage, ...] = ()


class Decision(Body):
    """What a person decides on one call of a tool."""

    call: str = Field(max_length=200)
    allow: bool
    reason: str = Field(default="", max_length=2000)


class ConfirmRequest(Body):
    """What a person decides on a call of a tool."""

    allow: bool
    reason: str = Field(default="", max_length=2000, description="Told to the model.")
    others: tuple[Decision, ...] = Field(
        default=(), max_length=64, description="Other calls that wait, decided with it."
    )


class BudgetLine(Answer):
    """One account now. Amounts are coins: 1 coin is 1 microdollar."""

    account: str = Field(description="`bot`, `persona:NAME`, `task:NAME/ID` or `thread:NAME/ID`.")
    period: str = Field(description="Day that it counts; empty: it never begins anew.")
    renewed_ms: int = Field(description="When it begins anew, in milliseconds since 1970; 0: never.")
    limit: int | None = Field(description="As declared; null: none.")
    granted: int = Field(description="Coins granted on top of it.")
    spent: int
    reserved: int = Field(description="Coins that calls under way may still cost.")
    remaining: int | None = Field(description="Coins that may still be reserved; null: without a limit.")
    exceeded: bool = Field(description="Nothing is left, or the call that was refused last would still not fit.")


class BudgetAsk(Answer):
    """A request for a grant: a call did not fit, and the Persona's `onExceeded` is `Ask`."""

    account: str = Field(description="With its period.")
    persona: str
    needed: int = Field(description="Coins that the call needed at least.")
    spent: int
    limit: int
    at_ms: int


class BudgetDay(Answer):
    """One account on one day."""

    day: str
    account: str
    coins: int = Field(description="Coins spent.")
    granted: int
    limit: int | None = Field(description="The limit at its last call, with what was granted; null: none.")
    counts: dict[str, int] = Field(
        description="Calls, tokens (`input`, `cached`, `output`, `reasoning`), coins of `tools`, refusals, …"
    )


class BudgetReport(Answer):
    """What a Bot and its Personas spend."""

    accounts: tuple[BudgetLine, ...] = Field(description="Today: the Bot, then its Personas.")
    asks: tuple[BudgetAsk, ...] = Field(description="What somebody is asked to grant, oldest first.")
    days: tuple[BudgetDay, ...] = Field(default=(), description="The history asked for by `days`, oldest first.")
    complete: bool = Field(default=True, description="`false`: there are more rows; ask for fewer days.")


class BudgetAnswer(BudgetReport):
    """What a Persona may spend and has spent."""

    persona: str
    time_zone: str = Field(description="In which its days begin.")
    on_exceeded: str


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


class UsageRow(Answer):
    """What one component of a bot used of one service."""

    service_type: str
    component: str
    model: str
    sums: dict[str, int] = Field(
        description="calls, failed, requests, input, output and all tokens, milliseconds, microdollars; what is not 0."
    )


class UsageReport(Answer):
    """What a bot used of services."""

    day: str = Field(description="In UTC; empty in the answer for a turn.")
    turn: str
    rows: tuple[UsageRow, ...]


class GrantRequest(Body):
    """A further amount for a Persona's day, or for one task or one thread."""

    coins: int = Field(ge=1, le=MAX_COINS, description="How much more, in coins: 1 coin is 1 microdollar.")
    task: str = Field(default="", max_length=200, description="Only for this task.")
    thread: str = Field(
        default="", max_length=200, description="Only for this thread, by its conversation; not together with `task`."
    )
    id: MessageId | None = Field(default=None, description="The client's own; the same grant again does nothing.")

    @model_validator(mode="after")
    def _is_one_account(self) -> Self:
        if self.task and self.thread:
            raise ValueError("name a task or a thread, not both")
        return self


class CreditRequest(Body):
    """Tokens that a user has paid for."""

    user: str = Field(min_length=1, max_length=256, description="The user, as conversations are kept under.")
    tokens: int = Field(ge=1, le=MAX_COINS, description="How many more.")
    id: MessageId | None = Field(default=None, description="The client's own; the same credit again does nothing.")


class GrantAnswer(Answer):
    """The grant is in force."""

    account: str = Field(description="Where it counts, with its period.")
    duplicate: bool = Field(default=False, description="The same grant was made before; nothing was added.")
