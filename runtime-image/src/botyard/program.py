"""What a programming model implements: one turn of a bundle, from request to outcome."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import Field

from botyard.contract.base import Document
from botyard.contract.persona import PersonaConfig

RESIDENT_LEFT = "PersonaLeft"
"""Kind of the error of a turn whose resident ended before it took the event: it is run again, not told."""

EventKind = Literal["message", "callback", "timer", "action"]
Audience = Literal["", "everyone", "privileged"]


class TurnRequest(Document):
    """One event to run, with the state of its key."""

    event: str
    """Id of the event: unique, and the same on every attempt."""
    turn: str
    key: str
    """Key of ordering: the conversation, session or persona."""
    kind: EventKind = "message"
    payload: dict[str, Any] = Field(default_factory=dict)
    """message: {text, user, payload, options, files}; callback: {reference, body}; timer: what was scheduled; action:
    {action, …}, something that happened on the platform or was asked of it."""
    state: dict[str, Any] | None = None
    """What the last committed turn of this key returned; None at first and after its end."""
    reset_incompatible: bool = False
    """A state that this revision cannot go on with is dropped, and the session begins anew."""
    made_by: dict[str, str] = Field(default_factory=dict)
    """What wrote `state`: {revision (of the bundle), schema (`TurnOutcome.state_schema`)}."""
    attempt: int = 1
    bot: str = ""
    """Name of the Bot."""
    now_ms: int = 0
    """When this run began, in milliseconds since the epoch by Redis's clock, which timers go by."""
    persona: PersonaConfig | None = None
    config: dict[str, Any] | None = None
    """The Bot's free-form properties as they are now; None: as they were when the bundle was loaded."""

    @property
    def run(self) -> str:
        """Name of this very attempt."""
        return f"{self.turn}/{self.attempt}"


class Delivery(Document):
    """How an output travels; what is left out is told by its type."""

    event: str = ""
    """Name under which channels carry it, such as `chat_service`."""
    audience: Audience = ""
    """Who receives it, whatever its type says."""
    broadcast: bool = False
    """For all connections of the session, not only the one that asked."""


class Output(Document):
    """One event that a turn sends out; the supervisor wraps it in the envelope."""

    type: str
    step: str = "turn"
    status: str = "running"
    title: str | None = None
    agent: str | None = None
    data: dict[str, Any] = Field(default_factory=dict)
    members: dict[str, Any] = Field(default_factory=dict)
    """Further members of the envelope: `delta` (then there is no `data`), `text`, `idx`, `extra`, `route`; and
    `markdown`, which goes into its `event`."""
    delivery: Delivery = Delivery()


class TurnError(Document):
    """Why a turn failed, for its user and for the log."""

    kind: str
    """Exception class or a documented code such as `TurnTimeout`."""
    message: str
    where: str = ""
    """`file:line in function` of the bundle's innermost frame."""


class NextEvent(Document):
    """An event that a turn causes: at once or later, for its own key or another one of the same bot.

    It enters the inbox with the turn's commit, exactly once, or not at all.
    """

    kind: EventKind = "timer"
    key: str = ""
    """Key of ordering; empty: the turn's own."""
    payload: dict[str, Any] = Field(default_factory=dict)
    due_ms: int = 0
    """Milliseconds since the epoch at which it is due; 0: at once."""


class TurnOutcome(Document):
    """What a turn wants committed."""

    state: dict[str, Any] | None = None
    state_schema: str = ""
    """Version of `state`'s shape, kept beside it together with the bundle's revision."""
    outputs: tuple[Output, ...] = ()
    events: tuple[NextEvent, ...] = ()
    records: dict[str, Any] = Field(default_factory=dict)
    """Lasting records of the turn's key to write, by name; None removes one. They are not part of `state` and are read
    by `TurnIO.read_records`, so that threads, boards and histories cost a turn only what it touches."""
    completion: Output | None = None
    """What the last event of a turn that did not fail says beside the commit: its step, status, title, agent and data;
    None: nothing."""
    tasks: dict[str, int] | None = None
    """How many tasks the Persona now has in each column of its board; None: as before."""
    ended: bool = False
    """The session is over: its state and records are dropped, the conversation stays readable."""
    error: TurnError | None = None
    """Set: `state` is not kept, the user is told, the session goes on from its last committed state."""


class TurnIO(Protocol):
    """What a program may ask of the platform while a turn runs."""

    async def emit(self, output: Output) -> None:
        """Send an output before the commit (it carries the attempt)."""

    async def register_reference(self, reference: str) -> None:
        """Make `reference` known, bound to this turn's session, before the bundle can hand it to anybody."""

    async def read_records(
        self,
        names: Sequence[str] = (),
        *,
        prefix: str = "",
        after: str = "",
        limit: int = 100,
        newest_first: bool = False,
        key: str = "",
    ) -> dict[str, Any]:
        """Return lasting records by name, ordered by name; what this turn has not committed is not among them.

        Args:
            names: Exactly these, as far as they exist; empty: what the other arguments say.
            prefix: Only names that begin with it.
            after: Only names behind this one in the order of reading: the last name of the page before.
            limit: Most records, 1 to 1000; a page ends earlier where it grows beyond 8 MiB. An empty one is the end.
            newest_first: From the last name to the first.
            key: Whose records; empty: the turn's own. Another key must share its affinity (`:nora`, `nora~t1`), and
                may change while the turn runs: put what depends on it into a step.

        Raises:
            ValueError: The arguments are wrong.
        """

    async def collections(self) -> dict[str, int]:
        """Return the bot's collections of uploaded documents, each with the number of its last change."""

    async def read_documents(self, collection: str, *, after: str = "") -> dict[str, Any]:
        """Return uploaded documents: `{"version", "documents": {name: text}, "more"}`, ordered by name.

        Args:
            collection: Its name.
            after: Only documents behind this one: the last name of the page before.
        """

    async def read_vectors(self, space: str, names: Sequence[str]) -> dict[str, bytes]:
        """Return kept embeddings by the digests of their texts, 1,000 at most; what is not kept is left out."""

    async def keep_vectors(self, space: str, vectors: Mapping[str, bytes]) -> None:
        """Keep embeddings for all turns of the bot, by the digests of their texts, 1,000 at most."""

    async def step(self, name: str, request: Any, run: Callable[[str], Awaitable[Any]]) -> Any:
        """Return this step's journaled result, or run it once, journal its result and return it.

        Args:
            name: What the step is, e.g. `tool:get_weather`.
            request: JSON-able arguments; a re-run that asks differently is an error of the turn.
            run: Called with the step's idempotence key when there is no result yet.

        Raises:
            JournalMismatch: The re-run of a turn asked something else than its first run did.
            TypeError: JSON cannot express the request or the result.
        """

    async def admit_user(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Count the turn in quotas of its user (`botyard.workflow.economics.treasury`), and its calls from now on.

        Args:
            asked: An `Asked` as JSON; whose quotas they are the platform knows.

        Returns:
            A `Verdict` as JSON.

        Raises:
            Exception: Nobody can say.
        """

    async def database(self, do: str, args: Mapping[str, Any], key: str) -> Any:
        """Read or write rows of the company's database (bundles use `botyard.erp`), with the Persona's role.

        Args:
            do: What to do, such as `query` (`botyard.erp.store.requests`).
            args: With what.
            key: The step's; a write that was done for it is not done again.

        Raises:
            Exception: It is refused; `code` says why in one word.
        """

    async def record_usage(self, event: bytes) -> None:
        """Keep what the turn used of a service (`botyard.workflow.accounting`), as JSON; the same event counts once.

        Raises:
            Exception: It is not kept.
        """

    async def model(
        self, kind: str, body: dict[str, Any], role: str, on_event: Callable[[dict[str, Any]], None] | None
    ) -> dict[str, Any]:
        """Ask the Bot's model (bundles use `botyard.model`).

        Args:
            kind: `chat` or `embeddings`.
            body: The request, as the OpenAI protocol writes it.
            role: A role of the Bot's model, or empty.
            on_event: Gets the events of a streamed answer; None: it is not streamed.

        Returns:
            The whole answer.

        Raises:
            botyard.model.ModelCallError: The call was refused or failed.
        """


class Program(Protocol):
    """A loaded bundle of one programming model."""

    async def run_turn(self, request: TurnRequest, io: TurnIO) -> TurnOutcome:
        """Run one event to its outcome. Exceptions of the bundle come back as `TurnOutcome.error`."""


class ResidentIO(Protocol):
    """What a resident may ask of the platform between events."""

    async def tell(self, health: Mapping[str, Any]) -> None:
        """Say how the resident fares: {state, failures, message}."""

    async def post(self, key: str, payload: Mapping[str, Any], *, event_id: str = "") -> None:
        """Have an event of kind `action` accepted.

        Args:
            key: The Persona's own key or one of its affinity.
            payload: {action, …}.
            event_id: A second event of this id is the same event; empty: each is one of its own.
        """

    async def ask(self, method: str, args: Mapping[str, Any]) -> Any:
        """Ask something else of the platform.

        Args:
            method: `documents.list`, `.read`, `.versions`, `.write` or `.remove` (see `botyard.core.documents`).
            args: As the method takes them, JSON-able.

        Raises:
            Exception: It is refused; where the platform has a word for why, as its attribute `code`.
        """


@runtime_checkable
class ResidentialProgram(Program, Protocol):
    """A program whose Personas have code that runs between events: each lives in one worker at a time."""

    async def start_resident(self, persona: PersonaConfig, io: ResidentIO) -> None:
        """Begin to run a Persona's loop; returns when it has begun."""

    async def update_resident(self, persona: PersonaConfig) -> None:
        """Use a changed configuration."""

    async def stop_resident(self, name: str) -> None:
        """End a Persona's loop; returns when nothing of it runs any more."""
