"""Turns of a Persona's own key: what happens on its board, to its threads, by the clock and in the tables it follows.

The board lives in records, one for each task, so that a turn costs what it touches. The state holds what every turn
needs: which tasks are in progress, how many are open, which are done, what is scheduled.
"""

from collections.abc import Mapping
from typing import Any

from botyard.loop import board, schedule_turns
from botyard.loop.board import BoardError, Change
from botyard.loop.erp_schema import row_of
from botyard.loop.install import Installation
from botyard.loop.parking import Parked
from botyard.loop.persona_loop import PersonaLoop
from botyard.loop.persona_turn import TASK, PersonaTurn
from botyard.loop.tasks import COLUMNS, FPersonaKanbanTaskOutput
from botyard.loop.threads import FThreadMessageOutput, FThreadOutput
from botyard.program import Output, TurnError, TurnIO, TurnOutcome, TurnRequest

__all__ = ["TASK", "THREAD", "PersonaTurns", "failed"]

THREAD = "thread/"
"""Records of threads are named `thread/<id>`: their fields, for lists of them."""


class PersonaTurns:
    """Runs the turns of Personas' own keys."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    async def run(self, request: TurnRequest, io: TurnIO, loop: PersonaLoop) -> TurnOutcome:
        """Run one event; see `botyard.program.Program`."""
        action = str(request.payload.get("action", ""))
        turn = PersonaTurn(request, io, loop, self._installation)
        try:
            if action == "persona.started":
                await self._started(turn)
            elif action == "persona.changed":
                await schedule_turns.look(turn)
            elif action == schedule_turns.ACTION:
                await schedule_turns.look(turn, request.payload)
            elif action in (schedule_turns.ADD, schedule_turns.REMOVE):
                await schedule_turns.change(turn)
            elif action.startswith("task."):
                await self._task(action.removeprefix("task."), turn)
            elif action == "thread.updated":
                await self._thread(turn)
            elif action == "erp.changed":
                try:
                    await self._rows(turn)
                except ValueError as error:
                    return failed("BadRow", f"this is no row of {request.payload.get('table', 'its table')}: {error}")
            elif action == "emessage":
                messenger = str(request.payload["messenger"])
                await turn.deliver(Parked("emessage", (request.payload.get("message"),), request.event, messenger))
            else:
                return _refused(request, "UnknownAction", f"there is no action {action!r}")
        except BoardError as error:
            return _refused(request, error.code, str(error))
        return turn.outcome()

    async def _started(self, turn: PersonaTurn) -> None:
        """Bring a loop that has begun up to date: its handlers see every open task again."""
        tasks = await turn.all_tasks()
        await turn.loop.in_loop(lambda rcx: rcx.latest_tasks.update(tasks))
        for number, task in enumerate(tasks.values()):
            if not task.ktask_done_ts:
                await turn.deliver(Parked("task", ("INSERT", None, task), f"{turn.request.event}/{number}"))
        turn.state.count(tasks.values())
        await schedule_turns.look(turn)

    async def _task(self, do: str, turn: PersonaTurn) -> None:
        task_id = str(turn.request.payload.get("id") or "")
        tasks = await turn.tasks(task_id)
        by = turn.request.payload.get("by")
        await turn.change(_change(do, task_id, tasks, turn), by if isinstance(by, Mapping) else {})

    async def _rows(self, turn: PersonaTurn) -> None:
        """Hand changes of rows to the handlers of their tables, one after the other; none is merged with another.

        A row among several that cannot be read is told of, and holds up none of the others.

        Raises:
            ValueError: The event's only row cannot be read.
        """
        payload, event = turn.request.payload, turn.request.event
        if "changes" not in payload:
            await turn.deliver(_changed_row(payload, event))
            return
        changes = payload["changes"]
        found: list[Parked] = []
        for number, change in enumerate(changes):
            try:
                found.append(_changed_row(change, f"{event}/{number}"))
            except ValueError as error:
                if len(changes) == 1:
                    raise ValueError(f"{change.get('table')}: {error}") from None
                message = f"this is no row of {change.get('table')}: {error}"
                turn.say("erp.refused", status="error", code="BadRow", message=message)
        await turn.deliver_all(found)

    async def _thread(self, turn: PersonaTurn) -> None:
        payload, event = turn.request.payload, turn.request.event
        thread = FThreadOutput.from_record(payload["thread"])
        messages = [FThreadMessageOutput.from_record(message) for message in payload.get("messages", ())]
        await turn.loop.in_loop(lambda rcx: rcx.remember_thread(thread, messages))
        turn.records[f"{THREAD}{thread.ft_id}"] = thread.as_record()
        for message in messages:
            await turn.deliver(Parked("message", (message,), f"{event}/{message.ftm_num}"))
        await turn.deliver(Parked("thread", (thread,), f"{event}/thread"))


_CHANGEABLE = (
    "ktask_title",
    "ktask_details",
    "ktask_inprogress_ft_id",
    "ktask_resolution_code",
    "ktask_resolution_summary",
    "ktask_budget",
    "ktask_fexp_name",
)


def _change(do: str, task_id: str, tasks: Mapping[str, FPersonaKanbanTaskOutput], turn: PersonaTurn) -> Change:
    """Return the change that an event asks for.

    Raises:
        BoardError: The board does not allow it.
    """
    payload = turn.request.payload
    now = float(payload.get("now") or turn.now)
    changes = {name: payload[name] for name in _CHANGEABLE if name in payload}
    if do == "create":
        task = FPersonaKanbanTaskOutput(
            ktask_id=task_id,
            persona_id=turn.persona,
            ktask_inbox_provenance={"event": turn.request.event},
            **changes,
        )
        column = payload.get("column", "inbox")
        if column not in COLUMNS:
            raise BoardError("UnknownColumn", f"There is no column {column!r}; columns are {', '.join(COLUMNS)}.")
        return board.create(tasks, task, column=column, now=now, limit=turn.limit, open_tasks=turn.state.open)
    if do == "move":
        return board.move(tasks, task_id, str(payload.get("column")), now=now, limit=turn.limit, **changes)
    if do == "update":
        return board.update(tasks, task_id, **changes)
    if do == "remove":
        return board.remove(tasks, task_id)
    raise BoardError("UnknownAction", f"A task cannot be {do!r}.")


def _changed_row(change: Mapping[str, Any], event: str) -> Parked:
    """Return what a handler gets of the change of a row.

    Raises:
        ValueError: The row cannot be read.
    """
    table = str(change.get("table"))
    old, new = (row_of(table, change.get(name)) for name in ("old", "new"))
    return Parked("erp", (str(change.get("change")), old, new), event, table)


def _refused(request: TurnRequest, code: str, message: str) -> TurnOutcome:
    """Return the outcome of what the board does not allow: nothing changes, whoever asked is told."""
    data = {"code": code, "message": message, "id": request.payload.get("id")}
    return TurnOutcome(state=request.state, outputs=(Output(type="task.refused", status="error", data=data),))


def failed(kind: str, message: str) -> TurnOutcome:
    """Return the outcome of an event that cannot be run at all."""
    return TurnOutcome(error=TurnError(kind=kind, message=message))
