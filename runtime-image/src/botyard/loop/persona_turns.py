"""Turns of a Persona's own key: what happens on its board, to its threads and in the tables that it follows.

The board lives in records, one for each task, so that a turn costs what it touches. The state holds what every turn
needs: which tasks are in progress, how many are open, which are done.
"""

import time
from collections.abc import Mapping
from typing import Any

from botyard.contract.persona import PersonaConfig
from botyard.loop import board, keys
from botyard.loop.board import BoardError, Change
from botyard.loop.context import RobotContext
from botyard.loop.install import DEFAULT, Installation
from botyard.loop.parking import Parked
from botyard.loop.persona_loop import PersonaLoop
from botyard.loop.tasks import COLUMNS, FPersonaKanbanTaskOutput
from botyard.loop.threads import FThreadMessageOutput, FThreadOutput, FThreadWithMessages, message_key
from botyard.program import NextEvent, Output, TurnError, TurnIO, TurnOutcome, TurnRequest

TASK = "task/"
"""Records of tasks are named `task/<id>`."""
THREAD = "thread/"
"""Records of threads are named `thread/<id>`: their fields, for lists of them."""
KEPT_DONE = 500
"""Tasks that are done and kept on the board."""
DEFAULT_IN_PROGRESS = 2
KEPT_MESSAGES = 200
"""Messages of a thread that `rcx.latest_threads` holds."""


class PersonaTurns:
    """Runs the turns of Personas' own keys."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    async def run(self, request: TurnRequest, io: TurnIO, loop: PersonaLoop) -> TurnOutcome:
        """Run one event; see `botyard.program.Program`."""
        action = str(request.payload.get("action", ""))
        try:
            if action == "persona.started":
                return await self._started(request, io, loop)
            if action.startswith("task."):
                return await self._task(action.removeprefix("task."), request, io, loop)
            if action == "thread.updated":
                return await self._thread(request, loop)
            if action == "emessage":
                messenger = str(request.payload["messenger"])
                return await _delivered(request, loop, "emessage", request.payload.get("message"), name=messenger)
        except BoardError as error:
            return _refused(request, error.code, str(error))
        return _refused(request, "UnknownAction", f"there is no action {action!r}")

    async def _started(self, request: TurnRequest, io: TurnIO, loop: PersonaLoop) -> TurnOutcome:
        """Bring a loop that has begun up to date: its handlers see every open task again."""
        tasks: dict[str, FPersonaKanbanTaskOutput] = {}
        after = ""
        while page := await io.read_records(prefix=TASK, after=after, limit=1000):
            tasks |= _tasks(page)
            after = list(page)[-1]
        await loop.in_loop(lambda rcx: rcx.latest_tasks.update(tasks))
        outcome = TurnOutcome(state=request.state)
        for number, task in enumerate(tasks.values()):
            if not task.ktask_done_ts:
                event = Parked("task", ("INSERT", None, task), f"{request.event}/{number}")
                outcome = _with(outcome, await loop.deliver(event) or [])
        return outcome

    async def _task(self, do: str, request: TurnRequest, io: TurnIO, loop: PersonaLoop) -> TurnOutcome:
        payload, state = request.payload, _Board.of(request.state)
        task_id = str(payload.get("id") or "")
        names = [f"{TASK}{name}" for name in {task_id, *state.inprogress}]
        found = await io.read_records(names)
        tasks = _tasks(found)
        change = self._change(do, task_id, payload, tasks, state, request)
        caused: list[NextEvent] = []
        if (new := change.new) is not None and self._wants_thread(new):
            thread = keys.thread_of_task(new.ktask_id)
            begin = _thread_of_task(new, loop.persona.persona_id)
            caused.append(NextEvent(kind="action", key=keys.thread_key(loop.persona.persona_id, thread), payload=begin))
            new.ktask_inprogress_ft_id = thread
        records: dict[str, Any] = {f"{TASK}{task_id}": None if new is None else new.as_record()}
        for forgotten in state.take(change):
            records[f"{TASK}{forgotten}"] = None
        await loop.in_loop(lambda rcx: _remember_task(rcx, change))
        outcome = TurnOutcome(
            state=state.document(),
            records=records,
            events=tuple(caused),
            outputs=(Output(type="task.updated", data=_told(change)),),
        )
        if change.old == change.new:
            return outcome
        event = Parked("task", (change.action, change.old, change.new or change.old), request.event)
        return _with(outcome, await loop.deliver(event) or [])

    def _change(
        self,
        do: str,
        task_id: str,
        payload: Mapping[str, Any],
        tasks: Mapping[str, FPersonaKanbanTaskOutput],
        state: "_Board",
        request: TurnRequest,
    ) -> Change:
        now = float(payload.get("now") or time.time())
        persona = request.persona
        limit = self._limit(persona)
        changes = {name: payload[name] for name in _CHANGEABLE if name in payload}
        if do == "create":
            task = FPersonaKanbanTaskOutput(
                ktask_id=task_id,
                persona_id=persona.name if persona else "",
                ktask_inbox_provenance={"event": request.event},
                **changes,
            )
            column = payload.get("column", "inbox")
            if column not in COLUMNS:
                raise BoardError("UnknownColumn", f"There is no column {column!r}; columns are {', '.join(COLUMNS)}.")
            return board.create(tasks, task, column=column, now=now, limit=limit, open_tasks=state.open)
        if do == "move":
            return board.move(tasks, task_id, str(payload.get("column")), now=now, limit=limit, **changes)
        if do == "update":
            return board.update(tasks, task_id, **changes)
        if do == "remove":
            return board.remove(tasks, task_id)
        raise BoardError("UnknownAction", f"A task cannot be {do!r}.")

    def _limit(self, persona: PersonaConfig | None) -> int:
        """Return how many tasks may be in progress."""
        own = persona.max_in_progress if persona else None
        return own or self._installation.max_in_progress or DEFAULT_IN_PROGRESS

    def _wants_thread(self, task: FPersonaKanbanTaskOutput) -> bool:
        """Tell whether a model is to work on a task: it is in progress, nobody does yet, and an expert is told how."""
        if task.calc_bucket() != "inprogress" or task.ktask_inprogress_ft_id:
            return False
        expert = self._installation.experts.get(task.ktask_fexp_name or DEFAULT)
        return expert is not None and bool(expert.fexp_system_prompt)

    async def _thread(self, request: TurnRequest, loop: PersonaLoop) -> TurnOutcome:
        thread = FThreadOutput.from_record(request.payload["thread"])
        messages = [FThreadMessageOutput.from_record(message) for message in request.payload.get("messages", ())]
        await loop.in_loop(lambda rcx: _remember_thread(rcx, thread, messages))
        outcome = TurnOutcome(state=request.state, records={f"{THREAD}{thread.ft_id}": thread.as_record()})
        for message in messages:
            event = Parked("message", (message,), f"{request.event}/{message.ftm_num}")
            outcome = _with(outcome, await loop.deliver(event) or [])
        return _with(outcome, await loop.deliver(Parked("thread", (thread,), f"{request.event}/thread")) or [])


_CHANGEABLE = (
    "ktask_title",
    "ktask_details",
    "ktask_inprogress_ft_id",
    "ktask_resolution_code",
    "ktask_resolution_summary",
    "ktask_budget",
    "ktask_fexp_name",
)


class _Board:
    """What the state keeps of a board."""

    def __init__(self, inprogress: list[str], done: list[str], open_tasks: int) -> None:
        self.inprogress = inprogress
        self.done = done
        self.open = open_tasks

    @classmethod
    def of(cls, state: Mapping[str, Any] | None) -> "_Board":
        kept = (state or {}).get("board") or {}
        return cls(list(kept.get("inprogress", ())), list(kept.get("done", ())), int(kept.get("open", 0)))

    def document(self) -> dict[str, Any]:
        return {"board": {"inprogress": self.inprogress, "done": self.done, "open": self.open}}

    def take(self, change: Change) -> list[str]:
        """Follow a change; return the tasks that are kept no longer."""
        was = change.old.calc_bucket() if change.old is not None else None
        now = change.new.calc_bucket() if change.new is not None else None
        task = (change.new or change.old).ktask_id  # type: ignore[union-attr]
        self.open += (now not in (None, "done")) - (was not in (None, "done"))
        for name, listed in (("inprogress", self.inprogress), ("done", self.done)):
            if task in listed and now != name:
                listed.remove(task)
            elif task not in listed and now == name:
                listed.append(task)
        forgotten = self.done[:-KEPT_DONE]
        del self.done[:-KEPT_DONE]
        return forgotten


async def _delivered(request: TurnRequest, loop: PersonaLoop, kind: Any, *args: Any, name: str) -> TurnOutcome:
    caused = await loop.deliver(Parked(kind, args, request.event, name)) or []
    return _with(TurnOutcome(state=request.state), caused)


def _tasks(records: Mapping[str, Any]) -> dict[str, FPersonaKanbanTaskOutput]:
    return {name.removeprefix(TASK): FPersonaKanbanTaskOutput.from_record(data) for name, data in records.items()}


def _with(outcome: TurnOutcome, caused: list[dict[str, Any]]) -> TurnOutcome:
    """Return `outcome` with what a handler caused."""
    events = (NextEvent(kind="action", key=action["key"], payload=action["payload"]) for action in caused)
    return outcome.model_copy(update={"events": (*outcome.events, *events)})


def _refused(request: TurnRequest, code: str, message: str) -> TurnOutcome:
    """Return the outcome of what the board does not allow: nothing changes, whoever asked is told."""
    data = {"code": code, "message": message, "id": request.payload.get("id")}
    return TurnOutcome(state=request.state, outputs=(Output(type="task.refused", status="error", data=data),))


def failed(kind: str, message: str) -> TurnOutcome:
    """Return the outcome of an event that cannot be run at all."""
    return TurnOutcome(error=TurnError(kind=kind, message=message))


def _told(change: Change) -> dict[str, Any]:
    task = change.new or change.old
    assert task is not None
    return {"action": change.action, "column": task.calc_bucket(), "task": task.as_record()}


def _remember_task(rcx: RobotContext, change: Change) -> None:
    if change.new is not None:
        rcx.latest_tasks[change.new.ktask_id] = change.new
    elif change.old is not None:
        rcx.latest_tasks.pop(change.old.ktask_id, None)


def _remember_thread(rcx: RobotContext, thread: FThreadOutput, messages: list[FThreadMessageOutput]) -> None:
    known = rcx.latest_threads.setdefault(thread.ft_id, FThreadWithMessages(thread.ft_persona_id, thread))
    known.thread_fields = thread
    known.thread_messages |= {message_key(message): message for message in messages}
    for key in sorted(known.thread_messages)[:-KEPT_MESSAGES]:
        del known.thread_messages[key]


def _thread_of_task(task: FPersonaKanbanTaskOutput, persona: str) -> dict[str, Any]:
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
