"""What becomes of a Persona's schedules: timers for what is to come, work on the board for what is due.

| Type | What is done |
|---|---|
| SCHED_TODO | tasks go from `todo` to `inprogress`, the oldest first, as many as there is room for |
| SCHED_PICK_ONE | one task goes to `inprogress`: the oldest of `todo`, else of `inbox` |
| SCHED_TASK_SORT | the expert gets a thread with the tasks of the inbox, if there are any |
| SCHED_ANY | the expert gets a thread with the schedule's question |

A bot without an expert that a model can speak as gets a task in `todo` where another one would get a thread.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botyard.contract.persona import ScheduleConfig
from botyard.loop import board, keys, planning
from botyard.loop.board import MAX_TITLE, BoardError
from botyard.loop.install import DEFAULT
from botyard.loop.persona_turn import PersonaTurn
from botyard.loop.planning import Due, Timer
from botyard.loop.tasks import FPersonaKanbanTaskOutput

log = logging.getLogger("botyard.loop.schedules")

ACTION = "schedule.due"
ADD, REMOVE = "schedule.add", "schedule.remove"
MAX_MOVED = 20
"""Tasks that one moment of a schedule takes up."""
MAX_LISTED = 50
"""Tasks of the inbox that an expert is shown at once."""
SORT = (
    "It is time to sort the inbox. For each task below decide whether it is worth doing, together with which others, "
    "and move it."
)


async def look(turn: PersonaTurn, fired: Mapping[str, object] | None = None) -> None:
    """Plan a Persona's schedules anew and do what is due.

    Args:
        turn: Of the Persona's key.
        fired: The payload of the timer that brought the turn, if one did.
    """
    config, state = turn.request.persona, turn.state
    if config is not None and config.uid and state.uid != config.uid:
        # Somebody else of the same name was hired before.
        state.uid, state.schedules, state.own = config.uid, {}, {}
    timer = Timer(str(fired.get("name")), int(str(fired.get("at")))) if fired is not None else None
    schedules = (*planning.schedules_of(config, turn.installation), *planning.added(state.own))
    zone = config.budget.time_zone if config is not None else "UTC"
    plan = planning.look(
        schedules,
        state.schedules,
        now_ms=turn.request.now_ms or int(turn.now * 1000),
        zone=zone,
        seed=turn.request.key,
        fired=timer,
    )
    state.schedules = plan.kept
    known = {each.name: _told(each, zone, plan.kept.get(each.name)) for each in schedules}
    await turn.loop.in_loop(lambda rcx: setattr(rcx, "latest_schedules", known))
    for planned in plan.timers:
        payload = {"action": ACTION, "name": planned.name, "at": planned.at_ms}
        turn.cause(turn.request.key, payload, due_ms=planned.at_ms)
    for name, problem in plan.problems.items():
        log.error("schedule %s cannot be planned: %s", name, problem)
        turn.say("schedule.invalid", status="error", name=name, message=problem)
    for due in plan.due:
        did = await _do(turn, due)
        turn.say(ACTION, name=due.schedule.name, type=due.schedule.type, at=_iso(due), missed=due.missed, did=did)


async def change(turn: PersonaTurn) -> None:
    """Add a schedule that an expert wants, or remove one that an expert added."""
    payload = turn.request.payload
    given = payload if payload.get("action") == ADD else None
    name = str(payload.get("name"))
    turn.state.own = planning.with_added(turn.state.own, name, given)
    if given is not None and name not in turn.state.own:
        message = f"{planning.MAX_OWN} schedules were added already; remove one first"
        turn.say("schedule.invalid", status="error", name=planning.OWN + name, message=message)
    await look(turn)


def _told(schedule: ScheduleConfig, zone: str, planned: Mapping[str, Any] | None) -> dict[str, str]:
    """Return a schedule as bots and experts see it; `next` is there unless it cannot be planned."""
    told = {"type": schedule.type, "when": schedule.when, "question": schedule.question, "zone": zone}
    if planned is not None:
        told["next"] = datetime.fromtimestamp(int(planned["at"]) / 1000, UTC).isoformat(timespec="seconds")
    return told


async def _do(turn: PersonaTurn, due: Due) -> str:
    """Do what is due and return it in words."""
    kind = due.schedule.type
    if kind in ("SCHED_TODO", "SCHED_PICK_ONE"):
        return await _take_up(turn, due, one=kind == "SCHED_PICK_ONE")
    if kind == "SCHED_TASK_SORT":
        if not turn.state.inbox:
            return "the inbox is empty"
        if turn.expert(due.schedule.expert) is None:
            return "no expert can sort the inbox"
        return _begin_thread(turn, due, due.schedule.question or SORT, _shown(await turn.all_tasks()))
    question = due.schedule.question or f"It is time for {due.schedule.name}."
    if turn.expert(due.schedule.expert) is not None:
        return _begin_thread(turn, due, question, "")
    return await _post_task(turn, due, question)


async def _take_up(turn: PersonaTurn, due: Due, *, one: bool) -> str:
    """Move waiting tasks to where they are worked on, as far as there is room."""
    room = min(1 if one else MAX_MOVED, turn.limit - len(turn.state.inprogress))
    if not (turn.state.todo or (one and turn.state.inbox)):
        return "no task waits"
    if room <= 0:
        return f"{len(turn.state.inprogress)} tasks are in progress already"
    tasks = await turn.all_tasks()
    moved = 0
    for _ in range(room):
        task = board.next_todo(tasks.values()) or (board.oldest_of_inbox(tasks.values()) if one else None)
        if task is None:
            break
        change = board.move(tasks, task.ktask_id, "inprogress", now=turn.now, limit=turn.limit)
        assert change.new is not None
        await turn.change(change, {"schedule": due.schedule.name})
        tasks[task.ktask_id] = change.new
        moved += 1
    return f"{moved} {'task was' if moved == 1 else 'tasks were'} taken up"


def _begin_thread(turn: PersonaTurn, due: Due, question: str, below: str) -> str:
    schedule = due.schedule
    thread = f"sched_{schedule.name}_{due.at_ms}"
    payload = {
        "action": "thread.start",
        "title": f"{schedule.name} {_iso(due)}",
        "expert": schedule.expert or DEFAULT,
        "messages": [{"role": "user", "content": f"{question}\n\n{below}" if below else question}],
    }
    turn.cause(keys.thread_key(turn.persona, thread), payload)
    return f"thread {thread} was begun"


async def _post_task(turn: PersonaTurn, due: Due, question: str) -> str:
    task_id = f"sched_{due.schedule.name}_{due.at_ms}"
    task = FPersonaKanbanTaskOutput(
        ktask_id=task_id,
        persona_id=turn.persona,
        ktask_title=question[:MAX_TITLE],
        ktask_details={"schedule": due.schedule.name, "due": _iso(due)},
        ktask_inbox_provenance={"schedule": due.schedule.name},
    )
    try:
        change = board.create(
            await turn.tasks(task_id), task, column="todo", now=turn.now, limit=turn.limit, open_tasks=turn.state.open
        )
    except BoardError as error:
        return f"no task could be made: {error}"
    await turn.change(change, {"schedule": due.schedule.name})
    return f"task {task_id} was put into todo"


def _shown(tasks: Mapping[str, FPersonaKanbanTaskOutput]) -> str:
    waiting = sorted(
        (task for task in tasks.values() if task.calc_bucket() == "inbox"), key=lambda task: task.ktask_inbox_ts
    )
    lines = [
        json.dumps({"id": task.ktask_id, "title": task.ktask_title, "details": task.ktask_details}, ensure_ascii=False)
        for task in waiting[:MAX_LISTED]
    ]
    more = [f"… and {len(waiting) - MAX_LISTED} more"] if len(waiting) > MAX_LISTED else []
    return "\n".join(lines + more)


def _iso(due: Due) -> str:
    return datetime.fromtimestamp(due.at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")
