"""One turn of a Persona's key while it runs: what it has found, and what it will commit."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from botyard.loop import keys, task_history
from botyard.loop.board import Change
from botyard.loop.install import DEFAULT, FMarketplaceExpertInput, Installation
from botyard.loop.parking import Parked
from botyard.loop.persona_loop import PersonaLoop
from botyard.loop.persona_state import PersonaState
from botyard.loop.tasks import FPersonaKanbanTaskOutput
from botyard.program import NextEvent, Output, TurnIO, TurnOutcome, TurnRequest

TASK = "task/"
"""Records of tasks are named `task/<id>`."""
DEFAULT_IN_PROGRESS = 2


class PersonaTurn:
    """Collects what a turn of a Persona's key does."""

    def __init__(self, request: TurnRequest, io: TurnIO, loop: PersonaLoop, installation: Installation) -> None:
        self.request = request
        self.io = io
        self.loop = loop
        self.installation = installation
        self.state = PersonaState.of(request.state)
        self.records: dict[str, Any] = {}
        self._outputs: list[Output] = []
        self._events: list[NextEvent] = []
        self._changes = 0

    @property
    def persona(self) -> str:
        """Whose key it is."""
        return self.loop.persona.persona_id

    @property
    def now(self) -> float:
        """Seconds since the epoch, by Redis's clock."""
        return self.request.now_ms / 1000 if self.request.now_ms else time.time()

    @property
    def limit(self) -> int:
        """How many tasks may be in progress."""
        config = self.request.persona
        own = config.max_in_progress if config else None
        return own or self.installation.max_in_progress or DEFAULT_IN_PROGRESS

    def expert(self, name: str) -> FMarketplaceExpertInput | None:
        """Return an expert that a model can speak as; None: nobody told it how."""
        expert = self.installation.experts.get(name or DEFAULT)
        return expert if expert is not None and expert.fexp_system_prompt else None

    async def tasks(self, *names: str) -> dict[str, FPersonaKanbanTaskOutput]:
        """Return tasks by id, as far as they exist; those in progress are always among them."""
        wanted = {*names, *self.state.inprogress}
        return _tasks(await self.io.read_records([f"{TASK}{name}" for name in wanted])) if wanted else {}

    async def all_tasks(self) -> dict[str, FPersonaKanbanTaskOutput]:
        """Return every task that is kept, by id."""
        found: dict[str, FPersonaKanbanTaskOutput] = {}
        after = ""
        while page := await self.io.read_records(prefix=TASK, after=after, limit=1000):
            found |= _tasks(page)
            after = list(page)[-1]
        return found

    def say(self, type_: str, *, status: str = "running", **data: Any) -> None:
        """Send something out with the commit."""
        self._outputs.append(Output(type=type_, status=status, data=data))

    def cause(self, key: str, payload: dict[str, Any], *, due_ms: int = 0) -> None:
        """Cause an event with the commit; with `due_ms` a timer."""
        self._events.append(NextEvent(kind="timer" if due_ms else "action", key=key, payload=payload, due_ms=due_ms))

    async def deliver(self, event: Parked) -> None:
        """Hand an event to the bot's loop, and take what its handler causes."""
        for action in await self.loop.deliver(event) or []:
            self.cause(action["key"], action["payload"])

    async def deliver_all(self, events: Sequence[Parked]) -> None:
        """Hand events to the bot's loop, in their order, and take what their handlers cause."""
        for actions in await self.loop.deliver_all(events):
            for action in actions or []:
                self.cause(action["key"], action["payload"])

    async def change(self, change: Change, by: Mapping[str, Any]) -> None:
        """Write a change of a task, tell of it, and give a task that is worked on to a thread.

        Args:
            change: What is done.
            by: Who does it; see `botyard.loop.task_history`.
        """
        if (new := change.new) is not None and self._wants_thread(new):
            thread = keys.thread_of_task(new.ktask_id)
            self.cause(keys.thread_key(self.persona, thread), _thread_of_task(new))
            new.ktask_inprogress_ft_id = thread
        task_history.note(change, by, self.now)
        task = change.new or change.old
        assert task is not None
        self.records[f"{TASK}{task.ktask_id}"] = None if new is None else new.as_record()
        for forgotten in self.state.take(change):
            self.records[f"{TASK}{forgotten}"] = None
        await self.loop.in_loop(lambda rcx: _remember(rcx.latest_tasks, change))
        self.say("task.updated", action=change.action, column=task.calc_bucket(), task=_told(task))
        if change.old != change.new:
            self._changes += 1
            name = self.request.event if self._changes == 1 else f"{self.request.event}/{self._changes}"
            await self.deliver(Parked("task", (change.action, change.old, change.new or change.old), name))

    def outcome(self) -> TurnOutcome:
        """Return what the turn commits."""
        return TurnOutcome(
            state=self.state.document(),
            records=self.records,
            outputs=tuple(self._outputs),
            events=tuple(self._events),
            tasks=self.state.counts(),
        )

    def _wants_thread(self, task: FPersonaKanbanTaskOutput) -> bool:
        """Tell whether a model is to work on a task: it is in progress, nobody does yet, and an expert is told how."""
        if task.calc_bucket() != "inprogress" or task.ktask_inprogress_ft_id:
            return False
        return self.expert(task.ktask_fexp_name) is not None


def _told(task: FPersonaKanbanTaskOutput) -> dict[str, Any]:
    """Return what clients hear of a task with each change; its history is asked for."""
    return {name: value for name, value in task.as_record().items() if name != "ktask_history"}


def _tasks(records: dict[str, Any]) -> dict[str, FPersonaKanbanTaskOutput]:
    return {name.removeprefix(TASK): FPersonaKanbanTaskOutput.from_record(data) for name, data in records.items()}


def _remember(latest: dict[str, FPersonaKanbanTaskOutput], change: Change) -> None:
    if change.new is not None:
        latest[change.new.ktask_id] = change.new
    elif change.old is not None:
        latest.pop(change.old.ktask_id, None)


def _thread_of_task(task: FPersonaKanbanTaskOutput) -> dict[str, Any]:
    """Return the event that begins the thread of a task."""
    text = task.ktask_title if not task.ktask_details else f"{task.ktask_title}\n\n{task.ktask_payload_json}"
    return {
        "action": "thread.start",
        "title": task.ktask_title,
        "expert": task.ktask_fexp_name or DEFAULT,
        "task": task.ktask_id,
        "budget": task.ktask_budget,
        "messages": [{"role": "user", "content": text}],
    }
