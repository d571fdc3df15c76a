"""The platform of a scenario: states, records and events of one bot's keys, in memory, without Redis.

A turn runs as in a pod: its state goes through JSON, its events run after it, in order. What is due later waits until
the scenario lets time pass.
"""

import asyncio
import heapq
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botyard import steps
from botyard.contract.persona import PersonaConfig
from botyard.core.records import Selection
from botyard.loop.calls import NOT_INVENTED, no_handler
from botyard.loop.errors import PlatformError
from botyard.program import NextEvent, Output, Program, ResidentialProgram, TurnOutcome, TurnRequest
from botyard.scenario.documents import ScenarioDocuments
from botyard.scenario.model import ScenarioModel

MAX_FOLLOWING = 100
"""Events that one step may cause one after the other."""
KEY = "scenario"
"""Of the conversation, where the bot has no Personas."""
_NO_DATABASE = ("AutoReconnect", "NetworkTimeout", "NoDatabase", "ServerSelectionTimeoutError")
"""Exceptions of handlers whose Persona has no MongoDB here."""
TOOL = "tool:"
"""Names of steps that are calls of tools begin with it."""


class Impossible(Exception):
    """A step cannot be done, such as pressing an option that is not offered."""


@dataclass
class Ran:
    """What one thing that happened led to.

    Attributes:
        outputs: With the key that each belongs to, in order.
        outcome: Of the turn that failed, else of the last one.
    """

    outcome: TurnOutcome
    outputs: list[tuple[str, Output]] = field(default_factory=list)


@dataclass
class ToolResults:
    """Results that a scenario gives for tools, instead of the bot's handlers.

    Attributes:
        instead: In place of calling the handler, in the order of the calls.
        otherwise: Where the bot has no handler, or none that can work here.
        accounts: Whether a handler that fails counts as one that lacks its account.
        subchats: Whether a call that would wait for subchats brings its result without them: no model answers there.
    """

    instead: dict[str, deque[str]] = field(default_factory=dict)
    otherwise: dict[str, deque[str]] = field(default_factory=dict)
    accounts: bool = False
    subchats: bool = False

    def before(self, tool: str) -> str | None:
        """Return what a call brings without its handler; None: call it."""
        given = self.instead.get(tool)
        return given.popleft() if given else None

    def after(self, tool: str, record: Any) -> Any:
        """Return what a call brought: `record`, or what stands in for it."""
        given = self.otherwise.get(tool)
        if not given or record.get("kind") == "confirmation":
            return record
        result = given.popleft()
        said = str(record.get("content") or "")
        lacks = said == no_handler(tool).content or NOT_INVENTED.format(tool=tool) in said
        lacks = lacks or (self.accounts and bool(record.get("failed"))) or record.get("error") in _NO_DATABASE
        lacks = lacks or (self.subchats and record.get("kind") == "subchats")
        return {"content": result} if lacks else record


class _IO:
    """The supervisor's side of one turn."""

    def __init__(self, host: "Host", request: TurnRequest) -> None:
        self._host = host
        self._request = request
        self._ordinal = 0
        self.emitted: list[Output] = []

    async def emit(self, output: Output) -> None:
        self.emitted.append(output)

    async def register_reference(self, reference: str) -> None:
        self._host.references.append(reference)

    async def read_records(self, names: Sequence[str] = (), *, key: str = "", **how: Any) -> dict[str, Any]:
        kept = self._host.records.get(key or self._request.key, {})
        found: dict[str, Any] = json.loads(json.dumps(Selection.of({"names": names, **how}).of_all(kept)))
        return found

    async def collections(self) -> dict[str, int]:
        """A scenario has the bundle's own documents alone."""
        return {}

    async def read_documents(self, collection: str, *, after: str = "") -> dict[str, Any]:
        return {"version": 0, "documents": {}, "more": False}

    async def read_vectors(self, space: str, names: Sequence[str]) -> dict[str, bytes]:
        kept = self._host.vectors.get(space, {})
        return {name: kept[name] for name in names if name in kept}

    async def keep_vectors(self, space: str, vectors: Mapping[str, bytes]) -> None:
        self._host.vectors.setdefault(space, {}).update(vectors)

    async def admit_user(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """In a scenario nobody is refused."""
        return {"admitted": True, "rows": [], "credit": 0, "budget_left": None}

    async def database(self, do: str, args: Mapping[str, Any], key: str) -> Any:
        """A scenario has no database."""
        raise PlatformError(f"a scenario has no database to {do} rows: write the tool's result into it", "NoDatabase")

    async def record_usage(self, event: bytes) -> None:
        """What a scenario uses nobody is charged for."""

    async def model(
        self, kind: str, body: dict[str, Any], role: str, on_event: Callable[[dict[str, Any]], None] | None
    ) -> dict[str, Any]:
        del role  # One script answers for all roles.
        return await self._host.model.ask(kind, body, on_event)

    async def step(self, name: str, request: Any, run: Callable[[str], Awaitable[Any]]) -> Any:
        tool = name.removeprefix(TOOL) if name.startswith(TOOL) else ""
        if tool and (given := self._host.results.before(tool)) is not None:
            return {"content": given}
        self._ordinal += 1
        # As a pod returns it: what JSON makes of it.
        record = json.loads(json.dumps(await run(f"{self._request.event}:{self._ordinal}")))
        return self._host.results.after(tool, record) if tool and isinstance(record, dict) else record


class Host:
    """Runs the events of one bot."""

    def __init__(
        self,
        program: Program,
        model: ScenarioModel,
        *,
        persona: PersonaConfig | None = None,
        results: ToolResults | None = None,
    ) -> None:
        """Prepare.

        Args:
            program: The bundle's.
            model: Answers its model calls.
            persona: As whom it speaks.
            results: What tools bring without being called.
        """
        self.model = model
        self.persona = persona
        self.results = results or ToolResults()
        self.states: dict[str, dict[str, Any] | None] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.vectors: dict[str, dict[str, bytes]] = {}
        self.references: list[str] = []
        self.documents = ScenarioDocuments()
        self.ended = False
        self.failing = ""
        """Why the Persona's own loop does not run; empty: it does, or the bot has none."""
        self._program = program
        self._due: deque[NextEvent] = deque()
        self._timers: list[tuple[int, int, NextEvent]] = []
        self._now_ms = 0
        self._turns = 0
        self._runs = asyncio.Event()

    @property
    def has_loop(self) -> bool:
        """Whether Personas of the bot have a loop of their own."""
        return isinstance(self._program, ResidentialProgram)

    async def begin(self) -> Ran:
        """Begin the Persona's loop, where there is one, and run what it causes at first."""
        if isinstance(self._program, ResidentialProgram):
            assert self.persona is not None
            await self._program.start_resident(self.persona, _ResidentIO(self))
            await self._runs.wait()
        return await self._drain()

    async def end(self) -> None:
        """End the Persona's loop."""
        if isinstance(self._program, ResidentialProgram) and self.persona is not None:
            await self._program.stop_resident(self.persona.name)

    async def run(self, *events: NextEvent) -> Ran:
        """Run events and everything that they cause at once.

        Raises:
            Impossible: They cause others without end.
        """
        self._due.extend(events)
        return await self._drain()

    async def wait(self, seconds: float) -> Ran:
        """Let time pass: run what falls due until then, in its order."""
        self._now_ms += int(seconds * 1000)
        ran = Ran(TurnOutcome())
        while self._timers and self._timers[0][0] <= self._now_ms:
            self._due.append(heapq.heappop(self._timers)[2])
            more = await self._drain()
            ran = Ran(more.outcome, ran.outputs + more.outputs)
            if more.outcome.error is not None:
                break
        return ran

    def post(self, event: NextEvent) -> None:
        """Take an event that the bot's own loop causes."""
        self._due.append(event)

    def heard(self, health: Mapping[str, Any]) -> None:
        """Take what a Persona's loop says of itself."""
        self.failing = str(health.get("message") or "") if health.get("state") == "failing" else ""
        self._runs.set()

    async def _drain(self) -> Ran:
        ran = Ran(TurnOutcome())
        for _ in range(MAX_FOLLOWING):
            # What the bot's own loop causes comes from its thread.
            await asyncio.sleep(0)
            if not self._due:
                return ran
            event = self._due.popleft()
            key = event.key or KEY
            outcome, emitted = await self._turn(key, event)
            last = (outcome.completion,) if outcome.completion is not None else ()
            ran = Ran(outcome, ran.outputs + [(key, output) for output in (*emitted, *outcome.outputs, *last)])
            if outcome.error is not None:
                return ran
            for caused in outcome.events:
                self._take(caused if caused.key else caused.model_copy(update={"key": event.key}))
        raise Impossible(f"the step caused more than {MAX_FOLLOWING} events, one after the other")

    def _take(self, event: NextEvent) -> None:
        if not event.due_ms:
            self._due.append(event)
            return
        # Only differences count: the scenario's clock begins when the first such event is caused.
        at = self._now_ms + max(0, event.due_ms - _clock_ms())
        heapq.heappush(self._timers, (at, self._turns, event))

    async def _turn(self, key: str, event: NextEvent) -> tuple[TurnOutcome, list[Output]]:
        self._turns += 1
        request = TurnRequest(
            event=f"event-{self._turns}",
            turn=f"turn-{self._turns}",
            key=key,
            kind=event.kind,
            payload=event.payload,
            state=self.states.get(key),
            persona=self.persona,
        )
        io = _IO(self, request)
        steps.bind(io)
        outcome = await self._program.run_turn(request, io)
        if outcome.error is None:
            self.ended = outcome.ended
            # Through JSON, as between two turns of a pod: what does not survive that is found here.
            self.states[key] = None if outcome.ended else json.loads(json.dumps(outcome.state))
            kept = self.records.get(key, {}) | json.loads(json.dumps(outcome.records))
            self.records[key] = {} if outcome.ended else {name: data for name, data in kept.items() if data is not None}
        return outcome, io.emitted


class _ResidentIO:
    def __init__(self, host: Host) -> None:
        self._host = host

    async def tell(self, health: Mapping[str, Any]) -> None:
        self._host.heard(health)

    async def post(self, key: str, payload: Mapping[str, Any], *, event_id: str = "") -> None:
        del event_id  # A scenario runs in one process: nothing is told twice.
        self._host.post(NextEvent(kind="action", key=key, payload=dict(payload)))

    async def ask(self, method: str, args: Mapping[str, Any]) -> Any:
        return self._host.documents.ask(method, args)


def _clock_ms() -> int:
    return int(time.time() * 1000)
